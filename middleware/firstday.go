package middleware

import (
	"context"
	"sync/atomic"
)

// firstDay finds two mistakes in how an app mounts the middleware, which nothing else
// would show: pages are served, without a prompt that anybody sees. It counts pages
// until the first one that proves the app right.
type firstDay struct {
	named   atomic.Bool // a page had a user
	nobody  atomic.Int32
	reached atomic.Bool // an endpoint was requested
	unseen  atomic.Int32
}

const (
	// maxNobody is how many pages may be for nobody before the first user. Most of
	// them may be those on which users sign in.
	maxNobody = 100

	// maxUnseen is how many users may be invited before the first request for an
	// endpoint. Each of their browsers sends one as soon as the prompt is seen, but
	// some leave at once.
	maxUnseen = 10
)

// noteUser counts the pages of nobody until the first one that has a user. A
// middleware outside the session does not know anybody.
func (m *Middleware) noteUser(ctx context.Context, known bool) {
	switch {
	case m.firstDay.named.Load():
	case known:
		m.firstDay.named.Store(true)
	case m.firstDay.nobody.Add(1) == maxNobody:
		m.opts.Logger.InfoContext(ctx, "askonce: no page has had a user yet; check that the middleware is inside the session", "pages", maxNobody)
	}
}

// noteInjected counts the pages with a prompt until the first request for an endpoint.
// An app that wraps only some of its routes may have forgotten the endpoints, and with
// them the prompt's style and script.
func (m *Middleware) noteInjected(ctx context.Context) {
	if !m.firstDay.reached.Load() && m.firstDay.unseen.Add(1) == maxUnseen {
		m.opts.Logger.WarnContext(ctx, "askonce: prompts were sent, and no browser has requested their endpoints; check that Options.Path is routed to the middleware",
			"path", m.opts.Path)
	}
}

func (m *Middleware) noteReached() {
	if !m.firstDay.reached.Load() {
		m.firstDay.reached.Store(true)
	}
}
