package askecho_test

import (
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/askonce/askonce/middleware/askecho"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

func Example() {
	currentUser := func(c *echo.Context) string {
		user, _ := c.Get("user").(string)
		return user
	}
	// asksAda stands for a *gate.Gate.
	ask, err := askecho.New(asksAda{}, currentUser, nil)
	if err != nil {
		log.Fatal(err)
	}

	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip())
	e.Use(login) // your session
	e.Use(ask)   // behind the session
	e.GET("/", func(c *echo.Context) error {
		return c.HTML(http.StatusOK, "<!doctype html><body><h1>Home</h1></body>")
	})

	for _, user := range []string{"ada", "bob"} {
		page := get(e, "/", "X-User", user).Body.String()
		fmt.Println(user, strings.Contains(page, `class="askonce"`))
	}
	// Output:
	// ada true
	// bob false
}
