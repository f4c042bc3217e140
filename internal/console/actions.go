package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
)

// A flash says at the top of a page what the last action did.
type flash struct {
	Text string
	Bad  bool
}

// flashes are the flashes by their code. An action redirects with a code and not with
// a text, so that a forged link can make the console say nothing else.
var flashes = map[string]flash{
	"paused":             {"Asking is paused, on every replica within 10 seconds.", false},
	"resumed":            {"Asking is resumed, on every replica within 10 seconds.", false},
	"requeued":           {"The transcript is queued again.", false},
	"deleted":            {"The dead letter is deleted.", false},
	"reset":              {"What the user saw and answered of this study is forgotten. A browser's cookie that remembers it no longer counts. An opt-out stays.", false},
	"preview-on":         {"This browser previews prompts for an hour, if the app accepts it.", false},
	"preview-off":        {"This browser no longer previews prompts.", false},
	"erased":             {"The user is erased: transcripts and jobs are deleted, and interviews stay, without a user.", false},
	"unconfirmed":        {"Nothing was erased: you typed a different id.", true},
	"transcript-deleted": {"The transcript is deleted. The interview still counts.", false},
	"failed":             {"Nothing was done: the store failed. The log says why.", true},
	"late":               {"The store did not answer in time. It may still do it: look again.", true},
	"busy":               {"Nothing was done: the store is still busy with earlier requests. Try again.", true},
	"lacking":            {"Nothing was done: this store cannot do that.", true},
	"invalid":            {"Nothing was done: the form was not complete.", true},
	"notfound":           {"Nothing was done: it is not there any more.", true},
}

// readFlash returns the flash that the request's URL names, or the zero flash.
func readFlash(r *http.Request) flash {
	q := r.URL.Query()
	if q.Get("did") == "requeued-all" {
		if n, err := strconv.ParseUint(q.Get("n"), 10, 31); err == nil {
			return flash{Text: count(int(n), "given-up transcript") + " queued again."}
		}
	}
	return flashes[q.Get("did")]
}

// done ends an action: it redirects to the page, which then shows the code's flash.
// The page may have a query.
func (c *console) done(w http.ResponseWriter, r *http.Request, page, code string) {
	u, _ := url.Parse(page) // made by the console
	q := u.Query()
	q.Set("did", code)
	u.RawQuery = q.Encode()
	w.Header().Set("Location", u.String()) // relative: http.Redirect would make it absolute
	w.WriteHeader(http.StatusSeeOther)
}

// failed ends an action that the store did not carry out.
func (c *console) failed(w http.ResponseWriter, r *http.Request, page, action string, err error) {
	code, unexpected := "failed", true
	switch {
	case errors.Is(err, store.ErrNotFound):
		code, unexpected = "notfound", false
	case errors.Is(err, store.ErrInvalid):
		code, unexpected = "invalid", false
	case lacks(err):
		code, unexpected = "lacking", false
	case errors.Is(err, errBusy):
		code = "busy"
	case errors.Is(err, context.DeadlineExceeded):
		code = "late"
	}
	if unexpected {
		c.Logger.WarnContext(r.Context(), "askonce: an action of the console failed", "action", action, "err", err, guard.Stack(err))
	}
	c.done(w, r, page, code)
}
