package gate

import (
	"net/url"
	"strings"

	"github.com/askonce/askonce/store"
)

// Visitor is whoever requests a page.
type Visitor struct {
	UserID    string   // the app's own id; "" is anonymous and never asked
	Languages []string // BCP 47 tags, most wanted first
	History   History  // what this visitor has seen of prompts so far

	// StudyID limits the decision of several gates to the one with this study;
	// the click endpoint sets it to the study whose prompt was clicked.
	StudyID string
}

// Decision is a gate's answer for one visitor.
type Decision struct {
	Reason Reason
	Prompt Prompt // set only when Ask is true
	Err    error  // what stood behind Unavailable; for logs, never for clients
}

// Ask reports whether to invite the visitor, which is when the reason is
// [ReasonEligible].
func (d Decision) Ask() bool { return d.Reason == ReasonEligible }

// Prompt is what there is to say to a visitor who is asked. It is a value:
// copies are independent.
type Prompt struct {
	StudyID       string
	StudyName     string
	InterviewLink string // the study's public link, without a reference
	Language      string // the study's language that suits the visitor best, "" when none does
	UserID        string
	References    References // how UserID is written into the link; nil means plain

	// URL is what the prompt's link should point to. The middleware sets it to
	// its own start endpoint, or to Link's answer when links are direct.
	URL string
}

// Key is the user and the study that the prompt is for.
func (p Prompt) Key() store.Key { return store.Key{StudyID: p.StudyID, UserID: p.UserID} }

// Link returns the interview's link with the visitor's reference in it. It
// holds who the visitor is: never log it.
func (p Prompt) Link() (string, error) {
	refs := p.References
	if refs == nil {
		refs = plainReferences{}
	}
	ref, err := refs.Reference(p.Key())
	if err != nil {
		return "", err
	}
	link, fragment, hasFragment := strings.Cut(p.InterviewLink, "#")
	sep := "?"
	if strings.Contains(link, "?") {
		sep = "&"
	}
	link += sep + "reference_id=" + url.QueryEscape(ref)
	if hasFragment {
		link += "#" + fragment
	}
	return link, nil
}

// Reason says why a decision came out as it did. The zero value is
// Unavailable: any doubt means no prompt.
type Reason uint8

// The reasons, in no particular order; their number is bounded, so that they
// can label a metric.
const (
	ReasonUnavailable Reason = iota // provider, store or deadline: nobody knows, so nobody is asked
	ReasonAnonymous                 // no user id
	ReasonExcluded                  // the app's Target said no, or no common language
	ReasonHeldOut                   // in the holdout, or beyond what pacing invites
	ReasonDeclined                  // "No thanks", for this study or for all
	ReasonSnoozed                   // "Later", and later is not yet
	ReasonOpened                    // the interview was opened a short while ago
	ReasonShownEnough               // shown as often as allowed
	ReasonCoolingDown               // shown too recently
	ReasonFull                      // the study takes no more responses now
	ReasonClosed                    // the study is paused, deleted or in another project
	ReasonCompleted                 // interviewed already
	ReasonEligible                  // ask
)

var reasonNames = [...]string{
	ReasonUnavailable: "unavailable", ReasonAnonymous: "anonymous", ReasonExcluded: "excluded", ReasonHeldOut: "held_out",
	ReasonDeclined: "declined", ReasonSnoozed: "snoozed", ReasonOpened: "opened", ReasonShownEnough: "shown_enough",
	ReasonCoolingDown: "cooling_down", ReasonFull: "full", ReasonClosed: "closed", ReasonCompleted: "completed", ReasonEligible: "eligible",
}

// String returns the reason in snake case, as it stands in metrics and logs.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}
