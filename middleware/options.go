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
	"regexp"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// Options configure a [Middleware]. The zero value of each field means its default.
type Options struct {
	// Path is the URL prefix of the middleware's own endpoints. It must begin and
	// end with a slash. Defaults to "/askonce/".
	Path string

	// Origin is the app's own origin as browsers see it, such as
	// "https://app.example.com". It makes the prompt's URLs absolute, which is needed on
	// pages whose <base href> leads elsewhere. Its scheme decides whether cookies are
	// Secure. Answers from it are accepted, which old browsers need if a proxy changes
	// the Host. Defaults to none: URLs are absolute paths, and cookies are Secure if the
	// request came over TLS or with X-Forwarded-Proto: https.
	Origin string

	// Position is where the prompt appears in a page that has no element with a
	// data-askonce-here attribute. Defaults to [PositionBottomEnd].
	Position Position

	// Delay is the time from the arrival of a page to the appearance of its
	// prompt. Without JavaScript the prompt appears at once. Defaults to 0.
	Delay time.Duration

	// Sender is who the invitation comes from. Defaults to nobody: the prompt
	// says only that it invites to a voice interview.
	Sender Sender

	// Language returns the language of the app's interface for a request, as a BCP 47
	// tag, or "" if it has none. The prompt is in the first of these languages that the
	// study supports: this one, that of the page's lang attribute (<html lang="de">), and
	// those that the browser accepts. Language must be safe for concurrent use. Defaults
	// to none.
	Language func(r *http.Request) string

	// Texts replaces words. It is called with the study's id, the language of the
	// visitor (a BCP 47 tag) and the built-in words that suit it best, which are in en,
	// es, de, fr, it, pt or nb. It returns the words to use, with their Language. They
	// are kept for each study and language. Texts must be safe for concurrent use.
	// Defaults to the built-in words.
	Texts func(studyID, language string, builtIn Texts) Texts

	// Template renders the content of the prompt in place of the title, the facts and
	// the buttons. It is executed with a [Content], and the page's own style sheets apply
	// to it. It must close what it opens and link to StartURL, without scripts, styles,
	// comments and inline handlers; [New] tries it. Defaults to the built-in content.
	Template *template.Template

	// Nonce returns the nonce of the page's Content Security Policy, for pages whose
	// policy the middleware cannot see because a meta element or a proxy sets it. A
	// nonce in the response's own header needs no option. Nonce is called when the header
	// of a page with a prompt is about to be sent. Defaults to none.
	Nonce func(r *http.Request) string

	// CookieKeys seal the cookies that hold what a visitor has seen: pairs of a hash key
	// (32 or 64 random bytes) and a block key (16, 24 or 32). The first pair seals and all
	// of them open. To rotate, put a new pair in front, and drop the last one once its
	// cookies may be forgotten. All replicas need the same keys. Defaults to random keys
	// of this process and a warning in the log: no other process can read its cookies, so
	// anonymous visitors, and all users if Interactions is nil, are asked as if they had
	// never seen the prompt.
	CookieKeys Keys

	// Snooze is how long "Later" silences the study. Defaults to 7 days. If it is
	// negative, "Later" silences nothing.
	Snooze time.Duration

	// Anonymous also asks visitors without a user id. Each browser gets a random id in a
	// sealed cookie with its first page, so do not serve pages through the middleware
	// that a shared cache may keep. The ids begin with "anonymous-", so the app's own must
	// not. After signing in, a user inherits what the anonymous visitor of this browser
	// saw, answered and completed, until another user of the browser sees or answers a
	// prompt. In another browser the user is asked again, because nothing links it to
	// this one. Defaults to false.
	Anonymous bool

	// Interactions records what users see and answer, so that it follows them from
	// browser to browser: a store with [store.Interactions]. If it fails, the answer is
	// refused with status 503. Defaults to none: then only the browser's sealed cookie
	// remembers.
	Interactions Interactions

	// Preview reports whether a request is from staff who want to look at the prompt. It
	// appears whatever they have seen or answered, and whatever the holdout and pacing
	// say. What they see and answer is not recorded. An interview that they open is
	// recorded without a user, and takes a place of the study. Preview is called for the
	// prompt's own endpoints too, so it must decide by the session or a cookie and not by
	// the page's URL. It must be safe for concurrent use. Defaults to nobody.
	Preview func(r *http.Request) bool

	// OnPrompt is called after each response to a user whom the decider wanted to ask,
	// with the study's id and the outcome of the prompt, for metrics. It must be quick and
	// safe for concurrent use. Defaults to none.
	OnPrompt func(r *http.Request, studyID string, o Outcome)

	// OnInteraction is called after a user has seen, opened or answered a prompt, and by
	// [Middleware.Recorded] after an interview was completed, for metrics. The event's
	// user id is "" for an anonymous visitor. OnInteraction must be quick and safe for
	// concurrent use. Defaults to none.
	OnInteraction func(ctx context.Context, e Event)

	// Logger receives faults and their recovery. Defaults to [slog.Default].
	Logger *slog.Logger
}

// Interactions records what users see and answer. Every [store.Interactions] implements
// it.
type Interactions interface {
	Note(ctx context.Context, i store.Interaction) error
}

func (o Options) withDefaults() Options {
	o.Path = cmp.Or(o.Path, "/askonce/")
	o.Snooze = cmp.Or(o.Snooze, 7*24*time.Hour)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

func (o Options) check() error {
	errs := []error{checkOrigin(o.Origin), checkKeys(o.CookieKeys)}
	if !plainPath.MatchString(o.Path) {
		errs = append(errs, errors.New("middleware: Path must be a plain ASCII path that begins and ends with a slash, and not the root"))
	}
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

// plainPath matches paths of ASCII characters that mean the same in URLs, patterns and HTML.
var plainPath = regexp.MustCompile(`^(/[^/?#%\\"'<>&{}\x00-\x20\x7f-\x{10FFFF}]+)+/$`)

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
