package memstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// people are the users in the store. Erased users are found by a keyed hash only.
type people struct {
	key    []byte
	byID   map[string]*person
	byHash map[[sha256.Size]byte]*person
}

// person is what the store knows about one user.
type person struct {
	store.Person // without completions
	erased       bool
	completed    map[string]time.Time        // by study: when the completion ends, the zero time for never
	firsts       map[string][kinds]time.Time // by study: the days that the funnel counts
	interviews   []string                    // ids of the user's interviews
}

func newPeople() people {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return people{key, map[string]*person{}, map[[sha256.Size]byte]*person{}}
}

func newPerson() *person {
	return &person{completed: map[string]time.Time{}, firsts: map[string][kinds]time.Time{}}
}

func (ps *people) hash(userID string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, ps.key)
	mac.Write([]byte(userID))
	mac.Sum(sum[:0])
	return sum
}

// find returns a user, or nil for an unknown one.
func (ps *people) find(userID string) *person {
	if p, ok := ps.byID[userID]; ok || len(ps.byHash) == 0 {
		return p
	}
	return ps.byHash[ps.hash(userID)]
}

func (ps *people) get(userID string) *person {
	p := ps.find(userID)
	if p == nil {
		p = newPerson()
		ps.byID[strings.Clone(userID)] = p
	}
	return p
}

// erase removes the user's id and returns the ids of the user's interviews.
func (ps *people) erase(userID string) (interviews []string) {
	p := ps.get(userID)
	interviews, p.interviews, p.erased = p.interviews, nil, true
	delete(ps.byID, userID)
	ps.byHash[ps.hash(userID)] = p
	return interviews
}

func (p *person) hasCompleted(studyID string) bool {
	if p == nil {
		return false
	}
	ends, done := p.completed[studyID]
	return done && live(ends)
}

// The kinds that the funnel counts.
const (
	shown = iota
	opened
	snoozed
	declined
	completed
	kinds
)

var kindOf = map[store.InteractionKind]int{
	store.InteractionShown: shown, store.InteractionOpened: opened,
	store.InteractionSnoozed: snoozed, store.InteractionDeclined: declined,
}

type funnelKey struct {
	studyID string
	day     time.Time
}

// count counts p in the funnel, on the earliest known day.
func (s *Store) count(p *person, studyID string, kind int, at time.Time) {
	day, firsts := store.Day(at), p.firsts[studyID]
	if first := firsts[kind]; !first.IsZero() {
		if !day.Before(first) {
			return
		}
		*s.counter(studyID, first, kind)--
	}
	*s.counter(studyID, day, kind)++
	firsts[kind] = day
	p.firsts[studyID] = firsts
}

func (s *Store) counter(studyID string, day time.Time, kind int) *int {
	k := funnelKey{studyID, day}
	f, ok := s.funnel[k]
	if !ok {
		f = &store.FunnelDay{Day: day}
		s.funnel[k] = f
	}
	return [...]*int{&f.Shown, &f.Opened, &f.Snoozed, &f.Declined, &f.Completed}[kind]
}

// Note implements [store.Interactions].
func (s *Store) Note(ctx context.Context, i store.Interaction) error {
	if err := s.lock(ctx, store.CheckInteraction(i)); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.people.get(i.UserID)
	if err := p.CheckRoom(i.StudyID); err != nil {
		return err
	}
	p.Note(i)
	if kind, counts := kindOf[i.Kind]; counts {
		s.count(p, i.StudyID, kind, i.At)
	}
	return nil
}

// Person implements [store.Interactions].
func (s *Store) Person(ctx context.Context, userID string) (store.Person, error) {
	if err := s.rlock(ctx, store.CheckID(userID)); err != nil {
		return store.Person{}, err
	}
	defer s.mu.RUnlock()
	p := s.people.find(userID)
	if p == nil {
		return store.Person{}, nil
	}
	all := p.Person
	all.Studies = nil
	for _, st := range p.Studies {
		st.Showings = slices.Clone(st.Showings)
		if st.Completed = p.hasCompleted(st.StudyID); st.Completed {
			st.CompletedUntil = p.completed[st.StudyID]
		}
		all.Studies = append(all.Studies, st)
	}
	for id, ends := range p.completed {
		if p.hasCompleted(id) && !slices.ContainsFunc(p.Studies, func(st store.PersonStudy) bool { return st.StudyID == id }) {
			all.Studies = append(all.Studies, store.PersonStudy{StudyID: id, Completed: true, CompletedUntil: ends})
		}
	}
	slices.SortFunc(all.Studies, func(a, b store.PersonStudy) int { return strings.Compare(a.StudyID, b.StudyID) })
	return all, nil
}

// Funnel implements [store.Interactions].
func (s *Store) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	if err := s.rlock(ctx, store.CheckID(studyID)); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	var days []store.FunnelDay
	for day := store.Day(from); day.Before(store.Day(to)); day = day.AddDate(0, 0, 1) {
		if f, ok := s.funnel[funnelKey{studyID, day}]; ok {
			days = append(days, *f)
		} else {
			days = append(days, store.FunnelDay{Day: day})
		}
	}
	return days, nil
}
