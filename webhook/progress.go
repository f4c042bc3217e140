package webhook

import "context"

// A Step is something that [Handler.Run] has done.
type Step uint8

// The steps.
const (
	StepFetched    Step = iota // a transcript was fetched and stored
	StepGivenUp                // a transcript, or OnCompleted for it, was given up
	StepFound                  // a completion was found whose delivery had not come
	StepReconciled             // a walk through one study's interviews came to its end
)

var steps = [...]string{StepFetched: "fetched", StepGivenUp: "given_up", StepFound: "found", StepReconciled: "reconciled"}

// String returns the step in snake case, such as "given_up".
func (s Step) String() string {
	if int(s) < len(steps) {
		return steps[s]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler]. It returns what String does.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Progress is passed to [Options.OnProgress].
type Progress struct {
	Step        Step   `json:"step"`
	StudyID     string `json:"study_id"`
	InterviewID string `json:"interview_id,omitempty"` // "" for StepReconciled
	Reason      string `json:"reason,omitempty"`       // of StepGivenUp
	Attempts    int    `json:"attempts,omitempty"`     // of StepGivenUp
	Recorded    int    `json:"recorded,omitempty"`     // of StepReconciled: completions that were not known before
}

func (h *Handler) progress(ctx context.Context, p Progress) {
	if h.opts.OnProgress != nil {
		_ = h.call("OnProgress", p.InterviewID, func() error { h.opts.OnProgress(ctx, p); return nil })
	}
}
