package webhook

import "sync/atomic"

// condition is something that is well or not. What is logged is its changes,
// not each sign of it.
type condition struct{ bad atomic.Bool }

// turns notes how it is now and reports whether that is news.
func (c *condition) turns(bad bool) bool {
	return c.bad.Load() != bad && c.bad.Swap(bad) != bad
}
