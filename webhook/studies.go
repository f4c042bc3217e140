package webhook

import (
	"encoding/json"
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
// A delivery has its study's id and name, but the provider's list of interviews is
// read by study id, and a paused study is missing from the list of studies. So the
// ids that the provider has listed lately are remembered, in this process and in the
// store.
type studies struct {
	named map[string]bool // canonical ids and names

	mu     sync.Mutex
	listed map[string]listing // by id
}

// A listing is a study that the provider has listed.
type listing struct {
	At   time.Time `json:"at"`             // when it was last listed
	Name string    `json:"name,omitempty"` // if Options.Studies has it
}

const maxState = 4 << 10 // bytes of a checkpoint

func newStudies(named []string) *studies {
	s := &studies{named: map[string]bool{}, listed: map[string]listing{}}
	for _, n := range named {
		s.named[userjourneys.CanonicalID(n)] = true
	}
	return s
}

// has reports whether the study belongs to the set.
func (s *studies) has(id, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.listed[id]
	return known || s.names(id, name)
}

func (s *studies) names(id, name string) bool {
	return len(s.named) == 0 || s.named[id] || s.named[name]
}

// uuid matches an id that cannot be mistaken for a name.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// complete reports whether all studies of the set are named by id, so that the
// provider's list of studies is not needed.
func (s *studies) complete() bool {
	for n := range s.named {
		if !uuid.MatchString(n) {
			return false
		}
	}
	return len(s.named) > 0
}

// note remembers a study that the provider has listed, if it belongs to the set.
// It reports whether the study is new.
func (s *studies) note(study userjourneys.Study) bool {
	id := userjourneys.CanonicalID(study.ID)
	if !usableID(id) || !s.has(id, study.Name) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.listed[id]
	l := listing{At: time.Now()}
	if s.named[study.Name] {
		l.Name = study.Name
	}
	s.listed[id] = l
	return !known
}

// unnamed returns the names in Options.Studies that no listed study has.
func (s *studies) unnamed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]bool{}
	for id, l := range s.listed {
		known[id], known[l.Name] = true, true
	}
	var out []string
	for n := range s.named {
		if !known[n] && !uuid.MatchString(n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// state encodes the latest listings for restore, as many as fit into a checkpoint.
func (s *studies) state() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := "{}"
	latest := map[string]listing{}
	for _, id := range slices.SortedFunc(maps.Keys(s.listed), func(a, b string) int { return s.listed[b].At.Compare(s.listed[a].At) }) {
		latest[id] = s.listed[id]
		b, err := json.Marshal(latest)
		if err != nil || len(b) > maxState {
			break
		}
		state = string(b)
	}
	return state
}

// restore adds the listings of another process. An unreadable state adds nothing.
func (s *studies) restore(state string) {
	var in map[string]listing
	_ = json.Unmarshal([]byte(state), &in)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range in {
		if s.names(id, l.Name) && usableID(id) && l.At.After(s.listed[id].At) {
			s.listed[id] = l
		}
	}
}

// forget removes a study that the provider does not know, unless it was listed after
// begun. It reports whether it did.
func (s *studies) forget(id string, begun time.Time) (forgotten bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	had, listed := s.listed[id]
	if !listed || !had.At.Before(begun) {
		return false
	}
	delete(s.listed, id)
	return true
}

// ids returns the known ids of the set.
func (s *studies) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.listed, func(_ string, l listing) bool { return time.Since(l.At) > lookBack })
	ids := slices.Collect(maps.Keys(s.listed))
	for n := range s.named {
		if uuid.MatchString(n) {
			ids = append(ids, n)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
