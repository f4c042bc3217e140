package recipes

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
)

// Pause stops or resumes all invitations, on every replica within 10 seconds and without
// a deployment. While they are stopped, clicks on prompts that are still open are refused
// too. For one study, use [store.PauseSwitch] instead of [store.PauseAll].
func Pause(ctx context.Context, s store.Store, on bool, by string) error {
	switches, ok := store.As[store.Switches](s)
	if !ok {
		return errors.New("this store keeps no switches")
	}
	return switches.SetSwitch(ctx, store.Switch{Name: store.PauseAll, On: on, By: by, At: time.Now()})
}
