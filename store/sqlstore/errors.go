package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/askonce/askonce/store"
)

// failed says what was being done. An error that came of the context's end matches
// the context's error, which not every driver sees to.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	cause := ctx.Err()
	switch {
	case err == nil, err == store.ErrClosed, err == store.ErrNotFound, err == store.ErrLeaseLost:
		return err
	case cause != nil && !errors.Is(err, cause):
		return fmt.Errorf("sqlstore: %s: %w (%w)", doing, cause, err)
	case cause == nil && s.closed.Load():
		return store.ErrClosed // whatever was closed under the call
	case s.d.missing(err):
		return s.notMigrated(err)
	case s.d.permanent(err):
		return fmt.Errorf("sqlstore: %s: %w: %w", doing, store.ErrPermanent, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", doing, err)
}

func (s *Store) notMigrated(cause error) error {
	err := fmt.Errorf("sqlstore: the tables %s* of %s are missing or out of date: call Migrate or apply Schema", s.prefix, s.d.name)
	if cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// hasState reports whether err carries one of the SQLSTATEs, or one that begins
// with a class of two letters. The errors of pgx and lib/pq do.
func hasState(err error, states ...string) bool {
	var e interface{ SQLState() string }
	if !errors.As(err, &e) {
		return false
	}
	for _, state := range states {
		if strings.HasPrefix(e.SQLState(), state) {
			return true
		}
	}
	return false
}

// says reports whether the message of err contains one of the texts. Without
// importing the driver there is nothing else to go by.
func says(err error, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// notThisDialect explains why the first question to a database failed, which is
// most likely because it is another one.
func notThisDialect(err error, name string) error {
	return fmt.Errorf("cannot read the settings; is the database %s? %w", name, err)
}
