package store

import (
	"context"
	"time"
)

// Switches keeps settings that operators change while the app runs. All replicas
// read the same ones.
type Switches interface {
	// SetSwitch sets one switch. Of two calls for the same name the one with the
	// later At counts. Name must pass [CheckID], By must pass it or be empty.
	SetSwitch(ctx context.Context, s Switch) error
	// Switches returns all switches that were ever set, ordered by name.
	Switches(ctx context.Context) ([]Switch, error)
}

// A Switch is one setting, with who changed it last and when.
type Switch struct {
	Name string
	On   bool
	By   string
	At   time.Time
}

// PauseAll is the name of the switch that pauses every study.
const PauseAll = "pause"

// PauseSwitch returns the name of the switch that pauses one study. An id of more
// than 250 bytes makes a name that is too long for [Switches].
func PauseSwitch(studyID string) string { return PauseAll + "/" + studyID }
