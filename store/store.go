package store

import (
	"context"
	"time"
)

// A Key names one user in one study. Both ids are opaque: a store never trims,
// folds or normalises them.
type Key struct {
	StudyID, UserID string
}

// A Completion is one completed interview.
type Completion struct {
	Key                   // UserID is "" for an interview without a user
	InterviewID string    // Record is idempotent on it
	CompletedAt time.Time // kept in UTC, to at least the millisecond
	Quality     string    // "" until the provider has scored the interview
	Language    string
	Duration    time.Duration // kept to at least the millisecond

	// Until ends the completion: from then on the user may be asked again. The
	// zero time means never.
	Until time.Time

	// Ignored keeps the interview from completing the study. It is still the
	// user's: [Lister] lists it and [Eraser] finds it.
	Ignored bool
}

// A Store records interviews and reports who has completed which study. It is
// the only capability that a store must have. Implementations are safe for
// concurrent use; [github.com/askonce/askonce/store/storetest.Run] tests them
// against this contract.
type Store interface {
	// Completed reports whether the user has completed the study. An unknown user
	// has not. An error means that the store could not answer.
	Completed(ctx context.Context, k Key) (bool, error)

	// Record stores a completion. It is atomic, durable once it returns nil, and
	// idempotent on InterviewID: first is true for exactly one of any number of
	// calls with the same InterviewID, concurrent or not. If the store implements
	// [Transcripts], the first call also queues a job for the transcript, in the
	// same transaction.
	//
	// A later call fills in a Quality or a UserID that was empty. The call that
	// fills in Quality also replaces Until and Ignored, so that a decision which
	// depends on the score can be revised once the score is known. Nothing else
	// of the first call changes.
	//
	// A later call also repairs missing state, such as the user's completion or the
	// job, unless Reset or FinishJob removed it.
	//
	// An error that matches [ErrPermanent] will be the same for every retry.
	Record(ctx context.Context, c Completion) (first bool, err error)
}

// As returns the optional capability C of s, for instance [Transcripts], and
// reports whether s has it. A wrapper has what the store inside has: its method
// Unwrap() Store tells As what that is. Of several layers with the methods of C
// the outermost is returned, so that a cache can invalidate its entries.
func As[C any](s Store) (c C, ok bool) {
	found := false
	for {
		layer, has := s.(C)
		if has && !found {
			c, found = layer, true
		}
		w, wraps := s.(interface{ Unwrap() Store })
		if !wraps {
			if !has {
				return *new(C), false
			}
			return c, true
		}
		s = w.Unwrap()
	}
}
