package store

import (
	"context"
	"fmt"
	"time"
)

// Retention deletes items by age. It never deletes completions, or anything else that
// keeps a user from being asked again.
type Retention interface {
	// DeleteExpired deletes up to limit items of one kind that are older than before,
	// and returns how many it deleted. Call it again until it returns fewer than limit.
	// It may be interrupted, and may run on several replicas at once. It keeps
	// transcripts that have a job. It returns the error of [CheckExpirable].
	DeleteExpired(ctx context.Context, what Expirable, before time.Time, limit int) (int, error)

	// DeleteTranscript deletes the transcript of one interview, and its job if it
	// has one. It returns [ErrNotFound] if there is neither. The completion stays.
	DeleteTranscript(ctx context.Context, interviewID string) error
}

// An Expirable is a kind of item that [Retention] deletes by age.
type Expirable uint8

const (
	ExpirableTranscripts Expirable = iota // by when they were fetched
	ExpirableDeadJobs                     // by when they were queued
	ExpirableDeadLetters                  // by when they were received
)

var expirableNames = [...]string{"transcripts", "dead_jobs", "dead_letters"}

// String returns the kind in snake case, as in logs.
func (e Expirable) String() string {
	if int(e) < len(expirableNames) {
		return expirableNames[e]
	}
	return fmt.Sprintf("Expirable(%d)", uint8(e))
}

// MarshalText implements [encoding.TextMarshaler].
func (e Expirable) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
