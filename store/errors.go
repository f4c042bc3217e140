package store

import "errors"

// Errors of every store, matched with [errors.Is].
var (
	// ErrInvalid means that an id is empty, too long or malformed (see [CheckID]), or
	// that another argument has an unknown value.
	ErrInvalid = errors.New("store: invalid argument")

	// ErrTooManyStudies means that an interaction was not recorded, because its user has
	// already seen or answered [MaxStudies] other studies. It matches ErrInvalid.
	ErrTooManyStudies error = invalidArgument("the user has already seen or answered as many studies as are kept")

	// ErrNotFound means that the named job, transcript or dead letter does not exist.
	ErrNotFound = errors.New("store: not found")

	// ErrClosed means that the store, or the client it was made from, is closed.
	ErrClosed = errors.New("store: closed")

	// ErrLeaseLost means that the caller no longer holds the claim or the checkpoint.
	ErrLeaseLost = errors.New("store: lease lost")

	// ErrPermanent means that every retry of the call will fail, because the backend
	// cannot represent the value. After any other error a retry may succeed.
	ErrPermanent = errors.New("store: permanent failure")
)
