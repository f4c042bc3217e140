package webhook

import "github.com/askonce/askonce/internal/guard"

// Every call of the app's code, that is of its callbacks, its store and its
// Client, is made under call or catch. So a panic costs only the interview that
// caused it.

// call calls f. It returns the error of f, or its panic.
func (h *Handler) call(place, interviewID string, f func() error) (err error) {
	defer h.catch(place, interviewID, &err)
	return f()
}

// catch, deferred, turns a panic into an error. It logs the first panic at a place
// for an interview.
func (h *Handler) catch(place, interviewID string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	panicked := guard.Recovered(p)
	*err = panicked
	if h.failures.add(place + " " + interviewID) {
		h.log.Error("askonce: the app's code panicked", "place", place, "interview", interviewID, "err", panicked, "stack", panicked.Stack)
	}
}
