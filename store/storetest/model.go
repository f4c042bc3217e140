package storetest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// model is the simplest implementation of the contract: every call looks at
// everything. Its values are never changed in place, so that a clone is cheap.
type model struct {
	interviews  map[string]modelInterview
	jobs        map[string]modelJob         // by interview id
	transcripts map[string]store.Transcript // by interview id
	erased      map[string]bool             // users
	marks       map[store.Key]time.Time     // what erased users have completed, and until when
	notes       map[string][]store.Interaction
	resets      map[store.Key]bool
	firsts      map[modelFirst]time.Time // the day on which a user counts in the funnel
	letters     map[string]store.DeadLetter
	checkpoints map[string]modelCheckpoint
	switches    map[string]store.Switch
}

type modelInterview struct {
	store.Completion
	gone  bool // known as an erased user's
	reset bool // no longer completes the study
}

type modelJob struct {
	dead, due, fetched bool
	attempts           int
	reason, claim      string
}

type modelFirst struct {
	store.Key
	column string
}

type modelCheckpoint struct {
	holder, state string
	running       bool // the lease is not over
}

func newModel() *model {
	return &model{
		map[string]modelInterview{}, map[string]modelJob{}, map[string]store.Transcript{}, map[string]bool{}, map[store.Key]time.Time{},
		map[string][]store.Interaction{}, map[store.Key]bool{}, map[modelFirst]time.Time{}, map[string]store.DeadLetter{}, map[string]modelCheckpoint{}, map[string]store.Switch{},
	}
}

func (m *model) clone() *model {
	return &model{
		maps.Clone(m.interviews), maps.Clone(m.jobs), maps.Clone(m.transcripts), maps.Clone(m.erased), maps.Clone(m.marks),
		maps.Clone(m.notes), maps.Clone(m.resets), maps.Clone(m.firsts), maps.Clone(m.letters), maps.Clone(m.checkpoints), maps.Clone(m.switches),
	}
}

// counts reports whether a completion that ends at until counts now. The calls of
// the model test know only times that are long past or far away.
func counts(until time.Time) bool { return until.IsZero() || until.After(time.Now()) }

// completed returns whether and until when the user has completed the study.
func (m *model) completed(k store.Key) (done bool, until time.Time) {
	until, done = m.marks[k]
	for _, i := range m.interviews {
		if i.Key == k && !i.reset && !i.Ignored {
			until, done = later(done, until, i.Until), true
		}
	}
	if !done || !counts(until) {
		return false, time.Time{}
	}
	return true, until
}

// later returns the later of two ends. The zero time is never.
func later(known bool, a, b time.Time) time.Time {
	switch {
	case !known:
		return b
	case a.IsZero() || b.IsZero():
		return time.Time{}
	case a.After(b):
		return a
	}
	return b
}

func (m *model) record(c store.Completion) (first bool) {
	i, known := m.interviews[c.InterviewID]
	user := c.UserID
	if !known {
		i.Completion = c
		i.UserID = ""
		m.jobs[c.InterviewID] = modelJob{due: true}
	} else if i.Quality == "" && c.Quality != "" {
		i.Quality, i.Until, i.Ignored = c.Quality, c.Until, c.Ignored
	}
	switch named := i.UserID == "" && !i.gone && user != ""; {
	case named && m.erased[user]:
		i.gone = true
		m.forget(c.InterviewID)
		if !i.Ignored {
			m.mark(store.Key{StudyID: i.StudyID, UserID: user}, i)
		}
	case named:
		i.UserID = user
	}
	if i.UserID != "" && !i.Ignored && !i.reset {
		m.count(i.Key, "completed", i.CompletedAt)
	}
	m.interviews[c.InterviewID] = i
	return !known
}

func (m *model) mark(k store.Key, i modelInterview) {
	had, marked := m.marks[k]
	m.marks[k] = later(marked, had, i.Until)
	m.count(k, "completed", i.CompletedAt)
}

func (m *model) count(k store.Key, column string, at time.Time) {
	first, day := modelFirst{k, column}, store.Day(at)
	if had, counted := m.firsts[first]; !counted || day.Before(had) {
		m.firsts[first] = day
	}
}

func (m *model) forget(interviewID string) {
	delete(m.jobs, interviewID)
	delete(m.transcripts, interviewID)
}

func (m *model) reset(k store.Key) {
	for id, i := range m.interviews {
		if i.Key == k {
			i.reset = true
			m.interviews[id] = i
		}
	}
	delete(m.marks, k)
	m.resets[k] = true
	m.notes[k.UserID] = slices.DeleteFunc(slices.Clone(m.notes[k.UserID]), func(n store.Interaction) bool { return n.StudyID == k.StudyID })
}

func (m *model) erase(userID string) {
	m.erased[userID] = true
	for id, i := range m.interviews {
		if i.UserID != userID {
			continue
		}
		if !i.reset && !i.Ignored {
			m.mark(i.Key, i)
		}
		i.UserID, i.gone = "", true
		m.interviews[id] = i
		m.forget(id)
	}
}

func (m *model) list(f store.Filter) []store.Completion {
	order := func(a, b store.Completion) int {
		c := cmp.Or(a.CompletedAt.Compare(b.CompletedAt), strings.Compare(a.InterviewID, b.InterviewID))
		if f.NewestFirst {
			return -c
		}
		return c
	}
	var found []store.Completion
	for _, i := range m.interviews {
		if (f.StudyID == "" || f.StudyID == i.StudyID) && (f.UserID == "" || f.UserID == i.UserID) &&
			(f.InterviewID == "" || f.InterviewID == i.InterviewID) && (f.Quality == "" || f.Quality == i.Quality) &&
			!i.CompletedAt.Before(f.Since) && (f.After == nil || order(i.Completion, *f.After) > 0) {
			found = append(found, i.Completion)
		}
	}
	slices.SortFunc(found, order)
	return found
}

func (m *model) note(i store.Interaction) {
	m.notes[i.UserID] = append(slices.Clone(m.notes[i.UserID]), i)
	if i.Kind == store.InteractionShown || i.Kind == store.InteractionOpened || i.Kind == store.InteractionSnoozed || i.Kind == store.InteractionDeclined {
		m.count(i.Key, i.Kind.String(), i.At)
	}
}

// person derives what is known about a user from everything that was ever noted.
func (m *model) person(userID string) store.Person {
	var p store.Person
	studies := map[string]store.PersonStudy{}
	latest := map[string]store.Interaction{} // answers, by study
	for _, n := range m.notes[userID] {
		s := studies[n.StudyID]
		switch n.Kind {
		case store.InteractionShown:
			if !slices.ContainsFunc(s.Showings, n.At.Equal) {
				s.Showings = append(s.Showings, n.At)
			}
		case store.InteractionOpened:
			if n.At.After(s.OpenedAt) {
				s.OpenedAt = n.At
			}
		default:
			had, answered := latest[n.StudyID]
			if !answered || cmp.Or(n.At.Compare(had.At), cmp.Compare(n.Kind, had.Kind), n.Until.Compare(had.Until)) > 0 {
				latest[n.StudyID] = n
			}
		}
		studies[n.StudyID] = s
	}
	for study, n := range latest {
		if study == "" {
			p.OptedOut, p.OptedOutAt = n.Kind == store.InteractionOptedOut, n.At
			continue
		}
		s := studies[study]
		s.Answer, s.AnsweredAt, s.Until = n.Kind, n.At, n.Until
		studies[study] = s
	}
	delete(studies, "")
	look := func(studyID string) { // at a study below, of which nothing else may be known
		s := studies[studyID]
		studies[studyID] = s
	}
	for _, i := range m.interviews {
		if i.UserID == userID {
			look(i.StudyID)
		}
	}
	for k := range m.marks {
		if k.UserID == userID {
			look(k.StudyID)
		}
	}
	for k := range m.resets {
		if k.UserID == userID {
			look(k.StudyID)
		}
	}
	for id, s := range studies {
		s.StudyID = id
		if m.resets[store.Key{StudyID: id, UserID: userID}] {
			s.ResetAt = base
		}
		s.Completed, s.CompletedUntil = m.completed(store.Key{StudyID: id, UserID: userID})
		slices.SortFunc(s.Showings, time.Time.Compare)
		s.Showings = s.Showings[max(0, len(s.Showings)-store.MaxShowings):]
		p.Studies = append(p.Studies, s)
	}
	return tidy(p)
}

// tidy puts the studies of a person in order and drops those about which nothing
// is known, which a store may list or not.
func tidy(p store.Person) store.Person {
	p.Studies = slices.DeleteFunc(slices.Clone(p.Studies), func(s store.PersonStudy) bool {
		return !s.Completed && len(s.Showings) == 0 && s.OpenedAt.IsZero() && s.AnsweredAt.IsZero() && s.ResetAt.IsZero()
	})
	for i := range p.Studies {
		if p.Studies[i].AnsweredAt.IsZero() {
			p.Studies[i].Answer = 0
		}
		if len(p.Studies[i].Showings) == 0 {
			p.Studies[i].Showings = nil
		}
	}
	slices.SortFunc(p.Studies, func(a, b store.PersonStudy) int { return strings.Compare(a.StudyID, b.StudyID) })
	if len(p.Studies) == 0 {
		p.Studies = nil
	}
	return p
}

func (m *model) funnel(studyID string, from, to time.Time) []store.FunnelDay {
	var days []store.FunnelDay
	for day := store.Day(from); day.Before(store.Day(to)); day = day.AddDate(0, 0, 1) {
		f := store.FunnelDay{Day: day}
		for first, on := range m.firsts {
			if first.StudyID == studyID && on.Equal(day) {
				*map[string]*int{
					"shown": &f.Shown, "opened": &f.Opened, "snoozed": &f.Snoozed, "declined": &f.Declined, "completed": &f.Completed,
				}[first.column]++
			}
		}
		days = append(days, f)
	}
	return days
}

// job returns a job as it is listed, without the times that only the store knows.
func (m *model) job(id string) store.Job {
	j := m.jobs[id]
	return store.Job{Completion: m.interviews[id].Completion, Attempts: j.attempts, Reason: j.reason, Fetched: j.fetched}
}

// due returns the interviews whose jobs can be claimed.
func (m *model) due() map[string]bool {
	due := map[string]bool{}
	for id, j := range m.jobs {
		if j.due && !j.dead {
			due[id] = true
		}
	}
	return due
}

// withClaim changes the job that j has claimed.
func (m *model) withClaim(j store.Job, change func(*modelJob)) error {
	have, ok := m.jobs[j.InterviewID]
	if !ok || have.dead || have.claim == "" || have.claim != j.Claim {
		return store.ErrLeaseLost
	}
	change(&have)
	m.jobs[j.InterviewID] = have
	return nil
}
