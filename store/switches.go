package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// PauseSwitch returns the name of the switch that pauses one study. The hash of an id
// stands for one that is too long to be part of a name.
func PauseSwitch(studyID string) string {
	if name := PauseAll + "/" + studyID; len(name) <= MaxIDLen {
		return name
	}
	sum := sha256.Sum256([]byte(studyID))
	return PauseAll + "#" + hex.EncodeToString(sum[:])
}
