package gate

// A Visitor is the user or browser that requests a page.
type Visitor struct {
	// UserID is the app's id of the user, or "" for an anonymous visitor, who is
	// never invited. An id that [store.CheckID] refuses makes every decision
	// unavailable.
	UserID string

	// AnonymousID is the id that this browser had before its user signed in, or "". A
	// study that was opened in this browser and completed under that id counts as
	// completed for the user in this browser. Nothing is recorded about the user, because
	// somebody else may have used the browser.
	AnonymousID string

	// Languages are BCP 47 tags, the preferred one first.
	Languages []string

	// History is what this browser knows of earlier prompts. The gate merges it
	// with what the store knows of the user.
	History History

	// StudyID, if it is not empty, limits the decision to one study. It is the study's
	// id, or the name that [New] was given, so that links need no id.
	StudyID string

	// Path is the path of the requested page, for [Options.Target]. In a single-page app
	// it is the path of the page that requests the decision, or "" if the page's
	// Referrer-Policy hides it.
	Path string

	// Preview shows the prompt to staff: the visitor's history, the holdout and pacing
	// are ignored, and nothing is counted. The prompt's link has no reference.
	Preview bool

	// Occasion is what the decision is made for. [Gate.Confirm] sets it.
	Occasion Occasion
}

// An Occasion is what a decision is made for.
type Occasion uint8

// The occasions.
const (
	OccasionPage  Occasion = iota // a page that shows the prompt if the visitor is invited
	OccasionPeek                  // a dry run: no prompt is shown
	OccasionClick                 // a click on the prompt
)

var occasionNames = [...]string{OccasionPage: "page", OccasionPeek: "peek", OccasionClick: "click"}

// String returns the occasion in snake case, for metrics and logs.
func (o Occasion) String() string {
	if int(o) < len(occasionNames) {
		return occasionNames[o]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (o Occasion) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// A Decision says whether to invite a visitor.
type Decision struct {
	// StudyID is the id of the study that the decision is about. Until the provider has
	// answered, it is the id or name that [New] was given. It is empty only in the
	// decisions of a [Group] without gates.
	StudyID string

	Reason Reason
	Prompt Prompt // set only if Ask reports true
	Err    error  // the cause of ReasonUnavailable; for logs, never for clients
}

// Ask reports whether to invite the visitor, which is when the reason is
// [ReasonEligible].
func (d Decision) Ask() bool { return d.Reason == ReasonEligible }

// A Reason is why a visitor is or is not invited. The zero value is
// [ReasonUnavailable]: any doubt means no prompt.
type Reason uint8

// The reasons, in no particular order. There are few of them, so they can label a metric.
const (
	ReasonUnavailable Reason = iota // the provider, the store or the app's code failed, or time ran out
	ReasonAnonymous                 // there is no user id
	ReasonExcluded                  // Target refused, or another study was requested
	ReasonLanguage                  // RequireLanguage is set, and the study supports none of the visitor's languages
	ReasonHeldOut                   // the user is in the holdout, which is never invited
	ReasonPaced                     // ExpectedUptake is set, and enough other users are invited at the moment
	ReasonDeclined                  // the user declined this study or opted out of all
	ReasonSnoozed                   // the user answered "later", and it is not later yet
	ReasonOpened                    // the user opened the interview a short while ago
	ReasonShownEnough               // the prompt was shown as often as allowed
	ReasonCoolingDown               // a prompt was shown, or an interview opened, too recently
	ReasonFull                      // the study takes no more responses now
	ReasonClosed                    // the study is not active: paused at the provider, deleted or in another project
	ReasonCompleted                 // the user has completed the study
	ReasonEligible                  // invite the user
	ReasonPaused                    // an operator has paused asking
)

var reasonNames = [...]string{
	ReasonUnavailable: "unavailable", ReasonAnonymous: "anonymous", ReasonExcluded: "excluded", ReasonLanguage: "language",
	ReasonHeldOut: "held_out", ReasonPaced: "paced",
	ReasonDeclined: "declined", ReasonSnoozed: "snoozed", ReasonOpened: "opened", ReasonShownEnough: "shown_enough",
	ReasonCoolingDown: "cooling_down", ReasonFull: "full", ReasonClosed: "closed", ReasonCompleted: "completed",
	ReasonEligible: "eligible", ReasonPaused: "paused",
}

// String returns the reason in snake case, for metrics and logs.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
