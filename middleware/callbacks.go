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

// first reports whether it is called for the first time with this key.
func (m *Middleware) first(key string) bool {
	_, known := m.logged.LoadOrStore(key, true)
	return !known
}
