package recipes

import (
	"context"
	"errors"

	"github.com/askonce/askonce/store"
)

// Erase forgets a person who wants to be forgotten. The prompt stays away from
// them all the same.
func Erase(ctx context.Context, done store.Store, userID string) error {
	eraser, ok := store.As[store.Eraser](done) // also behind store.NewCached
	if !ok {
		return errors.New("this store cannot erase")
	}
	return eraser.Erase(ctx, userID)
}
