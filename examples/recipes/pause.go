package recipes

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
)

// Pause stops or resumes all invitations, on every replica within 10 seconds and
// without a deployment. store.PauseSwitch names the switch of one study. A click
// on a prompt that is still open is refused too.
func Pause(ctx context.Context, s store.Store, on bool, by string) error {
	switches, ok := store.As[store.Switches](s)
	if !ok {
		return errors.New("this store keeps no switches")
	}
	return switches.SetSwitch(ctx, store.Switch{Name: store.PauseAll, On: on, By: by, At: time.Now()})
}
