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
	// SetSwitch sets one switch. Of two calls for the same name, the one with the later
	// At counts. It returns the errors of [CheckSwitch].
	SetSwitch(ctx context.Context, s Switch) error
	// Switches returns all switches that were ever set, ordered by name.
	Switches(ctx context.Context) ([]Switch, error)
}

// A Switch is one setting, with who last changed it and when.
type Switch struct {
	Name string
	On   bool
	By   string
	At   time.Time
}

// PauseAll is the name of the switch that pauses every study.
const PauseAll = "pause"

// PauseSwitch returns the name of the switch that pauses one study. It contains the
// study's id, or a hash of it if the id is too long.
func PauseSwitch(studyID string) string {
	if name := PauseAll + "/" + studyID; len(name) <= MaxIDLen {
		return name
	}
	sum := sha256.Sum256([]byte(studyID))
	return PauseAll + "#" + hex.EncodeToString(sum[:])
}
