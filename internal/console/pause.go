package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

// A pause is the switch that stops asking for one study, or for all.
type pause struct {
	StudyID string // "" for all
	store.Switch
}

// isSwitch reports whether a form says which way to switch.
func isSwitch(r *http.Request) bool {
	on := r.PostFormValue("on")
	return on == "true" || on == "false"
}

func pauseName(studyID string) string {
	if studyID == "" {
		return store.PauseAll
	}
	return store.PauseSwitch(studyID)
}

func pauseOf(studyID string, switches []store.Switch) pause {
	p := pause{StudyID: studyID}
	for _, s := range switches {
		if s.Name == pauseName(studyID) {
			p.Switch = s
		}
	}
	return p
}

func (c *console) switches(ctx context.Context) ([]store.Switch, error) {
	s, err := has[store.Switches](c)
	if err != nil {
		return nil, err
	}
	return wait(ctx, c, s.Switches)
}

// pause is the action that pauses or resumes one study, or all.
func (c *console) pause(w http.ResponseWriter, r *http.Request) {
	// A truncated form must neither resume asking nor apply to all studies.
	if !isSwitch(r) || !r.PostForm.Has("study") {
		c.done(w, r, "./", "invalid")
		return
	}
	studyID, on := r.PostFormValue("study"), r.PostFormValue("on") == "true"
	if studyID != "" && !slices.ContainsFunc(c.Gates.Status(), func(s gate.Status) bool { return s.Study.ID == studyID }) {
		c.done(w, r, "./", "invalid")
		return
	}
	s, err := has[store.Switches](c)
	if err == nil {
		set := store.Switch{Name: pauseName(studyID), On: on, By: cleanTo(r.PostFormValue("by"), 100), At: time.Now()}
		err = act(r.Context(), c, func(ctx context.Context) error {
			all, err := s.Switches(ctx)
			if err != nil {
				return err
			}
			// The store keeps the latest of several, and another replica's clock may be ahead.
			if had := pauseOf(studyID, all); !set.At.After(had.At) {
				set.At = had.At.Add(time.Millisecond)
			}
			return s.SetSwitch(ctx, set)
		})
	}
	switch {
	case err != nil:
		c.failed(w, r, "./", "pause", err)
	case on:
		c.Logger.InfoContext(r.Context(), "askonce: asking was paused in the console", "study", studyID)
		c.done(w, r, "./", "paused")
	default:
		c.Logger.InfoContext(r.Context(), "askonce: asking was resumed in the console", "study", studyID)
		c.done(w, r, "./", "resumed")
	}
}
