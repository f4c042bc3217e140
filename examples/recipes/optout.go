package recipes

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
)

// OptOut keeps a user out of every study for good, or takes that back. It is for
// the settings page of an app; the prompt's own "Never ask me" does the same. Pass
// the store that is in askonce.Config, so that its cache hears of it.
func OptOut(ctx context.Context, s store.Store, userID string, out bool) error {
	interactions, ok := store.As[store.Interactions](s)
	if !ok {
		return errors.New("this store keeps no answers")
	}
	i := store.Interaction{Key: store.Key{UserID: userID}, Kind: store.InteractionOptedOut, At: time.Now()}
	if !out {
		// Of two answers in one millisecond the one that says no counts.
		i.Kind, i.At = store.InteractionUndone, i.At.Add(time.Millisecond)
	}
	return interactions.Note(ctx, i)
}

// OptedOut reports whether a user has opted out, for the box in the settings page.
func OptedOut(ctx context.Context, s store.Store, userID string) (bool, error) {
	interactions, ok := store.As[store.Interactions](s)
	if !ok {
		return false, errors.New("this store keeps no answers")
	}
	person, err := interactions.Person(ctx, userID)
	return person.OptedOut, err
}
