package console

import (
	"errors"
	"html"
	"html/template"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// An advice tells the operator what is wrong. Says and Do are sentences of
// OPERATIONS.md, word for word.
type advice struct {
	Title string
	Says  string
	Do    string
	Page  string // the page of the console that shows more, or ""
	Mild  bool   // it may be intended
}

// What can be wrong with the webhook's work.
var (
	adviceStore     = advice{Title: "The store does not answer", Says: "The store failed; no transcript is fetched meanwhile"}
	adviceKey       = advice{Title: "The provider refuses the API key", Says: "nobody is invited and no transcript is fetched", Do: "Check the key and its project"}
	adviceSecret    = advice{Title: "Every delivery fails its signature", Says: "Compare the secret with the registered webhook's", Page: "deliveries"}
	adviceRefs      = advice{Title: "References cannot be read", Says: "Reference keys differ between replicas, or `Config.References` was changed after users were invited.", Do: "Give every replica the same keys, the old ones too", Page: "deliveries"}
	adviceNoWebhook = advice{Title: "No webhook is registered", Says: "Completions come with reconciliation, every 10 minutes.", Do: "`go run ./cmd/askonce setup -url …`"}
	adviceOther     = advice{Title: "The provider delivers to another URL", Says: "`go run ./cmd/askonce setup` shows it, and `setup -url … -replace` takes it back"}
	adviceDead      = advice{Title: "Transcripts were given up", Says: "Not available within 24 hours, larger than 16 MB, or `OnCompleted` failed for 24 hours. The completion counts.", Page: "queue"}
	adviceQueue     = advice{Title: "The queue is behind", Says: "above 6 hours: fetching stops at 24", Page: "queue"}
	adviceReconcile = advice{Title: "Reconciliation is behind", Says: "above 1 hour: lost deliveries stay unknown"}
	adviceRun       = advice{Title: "This process has not reconciled yet", Says: "Run `Kit.Run` in a goroutine. Without it no transcript is fetched, and a completion whose delivery is lost stays unknown.", Mild: true}
	adviceClosed    = advice{Title: "This process is about to stop", Says: "later deliveries are answered with 503, and reconciliation finds them.", Mild: true}
)

// Why a study cannot ask.
var (
	adviceNoStudy   = advice{Title: "No active study has this id or name", Says: "Paused, deleted, misspelled, or in another project."}
	adviceAmbiguous = advice{Title: "Several studies have this name; configure the study's id", Says: "Nobody is invited once the last answer is too old"}
	adviceStudyKey  = advice{Title: "The provider refuses the API key", Says: "The last answer serves for `Stale`, but clicks are not confirmed. Check the key and its project"}
	adviceLink      = advice{Title: "The interview's link is refused", Says: "The study's link is not https, or leads to a host that is not in `gate.Options.LinkHosts`"}
	adviceProvider  = advice{Title: "The provider does not answer", Says: "The last answer serves for `Stale` (15 minutes), then nobody is invited. If it lasts, check egress, DNS and the provider's status"}
)

const (
	queueBehind     = 6 * time.Hour
	reconcileBehind = time.Hour
	firstReconcile  = 10 * time.Minute // after the start
)

// adviceOn returns what is wrong with the webhook's work, given the error of
// [webhook.Handler.Health] and for how long the process has been up.
func adviceOn(now webhook.Health, err error, up time.Duration) (all []advice) {
	for _, a := range []struct {
		applies bool
		advice
	}{
		{err != nil, adviceStore},
		{now.KeyRefused, adviceKey},
		{now.WrongSecret, adviceSecret},
		{now.UnreadableReferences, adviceRefs},
		{now.NoWebhook, adviceNoWebhook},
		{now.OtherWebhook, adviceOther},
		{now.Dead > 0, adviceDead},
		{!now.OldestPending.IsZero() && time.Since(now.OldestPending) > queueBehind, adviceQueue},
		{!now.LastReconcile.IsZero() && time.Since(now.LastReconcile) > reconcileBehind, adviceReconcile},
		{err == nil && now.LastReconcile.IsZero() && up > firstReconcile, adviceRun},
		{now.Closed, adviceClosed},
	} {
		if a.applies {
			all = append(all, a.advice)
		}
	}
	return all
}

// asking returns whether a study can ask, and the advice if something is wrong.
func asking(s gate.Status) (badge, *advice) {
	why := &adviceProvider
	switch {
	case s.Reason == gate.ReasonClosed:
		return badge{"bad", "Not active"}, &adviceNoStudy
	case s.Reason == gate.ReasonFull:
		return badge{"warn", "Full"}, nil
	case s.Err == nil && s.Reason == gate.ReasonEligible:
		return badge{"good", "Asking"}, nil
	case s.Err == nil:
		return badge{"", "Not known yet"}, nil
	case errors.Is(s.Err, userjourneys.ErrUnauthorized):
		why = &adviceStudyKey
	case errors.Is(s.Err, userjourneys.ErrAmbiguous):
		why = &adviceAmbiguous
	case s.Cached && s.Reason == gate.ReasonUnavailable:
		why = &adviceLink
	}
	if s.Reason == gate.ReasonEligible {
		return badge{"warn", "Asking"}, why
	}
	return badge{"bad", "Not asking"}, why
}

// prose returns a sentence of OPERATIONS.md as HTML, with its backticks as code.
func prose(s string) template.HTML {
	var b strings.Builder
	for i, text := range strings.Split(html.EscapeString(s), "`") {
		if i%2 == 1 {
			text = "<code>" + text + "</code>"
		}
		b.WriteString(text)
	}
	return template.HTML(b.String())
}
