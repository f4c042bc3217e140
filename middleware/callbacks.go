package middleware

import (
	"context"

	"github.com/askonce/askonce/internal/guard"
)

// call calls a callback of the app. The first panic of each callback is logged, and
// no other, because every page may call it.
func (m *Middleware) call(ctx context.Context, callback string, f func()) {
	if err := guard.Call(f); err != nil && m.first(callback) {
		m.opts.Logger.ErrorContext(ctx, "askonce: callback panicked", "callback", callback, "err", err, guard.Stack(err))
	}
}

// notRendered logs the first time that the prompt of a study cannot be rendered.
func (m *Middleware) notRendered(ctx context.Context, studyID string, err error) {
	if m.first("prompt of " + studyID) {
		m.opts.Logger.WarnContext(ctx, "askonce: no prompt", "study", studyID, "err", err, guard.Stack(err))
	}
}

// maxUnreached is how many users may be invited before the first request for an
// endpoint. Each of their browsers sends one as soon as the prompt is seen, but some
// leave at once.
const maxUnreached = 10

// noteInjected counts the pages with a prompt until the first request for an endpoint.
// An app that wraps only some of its routes and forgets the endpoints has prompts that
// nobody can see, and nothing else would say so.
func (m *Middleware) noteInjected(ctx context.Context) {
	if !m.reached.Load() && m.unreached.Add(1) == maxUnreached {
		m.opts.Logger.WarnContext(ctx, "askonce: pages with a prompt were sent, and no browser has reached the prompt's endpoints: does the app route them to the middleware?",
			"path", m.opts.Path)
	}
}

func (m *Middleware) first(fault string) bool {
	_, known := m.faults.LoadOrStore(fault, true)
	return !known
}
