package askgin

import (
	"context"
	"net/http"
	"sync"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/gin-gonic/gin"
)

type userKey struct{}

// New returns a Gin middleware that puts the prompt into the pages of users who
// are asked, and answers the endpoints below Options.Path. The func user
// returns the app's id of whoever sent the request, "" for an anonymous
// visitor; it is called only for requests that could get a prompt, and for the
// endpoints. A nil d or user panics; a nil opts means defaults; the error is
// that of middleware.New. The handler is safe for concurrent use.
func New(d gate.Decider, user func(*gin.Context) string, opts *middleware.Options) (gin.HandlerFunc, error) {
	if user == nil {
		panic("askgin: New: user is nil")
	}
	m, err := middleware.New(d, func(r *http.Request) string {
		id, _ := r.Context().Value(userKey{}).(string)
		return id
	}, opts)
	if err != nil {
		return nil, err
	}
	return func(c *gin.Context) {
		switch {
		case m.Owns(c.Request):
			c.Status(http.StatusOK) // without a route, Gin has set 404 before the chain
			ctx := context.WithValue(c.Request.Context(), userKey{}, user(c))
			m.Endpoints().ServeHTTP(c.Writer, c.Request.WithContext(ctx))
			c.Abort()
		case m.Eligible(c.Request) && !c.Writer.Written():
			begin(m, c, user(c))
		}
	}, nil
}

// PromptFrom returns the prompt of the request, for a template that renders it
// itself; see middleware.PromptFrom.
func PromptFrom(c *gin.Context) (gate.Prompt, bool) {
	return middleware.PromptFrom(c.Request.Context())
}

// spares are writers of requests that got no prompt. One that a handler has
// seen is never used again: others may have kept it.
var spares = sync.Pool{New: func() any { return new(writer) }}

// begin runs the rest of the chain with a writer that places the prompt, if
// there is one. Otherwise it does nothing: Gin goes on with the chain itself.
func begin(m *middleware.Middleware, c *gin.Context, user string) {
	w := spares.Get().(*writer)
	w.ResponseWriter = c.Writer
	resp := m.Begin((*below)(w), c.Request, user)
	if resp == nil {
		w.ResponseWriter = nil
		spares.Put(w)
		return
	}
	w.core = resp.Writer().(core)
	c.Writer = w
	// The request stays when the chain is done, with what the handlers have put
	// into its context.
	c.Request = resp.Request()
	c.Set(middleware.ContextKey, c.Request.Context().Value(middleware.ContextKey))
	panicked := true
	defer func() {
		w.finish(resp, panicked)
		if c.Writer == gin.ResponseWriter(w) { // or it is Engine.HandleContext's, or another middleware's
			c.Writer = w.ResponseWriter
		}
	}()
	c.Next()
	panicked = false
}
