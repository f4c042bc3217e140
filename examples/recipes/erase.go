package recipes

import (
	"context"
	"errors"

	"github.com/askonce/askonce/store"
)

// Erase removes a user's data from the store. A user who has completed a study,
// declined or opted out is still not invited again.
func Erase(ctx context.Context, done store.Store, userID string) error {
	eraser, ok := store.As[store.Eraser](done) // also behind store.NewCached
	if !ok {
		return errors.New("this store cannot erase")
	}
	return eraser.Erase(ctx, userID)
}
