package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// OptOut keeps a user out of every study for good, or takes that back if out is false. It
// is for an app's settings page; the prompt's "Never ask me" does the same. Pass the
// store that the gates use, including its cache, so that it takes effect at once in this
// process. It overrides every earlier answer, from any browser.
//
// If the store has no [Interactions], the error matches [errors.ErrUnsupported].
func OptOut(ctx context.Context, s Store, userID string, out bool) error {
	i, err := interactionsOf(s)
	if err != nil {
		return err
	}
	known := i
	if c, ok := i.(*Cache); ok {
		known = c.persons // another replica may have written since
	}
	p, err := known.Person(ctx, userID)
	if err != nil {
		return err
	}
	// Two clicks may come in the same millisecond, or at replicas whose clocks differ.
	at := time.Now().Truncate(time.Millisecond)
	if !at.After(p.OptedOutAt) {
		at = p.OptedOutAt.Add(time.Millisecond)
	}
	kind := InteractionUndone
	if out {
		kind = InteractionOptedOut
	}
	return i.Note(ctx, Interaction{Key: Key{UserID: userID}, Kind: kind, At: at})
}

// OptedOut reports whether a user has opted out of every study, by [OptOut] or in a
// prompt. It returns the same errors.
func OptedOut(ctx context.Context, s Store, userID string) (bool, error) {
	i, err := interactionsOf(s)
	if err != nil {
		return false, err
	}
	p, err := i.Person(ctx, userID)
	return p.OptedOut, err
}

func interactionsOf(s Store) (Interactions, error) {
	i, ok := As[Interactions](s)
	if !ok {
		return nil, fmt.Errorf("store: %T does not keep answers: %w", s, errors.ErrUnsupported)
	}
	return i, nil
}
