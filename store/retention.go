package store

import (
	"context"
	"fmt"
	"time"
)

// Retention deletes what is no longer needed. Completions, and what keeps a user
// from being asked again, are never deleted by age.
type Retention interface {
	// DeleteExpired deletes up to limit items of one kind that are older than
	// before and returns how many it deleted. Call it again until it returns less
	// than limit. It is safe to interrupt and to run on several replicas at once. A
	// transcript that has a job is kept. An unknown kind is an error that matches
	// [ErrInvalid].
	DeleteExpired(ctx context.Context, what Expirable, before time.Time, limit int) (int, error)

	// DeleteTranscript deletes the transcript of one interview, and its job if it
	// has one. It returns [ErrNotFound] if there is neither. The completion stays.
	DeleteTranscript(ctx context.Context, interviewID string) error
}

// An Expirable is a kind of item that [Retention] deletes by age.
type Expirable uint8

const (
	ExpiredTranscripts Expirable = iota // by when they were fetched
	ExpiredDeadJobs                     // by when they were queued
	ExpiredDeadLetters                  // by when they were received
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
