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

	// Until is when the completion ends and the user may be asked again. The zero
	// time means never.
	Until time.Time

	// Ignored means that the interview does not complete the study. It still belongs
	// to the user: [Lister] lists it and [Eraser] erases it.
	Ignored bool
}

// A Store records interviews and reports who has completed which study. Every other
// capability is optional. Implementations must be safe for concurrent use;
// [github.com/askonce/askonce/store/storetest.Run] tests them against this contract.
type Store interface {
	// Completed reports whether the user has completed the study. It returns false for
	// an unknown user. An error means that the store could not answer.
	Completed(ctx context.Context, k Key) (bool, error)

	// Record stores a completion. It is atomic, durable once it returns nil, and
	// idempotent on InterviewID: first is true for exactly one of any number of
	// calls with the same InterviewID, concurrent or not. If the store implements
	// [Transcripts], the first call also queues a job for the transcript, in the
	// same transaction.
	//
	// A later call fills in a Quality or a UserID that was empty. If it fills in
	// Quality, it also replaces Until and Ignored, which may depend on the score. It
	// changes nothing else.
	//
	// A later call also repairs missing state, such as the user's completion or the
	// job, unless Reset or FinishJob removed it.
	//
	// If the error matches [ErrPermanent], every retry fails in the same way.
	Record(ctx context.Context, c Completion) (first bool, err error)
}

// As returns the optional capability C of s, such as [Transcripts], and reports whether
// s has it. A wrapper with a method Unwrap() Store has the capabilities of the store
// inside, no more. If several layers have the methods of C, As returns the outermost, so
// that a cache can invalidate its entries.
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
