package store

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"time"
)

// Lister lists completions.
type Lister interface {
	// Completions yields the completions that f selects, ordered by completion time
	// and then by interview id. It holds no lock while it yields.
	Completions(ctx context.Context, f Filter) iter.Seq2[Completion, error]
}

// A Filter selects completions. A zero field does not filter.
type Filter struct {
	StudyID, UserID, InterviewID, Quality string

	// Since selects interviews completed at this time or later.
	Since time.Time

	// NewestFirst reverses the order.
	NewestFirst bool

	// After continues a list after this completion, in the list's order. Only its
	// CompletedAt and InterviewID count.
	After *Completion
}

// Selects reports whether f selects c, the cursor included. It is meant for
// implementations of [Lister].
func (f Filter) Selects(c Completion) bool {
	return (f.StudyID == "" || f.StudyID == c.StudyID) && (f.UserID == "" || f.UserID == c.UserID) &&
		(f.InterviewID == "" || f.InterviewID == c.InterviewID) && (f.Quality == "" || f.Quality == c.Quality) &&
		!c.CompletedAt.Before(f.Since) && (f.After == nil || f.Compare(c, *f.After) > 0)
}

// Compare orders two completions as a list with the filter f does. It is meant for
// implementations of [Lister].
func (f Filter) Compare(a, b Completion) int {
	if f.NewestFirst {
		a, b = b, a
	}
	return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), strings.Compare(a.InterviewID, b.InterviewID))
}

// Eraser erases a user.
type Eraser interface {
	// Erase deletes the user's transcripts and jobs and removes the user's id from
	// every completion. A keyed hash remains, so that Completed stays true and a user
	// who declined or opted out is still not asked.
	//
	// A later Record that names the user stores nothing personal: it keeps the
	// interview without a user and without a job, and remembers that the study is
	// completed. If the interview was stored without a user before, its transcript and
	// its job are deleted too. From then on no Record gives it a user or lets it
	// complete a study.
	//
	// Erase is idempotent, and an unknown user is not an error. It does not search dead
	// letters: delete those once they are handled. It does not change the counts of
	// [Interactions].Funnel.
	Erase(ctx context.Context, userID string) error
}

// Resetter lets a user be asked again.
type Resetter interface {
	// Reset makes Completed false until another interview is recorded, and forgets
	// the user's showings of the study, the opening of its interview and the answer
	// to its prompt. An opt-out stays; an [InteractionUndone] without a study takes
	// it back. The interviews stay recorded, so that a repeated delivery does not
	// undo the reset.
	//
	// A store with [Interactions] keeps the time of the reset, which outranks older
	// events in a browser's cookie. An unknown key is not an error: its time is kept
	// too, because a cookie may have the user's events.
	Reset(ctx context.Context, k Key) error
}
