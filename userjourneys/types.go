package userjourneys

import (
	"encoding/json"
	"fmt"
	"time"
)

// Study is one interview study of the project that the API key belongs to.
//
// Only active studies are listed by the provider: a study that is missing is
// paused, deleted, or belongs to another project.
type Study struct {
	ID            string
	Name          string
	Status        string
	InterviewLink string // public link of the interview, without a reference id

	// AcceptingResponses is true only while the study's weekly and monthly
	// limits and the project's monthly limit are all free. The project's limit
	// is not part of the response, so Limits cannot replace this flag.
	AcceptingResponses bool

	SupportedLanguages []string // BCP 47 tags
	Limits             Limits
	CreatedAt          time.Time

	// These are part of one study's answer alone, not of the list's: FindStudy
	// fills them in when it is given an id.
	ResearchGoal   string
	ProductName    string
	Questions      []string
	InterviewCount int
}

// Limits are the response limits of a study. A nil limit means there is none.
// Weekly limits reset on Monday 00:00 UTC.
type Limits struct {
	Weekly, Monthly *Limit
}

// Limit is how many interviews a period allows and how many it has had.
type Limit struct {
	Limit, Used int
}

// Interview is one respondent's interview. One user may have several of one
// study.
type Interview struct {
	ID              string
	StudyID         string
	Status          string // StatusStarted, StatusProcessing, StatusCompleted; expect others
	ReferenceID     string // as in the interview link; "" if there was none or it is unreadable
	RespondentEmail string // "" when the provider knows none
	Language        string // BCP 47 tag
	QualityScore    string // QualityInsightful, …; "" until the provider has scored it
	Duration        time.Duration
	Headline        string
	Summary         string
	StartedAt       time.Time
	CompletedAt     time.Time
	CreatedAt       time.Time

	// Transcript and Answers are filled in by Client.Interview alone. Their
	// inner shape is undocumented, so they stay the raw JSON they came in.
	Transcript json.RawMessage
	Answers    json.RawMessage

	// Raw is the whole object, byte for byte as the provider sent it.
	Raw json.RawMessage
}

// UnreadableReference reports whether the provider sent a reference id that is
// not a string, such as a number. ReferenceID is then empty, as it is if there
// was none: a number may have lost digits on the way and name another user.
func (i Interview) UnreadableReference() bool {
	var o object
	_ = json.Unmarshal(i.Raw, &o) // an Interview that was not decoded has no Raw
	raw, ok := o["reference_id"]
	return ok && raw[0] != '"' && string(raw) != "null"
}

// Interview statuses that the provider documents. Expect others.
const (
	StatusStarted    = "started"
	StatusProcessing = "processing"
	StatusCompleted  = "completed"
)

// Quality scores that the provider documents. Expect others.
const (
	QualityInsightful   = "insightful"
	QualitySuccessful   = "successful"
	QualityUnsuccessful = "unsuccessful"
)

// InterviewFilter selects interviews. StudyID is required by the provider;
// every other field left "" does not filter.
type InterviewFilter struct {
	StudyID      string
	Status       string
	ReferenceID  string
	QualityScore string

	// PageSize is the number of interviews asked for at a time.
	// Defaults to 100, which is also the provider's maximum.
	PageSize int

	// After starts the listing behind the interview with this id.
	After string
}

// Webhook is the project's one webhook.
type Webhook struct {
	URL    string
	Events []string // defaults to EventInterviewCompleted on PutWebhook

	// SigningSecret is set only in the answer to the PutWebhook that created
	// the webhook. The provider never shows it again.
	SigningSecret string
}

// printable is a Webhook without its methods and its secret.
func (w Webhook) printable() any {
	type plain Webhook
	if w.SigningSecret != "" {
		w.SigningSecret = "whsec_…"
	}
	return plain(w)
}

// Format implements [fmt.Formatter]. It never prints the secret.
func (w Webhook) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), w.printable())
}

// MarshalJSON implements [json.Marshaler]. It never writes the secret.
func (w Webhook) MarshalJSON() ([]byte, error) { return json.Marshal(w.printable()) }

// EventInterviewCompleted is the one event that the provider documents.
const EventInterviewCompleted = "interview.completed"
