package matrix

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware/askgin"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
)

func init() {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter, gin.DefaultErrorWriter = io.Discard, io.Discard
}

func ginUser(c *gin.Context) string { return c.GetString("user") }

func ginAuth(c *gin.Context) { c.Set("user", c.GetHeader("X-User")) }

func ginLogger(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		r, w := c.Request, c.Writer
		defer func() {
			note(r, name+" status", strconv.Itoa(w.Status()))
			note(r, name+" written", strconv.FormatBool(w.Written()))
			note(r, name+" size", strconv.Itoa(w.Size())) // the last one: see wait
		}()
		c.Next()
	}
}

func ginHide(c *gin.Context) { c.Request = hidden(c.Writer.Header(), c.Request) }

// ginErrorPage renders what the handlers left in c.Errors, as an app does.
func ginErrorPage(c *gin.Context) {
	c.Next()
	if len(c.Errors) > 0 && !c.Writer.Written() {
		c.Data(http.StatusTeapot, htmlType, []byte(smallPage))
	}
}

func ginApp(t *testing.T, s setup) http.Handler {
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.SetHTMLTemplate(pageTmpl)
	e.Use(ginLogger("outer"), gin.RecoveryWithWriter(io.Discard), ginErrorPage, ginAuth)
	if s.compressor == outside {
		e.Use(gzip.Gzip(gzip.DefaultCompression))
	}
	if s.in(hiding) {
		e.Use(ginHide)
	}
	if s.in(asking) {
		ask := askgin.New(newMiddleware(t), ginUser)
		e.Use(ask)
	}
	if s.compressor == inside {
		e.Use(gzip.Gzip(gzip.DefaultCompression))
	}
	e.Use(ginLogger("inner"))
	g := e.Group("/")
	if s.again() {
		ask := askgin.New(newMiddleware(t), ginUser)
		g.Use(ask)
	}
	for path, f := range ginRoutes(e, s.site) {
		g.GET(path, f)
		g.HEAD(path, f)
	}
	g.POST("/post-only", func(*gin.Context) {})
	g.Static("/static", s.site.dir)
	g.GET("/proxy/*any", gin.WrapH(s.site.proxy))
	g.Group("/group", func(c *gin.Context) { c.Header("X-Group", "1") }).GET("/:id", func(c *gin.Context) {
		c.HTML(http.StatusOK, "page", c.Param("id"))
	})
	e.NoRoute(func(c *gin.Context) {
		if strings.HasPrefix(c.Request.URL.Path, "/spa/") {
			c.Data(http.StatusOK, htmlType, []byte(smallPage))
		}
	})
	return e
}

func ginRoutes(e *gin.Engine, s *site) map[string]gin.HandlerFunc {
	page := func(c *gin.Context) { c.Data(http.StatusOK, htmlType, []byte(smallPage)) }
	return map[string]gin.HandlerFunc{
		"/template": func(c *gin.Context) { c.HTML(http.StatusOK, "page", "template") },
		"/length": func(c *gin.Context) {
			c.Header("Content-Length", strconv.Itoa(len(largePage)))
			c.Data(http.StatusOK, htmlType, []byte(largePage))
		},
		"/string": func(c *gin.Context) { c.String(http.StatusOK, "%s", smallPage) },
		"/json":   func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"html": "</body>"}) },
		"/file":   func(c *gin.Context) { c.File(s.file("page.html")) },
		"/stream": func(c *gin.Context) {
			c.Header("Content-Type", htmlType)
			i := 0
			c.Stream(func(w io.Writer) bool {
				if i > 0 {
					await(c.Request, markers[i-1])
				}
				_, _ = io.WriteString(w, pieces[i])
				i++
				return i < len(pieces)
			})
		},
		"/events": func(c *gin.Context) {
			i := 0
			c.Stream(func(io.Writer) bool {
				if i > 0 {
					await(c.Request, "data:"+strconv.Itoa(i))
				}
				i++
				c.SSEvent("message", i)
				return i < 3
			})
		},
		"/flush-first": func(c *gin.Context) {
			c.Header("Content-Type", htmlType)
			c.Writer.Flush()
			_, _ = c.Writer.WriteString(smallPage)
		},
		"/head-first": func(c *gin.Context) {
			c.Header("Content-Type", htmlType)
			c.Writer.WriteHeaderNow()
			note(c.Request, "written", strconv.FormatBool(c.Writer.Written()))
			c.Header("X-Late", "1")
			_, _ = c.Writer.WriteString(smallPage)
			note(c.Request, "size", strconv.Itoa(c.Writer.Size()))
		},
		"/redirect":   func(c *gin.Context) { c.Redirect(http.StatusFound, "/template") },
		"/no-content": func(c *gin.Context) { c.Status(http.StatusNoContent) },
		"/created": func(c *gin.Context) {
			c.Status(http.StatusCreated)
			c.Writer.WriteHeaderNow()
			c.Header("X-Late", "1")
		},
		"/nothing": func(c *gin.Context) {},
		"/empty": func(c *gin.Context) {
			c.Data(http.StatusOK, htmlType, nil)
			note(c.Request, "written", strconv.FormatBool(c.Writer.Written()))
		},
		"/panic": func(c *gin.Context) { panic("early") },
		"/panic-late": func(c *gin.Context) {
			c.Data(http.StatusOK, htmlType, []byte(pieces[0]))
			panic("late")
		},
		"/abort": func(c *gin.Context) {
			c.Header("Content-Type", htmlType)
			_, _ = c.Writer.WriteString(pieces[0])
			c.Writer.Flush()
			await(c.Request, markers[0])
			panic(http.ErrAbortHandler)
		},
		"/denied": func(c *gin.Context) {
			c.Abort()
			c.Data(http.StatusUnauthorized, htmlType, []byte(smallPage))
		},
		"/error": func(c *gin.Context) { _ = c.Error(errors.New("teapot")) },
		"/error-late": func(c *gin.Context) {
			page(c)
			_ = c.AbortWithError(http.StatusInternalServerError, errors.New("late"))
			note(c.Request, "status", strconv.Itoa(c.Writer.Status()))
		},
		"/status-then-type": func(c *gin.Context) {
			c.Status(http.StatusNotFound) // as a static file does it
			c.Status(http.StatusOK)
			c.Header("Content-Type", htmlType)
			_, _ = c.Writer.Write([]byte(smallPage))
		},
		"/again": func(c *gin.Context) {
			c.Request.URL.Path = "/template"
			e.HandleContext(c)
		},
		"/sniffed": func(c *gin.Context) { _, _ = c.Writer.WriteString(smallPage) },
		"/sniffed-status": func(c *gin.Context) {
			c.Status(http.StatusOK)
			c.Writer.WriteHeaderNow()
			_, _ = c.Writer.WriteString(largePage)
		},
		"/hints": func(c *gin.Context) {
			c.Header("Link", "</app.js>; rel=preload")
			c.Status(http.StatusEarlyHints)
			c.Header("Content-Type", htmlType)
			_, _ = c.Writer.WriteString(smallPage)
		},
		"/gzipped": func(c *gin.Context) {
			c.Header("Content-Encoding", "gzip")
			c.Data(http.StatusOK, htmlType, compressed(smallPage))
		},
		"/hijack":     func(c *gin.Context) { hijack(c.Writer, c.Request) },
		"/controller": func(c *gin.Context) { note(c.Request, "controls", controls(c.Writer)); page(c) },
		"/own": func(c *gin.Context) {
			p, ok := askgin.PromptFrom(c)
			c.Data(http.StatusOK, htmlType, []byte(ownPage(p, ok)))
		},
	}
}
