package recipes

import (
	"strings"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

// InEnvironment prefixes references with the name of their environment, for a study that
// production and staging share. An interview with a reference of another environment is
// recorded without a user.
//
// A study, or a project of the provider, for each environment is simpler and needs no
// prefix: interviews of studies that are not in Config.Studies are ignored.
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
