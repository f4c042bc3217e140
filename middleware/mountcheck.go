package middleware

import (
	"context"
	"sync/atomic"
)

// mountCheck finds two mistakes in how an app mounts the middleware, which nothing else
// would show: pages are served, without a prompt that anybody sees. It stops counting at
// the first page with a user, and at the first request for an endpoint.
type mountCheck struct {
	named   atomic.Bool // a page had a user
	nobody  atomic.Int32
	reached atomic.Bool // an endpoint was requested
	unseen  atomic.Int32
}

const (
	// maxNobody is how many pages without a user are served before it is logged. Most
	// of them may be those on which users sign in.
	maxNobody = 100

	// maxUnseen is how many pages with a prompt are sent, without any request for an
	// endpoint, before it is logged. A browser loads the prompt's style and script with
	// the page, unless the user leaves at once.
	maxUnseen = 10
)

// noteUser counts the pages without a user until the first one that has one. Outside
// the session, the user func always returns "".
func (m *Middleware) noteUser(ctx context.Context, known bool) {
	switch {
	case m.mountCheck.named.Load():
	case known:
		m.mountCheck.named.Store(true)
	case m.mountCheck.nobody.Add(1) == maxNobody:
		m.opts.Logger.InfoContext(ctx, "askonce: no page has had a user yet; check that the middleware is inside the session", "pages", maxNobody)
	}
}

// noteInjected counts the pages with a prompt until the first request for an endpoint.
// An app that wraps only some of its routes may have forgotten the endpoints, and with
// them the prompt's style and script.
func (m *Middleware) noteInjected(ctx context.Context) {
	if !m.mountCheck.reached.Load() && m.mountCheck.unseen.Add(1) == maxUnseen {
		m.opts.Logger.WarnContext(ctx, "askonce: prompts were sent, and no browser has requested their endpoints; check that Options.Path is routed to the middleware",
			"path", m.opts.Path)
	}
}

func (m *Middleware) noteReached() {
	if !m.mountCheck.reached.Load() {
		m.mountCheck.reached.Store(true)
	}
}
