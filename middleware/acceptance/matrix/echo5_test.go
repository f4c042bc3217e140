package matrix

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

func echo5User(c *echo.Context) string { user, _ := c.Get("user").(string); return user }

func echo5Auth(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		c.Set("user", c.Request().Header.Get("X-User"))
		return next(c)
	}
}

func echo5Logger(name string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			r := c.Request()
			defer func() {
				res := echo5Response(c)
				note(r, name+" status", strconv.Itoa(res.Status))
				note(r, name+" committed", strconv.FormatBool(res.Committed))
				note(r, name+" size", strconv.FormatInt(res.Size, 10)) // the last one: see wait
			}()
			return next(c)
		}
	}
}

func echo5Hide(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		c.SetRequest(hidden(c.Response().Header(), c.Request()))
		return next(c)
	}
}

type echo5Renderer struct{}

func (echo5Renderer) Render(_ *echo.Context, w io.Writer, name string, data any) error {
	return pageTmpl.ExecuteTemplate(w, name, data)
}

var errEcho5Teapot = errors.New("teapot")

func echo5App(t *testing.T, s setup) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.Renderer = echo5Renderer{}
	standard := echo.DefaultHTTPErrorHandler(false)
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		if errors.Is(err, errEcho5Teapot) {
			_ = c.HTML(http.StatusTeapot, smallPage)
			return
		}
		standard(c, err)
	}
	e.Use(echo5Logger("outer"), middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}), echo5Auth)
	if s.compressor == outside {
		e.Use(middleware.Gzip())
	}
	if s.in(hiding) {
		e.Use(echo5Hide)
	}
	if s.in(asking) {
		ask := askechov5.New(newMiddleware(t), echo5User)
		e.Use(ask)
	}
	if s.compressor == inside {
		e.Use(middleware.Gzip())
	}
	e.Use(echo5Logger("inner"))
	var below []echo.MiddlewareFunc
	if s.again() {
		ask := askechov5.New(newMiddleware(t), echo5User)
		below = append(below, ask)
	}
	for path, f := range echo5Routes(e, s.site) {
		e.GET(path, f, below...)
		e.HEAD(path, f, below...)
	}
	e.POST("/post-only", func(*echo.Context) error { return nil }, below...)
	e.StaticFS("/static", os.DirFS(s.site.dir))
	e.GET("/proxy/*", echo.WrapHandler(s.site.proxy), below...)
	e.RouteNotFound("/spa/*", func(c *echo.Context) error { return c.HTML(http.StatusOK, smallPage) }, below...)
	group := e.Group("/group", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			c.Response().Header().Set("X-Group", "1")
			return next(c)
		}
	})
	group.GET("/:id", func(c *echo.Context) error { return c.Render(http.StatusOK, "page", c.Param("id")) }, below...)
	return e
}

func echo5Routes(e *echo.Echo, s *site) map[string]echo.HandlerFunc {
	html := func(c *echo.Context) { c.Response().Header().Set("Content-Type", htmlType) }
	page := func(c *echo.Context) error { return c.HTML(http.StatusOK, smallPage) }
	write := func(c *echo.Context, s string) error { _, err := io.WriteString(c.Response(), s); return err }
	flush := func(c *echo.Context) { _ = http.NewResponseController(c.Response()).Flush() }
	return map[string]echo.HandlerFunc{
		"/template": func(c *echo.Context) error { return c.Render(http.StatusOK, "page", "template") },
		"/length": func(c *echo.Context) error {
			c.Response().Header().Set("Content-Length", strconv.Itoa(len(largePage)))
			return c.HTML(http.StatusOK, largePage)
		},
		"/string": func(c *echo.Context) error { return c.String(http.StatusOK, smallPage) },
		"/json":   func(c *echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"html": "</body>"}) },
		"/file":   func(c *echo.Context) error { return c.FileFS("page.html", os.DirFS(s.dir)) },
		"/stream": func(c *echo.Context) error {
			html(c)
			for i, p := range pieces {
				_ = write(c, p)
				if i < len(markers) {
					flush(c)
					await(c.Request(), markers[i])
				}
			}
			return nil
		},
		"/events": func(c *echo.Context) error {
			c.Response().Header().Set("Content-Type", "text/event-stream")
			c.Response().WriteHeader(http.StatusOK)
			for _, m := range []string{"data: 1\n\n", "data: 2\n\n"} {
				_ = write(c, m)
				c.Response().(http.Flusher).Flush()
				await(c.Request(), m)
			}
			return nil
		},
		"/flush-first": func(c *echo.Context) error { html(c); flush(c); return write(c, smallPage) },
		"/head-first": func(c *echo.Context) error {
			html(c)
			c.Response().WriteHeader(http.StatusOK)
			c.Response().Header().Set("X-Late", "1")
			return write(c, smallPage)
		},
		"/redirect":   func(c *echo.Context) error { return c.Redirect(http.StatusFound, "/template") },
		"/no-content": func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) },
		"/created":    func(c *echo.Context) error { return c.NoContent(http.StatusCreated) },
		"/nothing":    func(c *echo.Context) error { return nil },
		"/empty":      func(c *echo.Context) error { return c.HTML(http.StatusOK, "") },
		"/panic":      func(c *echo.Context) error { panic("early") },
		"/panic-late": func(c *echo.Context) error { _ = c.HTML(http.StatusOK, pieces[0]); panic("late") },
		"/abort": func(c *echo.Context) error {
			html(c)
			_ = write(c, pieces[0])
			flush(c)
			await(c.Request(), markers[0])
			panic(http.ErrAbortHandler)
		},
		"/denied":     func(c *echo.Context) error { return c.HTML(http.StatusUnauthorized, smallPage) },
		"/error":      func(c *echo.Context) error { return errEcho5Teapot },
		"/error-late": func(c *echo.Context) error { _ = page(c); return errors.New("late") },
		"/status-then-type": func(c *echo.Context) error {
			c.Response().WriteHeader(http.StatusOK)
			html(c)
			return write(c, smallPage)
		},
		"/again": func(c *echo.Context) error {
			r := c.Request().Clone(c.Request().Context())
			r.URL.Path = "/template"
			e.ServeHTTP(c.Response(), r)
			return nil
		},
		"/sniffed": func(c *echo.Context) error { return write(c, smallPage) },
		"/sniffed-status": func(c *echo.Context) error {
			c.Response().WriteHeader(http.StatusOK)
			return write(c, largePage)
		},
		"/hints": func(c *echo.Context) error {
			c.Response().Header().Set("Link", "</app.js>; rel=preload")
			c.Response().WriteHeader(http.StatusEarlyHints)
			html(c)
			return write(c, smallPage)
		},
		"/gzipped": func(c *echo.Context) error {
			c.Response().Header().Set("Content-Encoding", "gzip")
			return c.HTMLBlob(http.StatusOK, compressed(smallPage))
		},
		"/hijack": func(c *echo.Context) error { hijack(c.Response(), c.Request()); return nil },
		"/controller": func(c *echo.Context) error {
			note(c.Request(), "controls", controls(c.Response()))
			return page(c)
		},
		"/own": func(c *echo.Context) error {
			p, ok := askechov5.PromptFrom(c)
			return c.HTML(http.StatusOK, ownPage(p, ok))
		},
	}
}

// echo5Response finds the Response below whatever stands in its place.
func echo5Response(c *echo.Context) *echo.Response {
	res, err := echo.UnwrapResponse(c.Response())
	if err != nil {
		return &echo.Response{Status: -1} // nobody would know what was written
	}
	return res
}
