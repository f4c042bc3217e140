package store

import (
	"context"
	"iter"
	"time"
)

// DeadLetters is a store that keeps signed deliveries that could not be used.
type DeadLetters interface {
	// AddDeadLetter keeps d. It does nothing if a letter with the same Body is kept.
	AddDeadLetter(ctx context.Context, d DeadLetter) error
	// DeadLetters yields the letters, ordered by ReceivedAt and then by ID.
	DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error]
	// DeleteDeadLetter removes one letter, or returns [ErrNotFound].
	DeleteDeadLetter(ctx context.Context, id string) error
}

// A DeadLetter is a signed delivery that could not be used.
type DeadLetter struct {
	ID         string // the hex SHA-256 of Body; set by the store
	ReceivedAt time.Time
	Reason     string
	Body       []byte
}
