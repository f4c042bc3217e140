package store

import "errors"

// Errors of every store, matched with [errors.Is].
var (
	// ErrInvalid means that an id is empty, too long or malformed, see [CheckID], or
	// that another argument is not one that the method knows.
	ErrInvalid = errors.New("store: invalid argument")

	// ErrTooManyStudies means that a user has seen or answered [MaxStudies] studies, and
	// that an interaction is about another one. It matches ErrInvalid.
	ErrTooManyStudies error = invalidArgument("the user has already seen or answered as many studies as are kept")

	// ErrNotFound means that the named job, transcript or dead letter does not exist.
	ErrNotFound = errors.New("store: not found")

	// ErrClosed means that the store, or the client it was made from, is closed.
	ErrClosed = errors.New("store: closed")

	// ErrLeaseLost means that the claim or the checkpoint belongs to somebody else
	// by now, or to nobody.
	ErrLeaseLost = errors.New("store: lease lost")

	// ErrPermanent means that the same call will fail again however often it is
	// repeated, because the backend cannot represent the value. Any other error
	// may be gone at the next attempt.
	ErrPermanent = errors.New("store: permanent failure")
)
