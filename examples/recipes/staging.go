package recipes

import (
	"strings"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

// InEnvironment marks references with the environment that makes them, for a
// study that production and staging share. A reference of another environment
// is nobody's here: its interview is recorded without a user.
//
// A project of the provider, or a study, for each environment is simpler. Then
// this is not needed: interviews of studies that are not in Config.Studies are
// ignored.
func InEnvironment(name string, refs gate.References) gate.References {
	return environment{name + ".", refs}
}

type environment struct {
	prefix string
	gate.References
}

func (e environment) Reference(k store.Key) (string, error) {
	reference, err := e.References.Reference(k)
	return e.prefix + reference, err
}

func (e environment) UserID(studyID, reference string) (string, error) {
	own, ok := strings.CutPrefix(reference, e.prefix)
	if !ok {
		return "", gate.ErrBadReference
	}
	return e.References.UserID(studyID, own)
}
