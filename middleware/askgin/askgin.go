package askgin

import (
	"net/http"
	"sync"

	"github.com/askonce/askonce/middleware"
	"github.com/gin-gonic/gin"
)

// New returns a Gin middleware that puts the prompt into the pages of users who are
// asked, and serves the endpoints below [middleware.Options].Path. The func user
// returns the app's id of the user who sent the request, or "" for an anonymous visitor.
// It is called at most once for a request, and only if it is needed. If it is nil, the func
// that m was created with is called. New panics if m is nil. The handler is safe for concurrent use.
func New(m *middleware.Middleware, user func(*gin.Context) string) gin.HandlerFunc {
	if m == nil {
		panic("askgin: New: m is nil")
	}
	return func(c *gin.Context) {
		if c.Writer.Written() {
			return // Gin continues the chain
		}
		w := writers.Get().(*writer)
		w.ResponseWriter = c.Writer
		serve(m, c, user, w)
		if !w.used { // handlers may have kept one that was used
			w.ResponseWriter = nil
			writers.Put(w)
		}
	}
}

// PromptFrom returns the prompt of the request for an app that renders it in its own
// template. See [middleware.PromptFrom].
func PromptFrom(c *gin.Context) (middleware.Content, bool) {
	return middleware.PromptFrom(c.Request.Context())
}

var writers = sync.Pool{New: func() any { return new(writer) }}

// serve runs the rest of the chain with w if the request gets a prompt. Otherwise it
// returns, and Gin continues the chain with its own writer.
func serve(m *middleware.Middleware, c *gin.Context, user func(*gin.Context) string, w *writer) {
	outer, reached := c.Writer, false
	defer func() {
		w.finish()
		if c.Writer == gin.ResponseWriter(w) { // not one that Engine.HandleContext or another middleware left
			c.Writer = outer
		}
	}()
	var id func() string
	if user != nil {
		id = func() string { return user(c) }
	}
	_ = m.Serve((*below)(w), c.Request, id, func(inner http.ResponseWriter, r *http.Request) error {
		reached = true
		if r == c.Request { // no prompt
			return nil
		}
		w.use(inner)
		// The request stays after the chain, because handlers may have added to its context.
		c.Writer, c.Request = w, r
		c.Next()
		w.end()
		return nil
	})
	if !reached { // Serve has served an endpoint
		c.Abort()
	}
}
