package recipes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/askonce/askonce/store"
)

// Weekly writes, for each of the last seven days, how many users saw the prompt, opened the
// interview, declined and completed it for the first time. For a study that is configured
// by name, Kit.Gates().Status() has the id.
func Weekly(ctx context.Context, w io.Writer, s store.Store, studyID string) error {
	interactions, ok := store.As[store.Interactions](s)
	if !ok {
		return errors.New("this store keeps no interactions")
	}
	tomorrow := time.Now().AddDate(0, 0, 1)
	days, err := interactions.Funnel(ctx, studyID, tomorrow.AddDate(0, 0, -7), tomorrow)
	if err != nil {
		return err
	}
	for _, d := range days {
		fmt.Fprintf(w, "%s: %d shown, %d opened, %d declined, %d completed\n", d.Day.Format(time.DateOnly), d.Shown, d.Opened, d.Declined, d.Completed)
	}
	return nil
}
