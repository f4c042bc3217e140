package webhook

import (
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

// studies is the set of studies whose completions are recorded: those that
// Options.Studies names by id or by name. If it names none, all belong to it.
//
// A delivery says its study's id and name. The provider's list of interviews is
// read by study id alone, and a study that is paused is missing from the list
// of studies. So the ids that the provider has listed lately are remembered.
type studies struct {
	named map[string]bool // canonical ids and names

	mu     sync.Mutex
	listed map[string]time.Time // by id: when the provider last listed the study
}

func newStudies(named []string) *studies {
	s := &studies{named: map[string]bool{}, listed: map[string]time.Time{}}
	for _, n := range named {
		s.named[userjourneys.CanonicalID(n)] = true
	}
	return s
}

// has reports whether the study belongs to the set.
func (s *studies) has(id, name string) bool {
	if len(s.named) == 0 || s.named[id] || s.named[name] {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.listed[id]
	return known
}

// uuid is what an id looks like that cannot be taken for a name.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// complete reports whether the set is known without the provider's list of
// studies, because all of its studies are named by id.
func (s *studies) complete() bool {
	for n := range s.named {
		if !uuid.MatchString(n) {
			return false
		}
	}
	return len(s.named) > 0
}

// note remembers a study that the provider has listed, if it belongs to the set.
func (s *studies) note(study userjourneys.Study) {
	id := userjourneys.CanonicalID(study.ID)
	if !usableID(id) || !s.has(id, study.Name) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed[id] = time.Now()
}

// forget removes a study that the provider no longer knows, unless it was listed
// after begun.
func (s *studies) forget(id string, begun time.Time) (forgotten bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, listed := s.listed[id]
	if !listed || !at.Before(begun) {
		return false
	}
	delete(s.listed, id)
	return true
}

// ids returns the ids of the set that are known.
func (s *studies) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.listed, func(_ string, at time.Time) bool { return time.Since(at) > lookBack })
	ids := slices.Collect(maps.Keys(s.listed))
	for n := range s.named {
		if uuid.MatchString(n) {
			ids = append(ids, n)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
