// Command gin is an example server with Gin. askonce is a Gin middleware and
// takes the user from Gin's context; OpenTelemetry traces its decisions.
//
//	go run ./examples/gin -fake   # with a fake provider: no account needed
//	go run ./examples/gin -h      # what to set to run it for real
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askgin"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

func main() { site.Main(run) }

func run(ctx context.Context, s *site.Site) error {
	tracing, err := newTracing(os.Getenv("OTEL_TRACES_EXPORTER"))
	if err != nil {
		return err
	}
	defer tracing.close()

	kit, err := askonce.New(askonce.Config{
		APIKey:        s.APIKey,
		WebhookSecret: s.WebhookSecret,
		Studies:       []string{s.Study},
		User:          s.User,
		Store:         store.NewCached(s.Store, nil),
		CookieKeys:    s.CookieKeys,
		Gate: &gate.Options{OnDecision: func(ctx context.Context, v gate.Visitor, d gate.Decision) {
			s.Metrics.Decision(ctx, v, d)
			tracing.decision(ctx, d)
		}},
		Middleware: &middleware.Options{OnPrompt: func(r *http.Request, studyID string, o middleware.Outcome) {
			s.Metrics.Prompt(r, studyID, o)
			tracing.prompt(r.Context(), o)
		}, OnInteraction: s.Metrics.Interaction},
		Webhook: &webhook.Options{
			URL: s.WebhookURL,
			OnDelivery: func(ctx context.Context, d webhook.Delivery) {
				s.Metrics.Delivery(ctx, d)
				tracing.delivery(ctx, d)
			},
			OnRecorded: s.Metrics.Recorded,
			OnProgress: s.Metrics.Progress,
		},
		BaseURL: s.BaseURL,
	})
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.SetHTMLTemplate(site.Templates)
	engine.Use(tracing.request, gin.CustomRecoveryWithWriter(nil, recovered))
	// Use has no effect on the routes before it: these have no user and no prompt.
	engine.POST(site.WebhookPath, gin.WrapH(kit.Webhook()))
	engine.Any("/admin/askonce/*page", gin.WrapH(kit.Console(s.Admin)))
	engine.GET("/metrics", gin.WrapH(s.Metrics.Handler(kit)))
	engine.GET("/healthz", gin.WrapH(site.Healthz(kit.Webhook())))
	engine.GET("/style.css", gin.WrapF(site.Style))

	engine.Use(
		func(c *gin.Context) { c.Set(userKey, s.User(c.Request)) }, // your session
		askgin.New(kit.Middleware(), currentUser),                  // inside the session, before the pages
	)
	pages(engine, s)
	return s.Serve(ctx, engine, kit)
}

func pages(engine *gin.Engine, s *site.Site) {
	engine.POST("/login", gin.WrapF(s.Login))
	engine.POST("/logout", gin.WrapF(s.Logout))
	engine.GET("/", func(c *gin.Context) {
		c.HTML(http.StatusOK, "home.html", site.Page{User: currentUser(c)})
	})
	engine.GET("/interviews", func(c *gin.Context) { interviews(c, s) })
}

func interviews(c *gin.Context, s *site.Site) {
	page := site.Page{User: currentUser(c)}
	if !page.Admin() {
		c.String(http.StatusNotFound, "404 page not found\n")
		return
	}
	var err error
	if page.Interviews, err = s.Interviews(c.Request.Context()); err != nil {
		c.AbortWithStatus(http.StatusServiceUnavailable)
		return
	}
	c.HTML(http.StatusOK, "interviews.html", page)
}

const userKey = "user"

func currentUser(c *gin.Context) string { return c.GetString(userKey) }

func recovered(c *gin.Context, p any) {
	slog.ErrorContext(c.Request.Context(), "panic", "panic", fmt.Sprint(p), "route", c.FullPath())
	c.AbortWithStatus(http.StatusInternalServerError)
}
