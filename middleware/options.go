package middleware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/store"
)

// Options configure a Middleware. The zero value of each field means its default.
type Options struct {
	// Path is the URL prefix of the middleware's own endpoints. It must begin and
	// end with a slash. Defaults to "/askonce/".
	Path string

	// Origin is the app's own origin as browsers see it, such as
	// "https://app.example.com". With it the prompt's URLs are absolute, which
	// pages with a <base href> to somewhere else need; cookies are Secure by its
	// scheme; and it is trusted as the origin of "Later" and "No thanks", which
	// old browsers need if a proxy changes the Host. Defaults to none: URLs are
	// absolute paths, and cookies are Secure if the request came over TLS or with
	// X-Forwarded-Proto: https.
	Origin string

	// Position is where the prompt appears in a page that has no element with a
	// data-askonce-here attribute. Defaults to PositionBottomEnd.
	Position Position

	// Delay is the time from the arrival of a page to the appearance of its
	// prompt. Without JavaScript the prompt appears at once. Defaults to 0.
	Delay time.Duration

	// Sender is who the invitation comes from. Defaults to nobody: the prompt
	// says "Voice interview" instead.
	Sender Sender

	// Language returns the language of the app's interface for a request, as a
	// BCP 47 tag, or "" if it has none. The prompt is in this language, else in that
	// of the page's lang attribute (<html lang="de">), else in one that the browser
	// accepts, whichever the study supports first. It must be safe for concurrent
	// use. Defaults to none.
	Language func(r *http.Request) string

	// Texts replaces words. It is called with the study's id, the language of the
	// visitor (a BCP 47 tag) and the built-in words that suit it best, of which
	// there are en, es, de, fr, it, pt and nb. It returns the words to use, with
	// their Language. They are kept for each study and language. It must be safe
	// for concurrent use. Defaults to the built-in words.
	Texts func(studyID, language string, builtIn Texts) Texts

	// Template renders the content of the prompt, in place of the title, the
	// facts and the buttons. It is executed with a Content, and the page's own
	// style sheets apply to it. It must close what it opens, link to StartURL, and
	// do without scripts, styles, comments and inline handlers; New tries it.
	// Defaults to the built-in content.
	Template *template.Template

	// Nonce returns the nonce of the page's Content Security Policy, for pages
	// whose policy the middleware cannot see because a meta element or a proxy
	// sets it. A nonce in the response's own header needs no option. Nonce is called
	// when the header of a page with a prompt leaves. Defaults to none.
	Nonce func(r *http.Request) string

	// CookieKeys seal the cookies that hold what a visitor has seen: pairs of a
	// hash key (32 or 64 random bytes) and a block key (16, 24 or 32). The first
	// pair seals and all of them open; to rotate, put a new pair in front and
	// drop the last one when its cookies may be forgotten. All replicas need the
	// same. Defaults to random keys of this process and a warning in the log: no
	// other process can read its cookies, so anonymous visitors, and all users if
	// Interactions is nil, are asked as if they had never seen the prompt.
	CookieKeys Keys

	// Snooze is how long "Later" silences the study. Defaults to 7 days. Negative
	// means not at all.
	Snooze time.Duration

	// Anonymous also asks visitors without a user id. Each browser gets a random
	// id in a sealed cookie with its first page, so do not serve pages through the
	// middleware that a shared cache may keep. The app's own ids must not begin with
	// "anonymous-", as these do. What the visitor has
	// seen, answered and completed holds in this browser after signing in too, until
	// another user of it sees or answers a prompt. In another browser the user is asked
	// again, because nothing links it to this one. Defaults to false.
	Anonymous bool

	// Interactions records what users see and answer, so that it follows them from
	// browser to browser: a store with [store.Interactions]. What cannot be recorded is
	// answered with status 503. Defaults to none: then only the browser's sealed cookie
	// remembers.
	Interactions Interactions

	// OnInteraction is called after a user has seen, opened or answered a prompt, and
	// by [Middleware.Recorded] after an interview was completed, for metrics. The event's
	// user id is "" for an anonymous visitor. It must be quick and safe for concurrent
	// use. Defaults to none.
	OnInteraction func(ctx context.Context, e Event)

	// Preview reports whether a request is from staff who want to look at the prompt:
	// it appears whatever they have seen or answered, and whatever the holdout and
	// pacing say. What they see and answer is not recorded. An interview that they open
	// is recorded without a user, and takes a place of the study. Preview is called for the
	// prompt's own endpoints too, so it must go by the session or a cookie: a parameter
	// of the page's URL is not there. It must be safe for concurrent use. Defaults to
	// nobody.
	Preview func(r *http.Request) bool

	// OnPrompt is called after each response to a user whom the gate of a study
	// decided to ask, with that study's id and the outcome of the prompt. It must be
	// quick and safe for concurrent use. Defaults to none.
	OnPrompt func(r *http.Request, studyID string, o Outcome)

	// Logger receives faults and their recovery. Defaults to slog.Default().
	Logger *slog.Logger
}

// Interactions records what users see and answer. Every [store.Interactions] is one.
type Interactions interface {
	Note(ctx context.Context, i store.Interaction) error
}

func (o Options) withDefaults() Options {
	o.Path = cmp.Or(o.Path, "/askonce/")
	o.Snooze = cmp.Or(o.Snooze, 7*24*time.Hour)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if len(o.CookieKeys) == 0 {
		o.CookieKeys = Keys{securecookie.GenerateRandomKey(64), securecookie.GenerateRandomKey(32)}
	}
	return o
}

func (o Options) check() error {
	errs := []error{checkPath(o.Path), checkOrigin(o.Origin), checkKeys(o.CookieKeys)}
	if int(o.Position) >= len(positionNames) {
		errs = append(errs, fmt.Errorf("middleware: Position is %d: use one of the Position constants", o.Position))
	}
	if o.Delay < 0 {
		errs = append(errs, fmt.Errorf("middleware: Delay is %v: it must not be negative", o.Delay))
	}
	if l := o.Sender.Logo; l != "" && (l[0] != '/' || strings.HasPrefix(l, "//") || strings.Contains(l, `\`)) {
		errs = append(errs, fmt.Errorf("middleware: Sender.Logo is %q: want a path on the app's own host, such as /logo.svg", l))
	}
	return errors.Join(errs...)
}

func checkPath(p string) error {
	if len(p) < 2 || p[0] != '/' || p[len(p)-1] != '/' || strings.ContainsAny(p, "?#%\\ \"'<>&{}") || strings.Contains(p, "//") {
		return errors.New("middleware: Path must be a plain path that begins and ends with a slash, and not the root")
	}
	for _, r := range p {
		if r <= ' ' || r > '~' {
			return errors.New("middleware: Path must be ASCII")
		}
	}
	return nil
}

func checkOrigin(origin string) error {
	if origin == "" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.ContainsAny(origin, "\"'<>& ") {
		return fmt.Errorf("middleware: Origin is %q: want scheme and host alone, such as https://app.example.com", origin)
	}
	return nil
}
