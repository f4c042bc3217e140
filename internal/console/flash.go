package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
)

// A flash says in a page what the last action did. An action redirects to the page
// with one of these codes, so that a forged link can show none but these texts.
type flash struct {
	Text string
	Bad  bool
}

var flashes = map[string]flash{
	"paused":             {"Asking is paused, on every replica within 10 seconds.", false},
	"resumed":            {"Asking goes on, on every replica within 10 seconds.", false},
	"requeued":           {"The transcript is fetched again.", false},
	"deleted":            {"The dead letter is deleted.", false},
	"reset":              {"What the user saw and answered of this study is forgotten. What a browser's cookie remembers of it no longer counts. An opt-out stays.", false},
	"preview-on":         {"This browser previews prompts for an hour, if the app accepts it.", false},
	"preview-off":        {"This browser previews prompts no more.", false},
	"erased":             {"The user is erased: transcripts and jobs are deleted, and interviews stay without a user.", false},
	"unconfirmed":        {"Nothing was erased: the id that was typed is another one.", true},
	"transcript-deleted": {"The transcript is deleted. The interview still counts.", false},
	"failed":             {"Nothing was done: the store failed. The log says why.", true},
	"late":               {"The store has not answered in time. It may still be done: look again.", true},
	"busy":               {"Nothing was done: the store still works on what was asked before. Try again.", true},
	"lacking":            {"Nothing was done: this store cannot do that.", true},
	"invalid":            {"Nothing was done: the form was not complete.", true},
	"notfound":           {"Nothing was done: it is not there any more.", true},
}

// flashCounts are the flashes that begin with a number of the named things.
var flashCounts = map[string]struct{ what, did string }{
	"requeued-all": {"given-up transcript", "fetched again."},
}

func readFlash(r *http.Request) flash {
	q := r.URL.Query()
	code := q.Get("did")
	if f, ok := flashCounts[code]; ok {
		if n, err := strconv.ParseUint(q.Get("n"), 10, 31); err == nil {
			return flash{Text: count(int(n), f.what) + " " + f.did}
		}
	}
	return flashes[code]
}

// done ends an action: it leads the browser back to the page, a path with a query
// or without, which then shows the flash of the code.
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
	code := "failed"
	switch {
	case errors.Is(err, store.ErrNotFound):
		code = "notfound"
	case errors.Is(err, store.ErrInvalid):
		code = "invalid"
	case errors.Is(err, errLacks), errors.Is(err, errors.ErrUnsupported):
		code = "lacking"
	default:
		switch {
		case errors.Is(err, errBusy):
			code = "busy"
		case isLate(err):
			code = "late"
		}
		c.Logger.WarnContext(r.Context(), "askonce: an action of the console failed", "action", action, "err", err, guard.Stack(err))
	}
	c.done(w, r, page, code)
}
