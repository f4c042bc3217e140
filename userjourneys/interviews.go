package userjourneys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"time"
)

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

// Interview is one respondent's interview. One user may have several in one
// study.
type Interview struct {
	ID              string
	StudyID         string
	Status          string // StatusStarted, StatusProcessing, StatusCompleted; expect others
	ReferenceID     string // from the interview link; "" if there was none or it is unreadable
	RespondentEmail string // "" if the provider has none
	Language        string // BCP 47 tag
	QualityScore    string // QualityInsightful, …; "" until the provider has scored it
	Duration        time.Duration
	Headline        string
	Summary         string
	StartedAt       time.Time
	CompletedAt     time.Time
	CreatedAt       time.Time

	// Transcript and Answers are set by [Client.Interview] only. Their shape is
	// undocumented, so they are the raw JSON that the provider sent; see
	// [Interview.HasTranscript] and [Interview.Turns].
	Transcript json.RawMessage
	Answers    json.RawMessage

	// Raw is the whole object as the provider sent it, byte for byte.
	Raw json.RawMessage
}

// UnmarshalJSON decodes the provider's interview object, with its newer or its older
// names. Only the id is required. It also decodes Raw, and therefore the body of a stored
// transcript.
func (i *Interview) UnmarshalJSON(b []byte) error {
	o, err := decodeObject(b, "id", "interview")
	if err != nil {
		return err
	}
	*i = Interview{
		ID:              o.str("id", "interview_id"),
		StudyID:         o.str("study_id", "experiment_id"),
		Status:          o.str("status"),
		ReferenceID:     o.str("reference_id"),
		RespondentEmail: o.str("respondent_email"),
		Language:        o.str("language"),
		QualityScore:    o.str("quality_score"),
		Duration:        o.seconds("duration_secs"),
		Headline:        o.str("headline"),
		Summary:         o.str("summary"),
		StartedAt:       o.time("started_at"),
		CompletedAt:     o.time("completed_at"),
		CreatedAt:       o.time("created_at"),
		Transcript:      transcriptOf(o),
		Answers:         o.raw("answers", "structured_answers"),
		Raw:             slices.Clone(b),
	}
	if i.ID == "" {
		return errors.New("an interview without an id")
	}
	return nil
}

// UnreadableReference reports whether the provider sent a reference id that is not a
// string, such as a number. ReferenceID is then empty, because a number may have lost
// digits on the way and name another user.
func (i Interview) UnreadableReference() bool {
	o, _ := decodeObject(i.Raw, "id", "interview") // an Interview that was not decoded has no Raw
	raw, ok := o["reference_id"]
	return ok && raw[0] != '"' && string(raw) != "null"
}

// InterviewFilter selects interviews. StudyID is required. Other fields filter only if
// they are set.
type InterviewFilter struct {
	StudyID      string
	Status       string
	ReferenceID  string
	QualityScore string

	// PageSize is the number of interviews per request. Defaults to 100, which
	// is also the maximum.
	PageSize int

	// After is the id of the interview after which the listing starts. Defaults
	// to the start of the list.
	After string

	// OnPage is called with the number of items of each page, before they are
	// yielded. A page can be empty although the one before promised more: at the
	// end of some lists, and if the item that it starts after has just been deleted.
	// Defaults to nothing.
	OnPage func(items int)
}

// Interviews yields every interview that f selects, following all pages. The
// order is undocumented. The first error ends the sequence. Items that are not
// usable are skipped, and logged once per kind. Transcript and Answers are empty
// in a list.
func (c *Client) Interviews(ctx context.Context, f InterviewFilter) iter.Seq2[Interview, error] {
	if f.StudyID == "" {
		return func(yield func(Interview, error) bool) {
			yield(Interview{}, errors.New("userjourneys: the interview filter needs a study id"))
		}
	}
	query := url.Values{"study_id": {f.StudyID}}
	for name, value := range map[string]string{"status": f.Status, "reference_id": f.ReferenceID, "quality_score": f.QualityScore} {
		if value != "" {
			query.Set(name, value)
		}
	}
	size := maxPageSize
	if f.PageSize > 0 {
		size = min(f.PageSize, maxPageSize)
	}
	return list[Interview](ctx, c, "/interviews", query, size, f.After, f.OnPage)
}

// Interview returns one interview with its transcript and answers. The error
// matches [ErrNotFound] if the interview belongs to another project or is not
// available yet.
func (c *Client) Interview(ctx context.Context, id string) (Interview, error) {
	if id == "" {
		return Interview{}, errors.New("userjourneys: the interview's id is empty")
	}
	if id == "." || id == ".." { // would name another path (RFC 3986, section 5.2.4)
		return Interview{}, fmt.Errorf("%w: no interview %q", ErrNotFound, id)
	}
	var i Interview
	if err := c.get(ctx, "/interviews/"+url.PathEscape(id), nil, &i); err != nil {
		return Interview{}, err
	}
	return i, nil
}
