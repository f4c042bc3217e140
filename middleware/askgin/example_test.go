package askgin_test

import (
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/askonce/askonce/middleware/askgin"
	"github.com/gin-gonic/gin"
)

func Example() {
	// asksAda stands for a *gate.Gate.
	ask, err := askgin.New(asksAda{}, func(c *gin.Context) string { return c.GetString("user") }, nil)
	if err != nil {
		log.Fatal(err)
	}

	e := gin.New()
	e.Use(gin.Recovery())
	e.Use(func(c *gin.Context) { c.Set("user", c.GetHeader("X-User")) }) // your session
	e.Use(ask)                                                           // behind the session, before the routes
	e.GET("/", func(c *gin.Context) {
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte("<!doctype html><body><h1>Home</h1></body>"))
	})

	for _, user := range []string{"ada", "bob"} {
		page := get(e, "/", "X-User", user).Body.String()
		fmt.Println(user, strings.Contains(page, `class="askonce"`))
	}
	// Output:
	// ada true
	// bob false
}
