package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/askonce/askonce/store"
)

// ErrKey means that the key of the hashes is missing, or is not the one with which the
// stored hashes were made. No user could be recognised, so users who have completed a
// study, declined or been erased would be asked again. Restore the row of the table
// {prefix}secret from a backup, or call [Store.StartOver].
var ErrKey = errors.New("sqlstore: the key of the hashes is lost: restore the table of the secret, or call StartOver")

var (
	// errNoKey means that there is no key yet.
	errNoKey = errors.New("no key of the hashes")
	// errKeyChanged means that the key is not the one that was loaded.
	errKeyChanged = errors.New("the key of the hashes has changed")
	// errChanged means that something that was read has changed before it was locked.
	errChanged = errors.New("changed at the same time")
)

// class says how to handle a failed call.
type class int

const (
	trouble  class = iota // it may succeed later
	again                 // undone in favour of somebody else: it is repeated at once
	unusable              // it fails again however often it is repeated
	missing               // a table or a column does not exist
)

func (s *Store) classify(err error) class {
	if err == errNoKey || err == errKeyChanged || err == errChanged {
		return again
	}
	return s.d.classify(err)
}

// failed wraps err with the name of the operation. An error caused by the end of ctx
// matches ctx's error, which not every driver ensures.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	cause := ctx.Err()
	switch {
	case err == nil, err == store.ErrClosed, err == store.ErrNotFound, err == store.ErrLeaseLost:
		return err
	case cause != nil && !errors.Is(err, cause):
		return fmt.Errorf("sqlstore: %s: %w (%w)", doing, cause, err)
	case cause == nil && (s.closed.Load() || says(err, "sql: database is closed")):
		return store.ErrClosed
	}
	switch s.classify(err) {
	case missing:
		return s.notMigrated(err)
	case unusable:
		return fmt.Errorf("sqlstore: %s: %w: %w", doing, store.ErrPermanent, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", doing, err)
}

func (s *Store) notMigrated(cause error) error {
	err := fmt.Errorf("sqlstore: the %s tables %s* are missing or out of date: call Migrate or apply Schema", s.d.name, s.prefix)
	if cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// state returns the SQLSTATE of err, as the errors of pgx and lib/pq have it, or "".
func state(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// says reports whether the message of err contains one of the texts. Without importing the
// driver, the message is all that identifies an error.
func says(err error, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
