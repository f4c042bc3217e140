package askgin_test

import (
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askgin"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/gin-gonic/gin"
)

func Example() {
	prompts, err := middleware.New(adaptertest.AsksAda{}, func(*http.Request) string { return "" }, nil) // or kit.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	ask := askgin.New(prompts, func(c *gin.Context) string { return c.GetString("user") })

	e := gin.New()
	e.Use(gin.Recovery())
	e.Use(func(c *gin.Context) { c.Set("user", c.GetHeader("X-User")) }) // your session
	e.Use(ask)                                                           // behind the session, before the routes
	e.GET("/", func(c *gin.Context) {
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte("<!doctype html><body><h1>Home</h1></body>"))
	})

	for _, user := range []string{"ada", "bob"} {
		page := adaptertest.Get(e, "/", "X-User", user).Body.String()
		fmt.Println(user, strings.Contains(page, `class="askonce"`))
	}
	// Output:
	// ada true
	// bob false
}

// A page with a place for the prompt asks for it, and nothing is injected.
func ExamplePromptFrom() {
	prompts, err := middleware.New(adaptertest.AsksAda{}, func(*http.Request) string { return "" }, nil) // or kit.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	ask := askgin.New(prompts, currentUser)
	e := gin.New()
	e.Use(login, ask)
	e.GET("/", func(c *gin.Context) {
		page := "<!doctype html><body>Hello</body>"
		if prompt, ok := askgin.PromptFrom(c); ok { // in a template, with html/template
			page = `<!doctype html><body><a href="` + prompt.StartURL + `" target="_blank" rel="noopener">Talk to us</a></body>`
		}
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(page))
	})
	for _, user := range []string{"ada", "bob"} {
		fmt.Println(adaptertest.Get(e, "/", "X-User", user).Body.String())
	}
	// Output:
	// <!doctype html><body><a href="/askonce/start?study=s1&from=template" target="_blank" rel="noopener">Talk to us</a></body>
	// <!doctype html><body>Hello</body>
}
