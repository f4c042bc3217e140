package askgin

import (
	"net/http"
	"sync"

	"github.com/askonce/askonce/middleware"
	"github.com/gin-gonic/gin"
)

// New returns a Gin middleware that puts the prompt into the pages of users who are
// asked, and serves the endpoints below [middleware.Options].Path. The func user
// returns the app's id of whoever sent the request, or "" for an anonymous visitor; it
// is called at most once for a request, and only if it is needed. A nil user means the
// func that m was made with. A nil m panics. The handler is safe for concurrent use.
func New(m *middleware.Middleware, user func(*gin.Context) string) gin.HandlerFunc {
	if m == nil {
		panic("askgin: New: m is nil")
	}
	return func(c *gin.Context) {
		if c.Writer.Written() {
			return // Gin goes on with the chain
		}
		w := writers.Get().(*writer)
		w.ResponseWriter = c.Writer
		serve(m, c, user, w)
		if !w.used { // a writer that a handler has seen is never used again: others may have kept it
			w.ResponseWriter = nil
			writers.Put(w)
		}
	}
}

// PromptFrom returns the prompt of the request for a template that renders it itself;
// see [middleware.PromptFrom].
func PromptFrom(c *gin.Context) (middleware.Content, bool) {
	return middleware.PromptFrom(c.Request.Context())
}

var writers = sync.Pool{New: func() any { return new(writer) }}

// serve runs the rest of the chain with a writer that places the prompt, if there is
// one. Otherwise it leaves that to Gin, with Gin's own writer.
func serve(m *middleware.Middleware, c *gin.Context, user func(*gin.Context) string, w *writer) {
	outer, reached := c.Writer, false
	defer func() {
		w.finish()
		if c.Writer == gin.ResponseWriter(w) { // or it is that of Engine.HandleContext, or of another middleware
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
		// The request stays when the chain is done, with what the handlers have put into
		// its context.
		c.Writer, c.Request = w, r
		c.Next()
		w.end()
		return nil
	})
	if !reached { // an endpoint of ours
		c.Abort()
	}
}
