package askechov5_test

import (
	"fmt"
	"log"
	"net/http"
	"strings"

	askonce "github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

func Example() {
	currentUser := func(c *echo.Context) string {
		user, _ := c.Get("user").(string)
		return user
	}
	prompts, err := askonce.New(adaptertest.AsksAda{}, func(*http.Request) string { return "" }, nil) // or kit.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	ask := askechov5.New(prompts, currentUser)

	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip())
	e.Use(adapter.Login) // your session
	e.Use(ask)           // behind the session
	e.GET("/", func(c *echo.Context) error {
		return c.HTML(http.StatusOK, "<!doctype html><body><h1>Home</h1></body>")
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
	prompts, err := askonce.New(adaptertest.AsksAda{}, func(*http.Request) string { return "" }, nil) // or kit.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	ask := askechov5.New(prompts, adapter.CurrentUser)
	e := echo.New()
	e.Use(adapter.Login, ask)
	e.GET("/", func(c *echo.Context) error {
		page := "<!doctype html><body>Hello</body>"
		if prompt, ok := askechov5.PromptFrom(c); ok { // in a template, with html/template
			page = `<!doctype html><body><a href="` + prompt.StartURL + `" target="_blank" rel="noopener">Talk to us</a></body>`
		}
		return c.HTML(http.StatusOK, page)
	})
	for _, user := range []string{"ada", "bob"} {
		fmt.Println(adaptertest.Get(e, "/", "X-User", user).Body.String())
	}
	// Output:
	// <!doctype html><body><a href="/askonce/start?study=s1&from=template" target="_blank" rel="noopener">Talk to us</a></body>
	// <!doctype html><body>Hello</body>
}
