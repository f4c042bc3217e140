// Command echo is an example server with Echo v5. askonce is an Echo middleware
// and takes the user from Echo's context.
//
//	go run ./examples/echo -fake   # with a fake provider: no account needed
//	go run ./examples/echo -h      # what to set to run it for real
package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

func main() { site.Main(run) }

func run(ctx context.Context, s *site.Site) error {
	kit, err := askonce.New(askonce.Config{
		APIKey:        s.APIKey,
		WebhookSecret: s.WebhookSecret,
		Studies:       []string{s.Study},
		User:          s.User,
		Store:         store.NewCached(s.Store, nil),
		CookieKeys:    s.CookieKeys,
		Gate:          &gate.Options{OnDecision: s.Metrics.Decision},
		Middleware:    &middleware.Options{OnPrompt: s.Metrics.Prompt, OnInteraction: s.Metrics.Interaction},
		Webhook: &webhook.Options{
			URL:        s.WebhookURL,
			OnDelivery: s.Metrics.Delivery,
			OnRecorded: s.Metrics.Recorded,
			OnProgress: s.Metrics.Progress,
		},
		BaseURL: s.BaseURL,
	})
	if err != nil {
		return err
	}

	e := echo.New()
	e.Logger = slog.Default()
	e.Renderer = &echo.TemplateRenderer{Template: site.Templates}
	e.Use(
		echomiddleware.Recover(),
		session(s),
		askechov5.New(kit.Middleware(), currentUser), // inside the session, whose user it needs
	)
	e.GET("/", func(c *echo.Context) error {
		return c.Render(http.StatusOK, "home.html", site.Page{User: currentUser(c)})
	})
	e.GET("/interviews", func(c *echo.Context) error {
		page := site.Page{User: currentUser(c)}
		if !page.Admin() {
			return echo.ErrNotFound
		}
		var err error
		if page.Interviews, err = s.Interviews(c.Request().Context()); err != nil {
			return echo.ErrServiceUnavailable
		}
		return c.Render(http.StatusOK, "interviews.html", page)
	})
	e.POST("/login", echo.WrapHandler(http.HandlerFunc(s.Login)))
	e.POST("/logout", echo.WrapHandler(http.HandlerFunc(s.Logout)))
	e.GET("/style.css", echo.WrapHandler(http.HandlerFunc(site.Style)))
	e.POST(site.WebhookPath, echo.WrapHandler(kit.Webhook()))
	e.Any("/admin/askonce/*", echo.WrapHandler(kit.Console(s.Admin))) // its pages never get a prompt
	e.GET("/metrics", echo.WrapHandler(s.Metrics.Handler(kit)))
	e.GET("/healthz", echo.WrapHandler(site.Healthz(kit.Webhook())))
	return s.Serve(ctx, e, kit)
}

const userKey = "user"

func currentUser(c *echo.Context) string {
	user, _ := c.Get(userKey).(string)
	return user
}

// session stands in for your app's own.
func session(s *site.Site) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			c.Set(userKey, s.User(c.Request()))
			return next(c)
		}
	}
}
