package userjourneys

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// object is a JSON object whose fields are read one by one and tolerantly: a
// field that is missing, null or of another type reads as its zero value.
type object map[string]json.RawMessage

// field reads the first of names that is there and fits T.
func field[T any](o object, names ...string) T {
	for _, name := range names {
		var v T
		if raw, ok := o[name]; ok && string(raw) != "null" && json.Unmarshal(raw, &v) == nil {
			return v
		}
	}
	var zero T
	return zero
}

func (o object) str(names ...string) string { return field[string](o, names...) }

func (o object) time(name string) time.Time { return field[time.Time](o, name) }

// seconds reads a number of seconds; what no respondent can talk for is 0.
func seconds(o object, names ...string) time.Duration {
	s := field[float64](o, names...)
	if s < 0 || s > (365*24*time.Hour).Seconds() {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

func (o object) raw(names ...string) json.RawMessage {
	for _, name := range names {
		if raw, ok := o[name]; ok && string(raw) != "null" {
			return slices.Clone(raw)
		}
	}
	return nil
}

// UnmarshalJSON decodes the provider's study object, in the newer and in the
// older dialect. Only the id must be there.
func (s *Study) UnmarshalJSON(b []byte) error {
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*s = Study{
		ID:                 o.str("id", "study_id", "experiment_id"),
		Name:               o.str("name", "study_name", "experiment_name"),
		Status:             o.str("status"),
		InterviewLink:      o.str("interview_link"),
		AcceptingResponses: field[bool](o, "accepting_responses", "accepting_interviews"),
		SupportedLanguages: field[[]string](o, "supported_languages"),
		Limits:             Limits{Weekly: limit(o, "weekly"), Monthly: limit(o, "monthly")},
		CreatedAt:          o.time("created_at"),
		ResearchGoal:       o.str("research_goal"),
		ProductName:        o.str("product_name"),
		InterviewCount:     field[int](o, "interview_count", "interviews_count"),
	}
	for _, q := range field[[]object](o, "questions") {
		s.Questions = append(s.Questions, q.str("text"))
	}
	if s.ID == "" {
		return errors.New("a study without an id")
	}
	return nil
}

func limit(o object, period string) *Limit {
	l := field[object](field[object](o, "limits"), period)
	if l == nil || string(l["limit"]) == "null" || len(l["limit"]) == 0 {
		return nil
	}
	return &Limit{Limit: field[int](l, "limit"), Used: field[int](l, "used")}
}

// UnmarshalJSON decodes the provider's interview object, in the newer and in
// the older dialect. Only the id must be there. It reads what Raw holds, and so
// the Body of a store.Transcript.
func (i *Interview) UnmarshalJSON(b []byte) error {
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
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
		Duration:        seconds(o, "duration_secs"),
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
