package storetest_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// noted spoils what is noted.
type noted struct {
	*memstore.Store
	spoil func(i *store.Interaction)
}

func (s noted) Note(ctx context.Context, i store.Interaction) error {
	s.spoil(&i)
	return s.Store.Note(ctx, i)
}

// inOrderOfArrival takes what comes last for what was given last.
func inOrderOfArrival(m *memstore.Store) store.Store {
	var mu sync.Mutex
	arrived := 0
	return noted{m, func(i *store.Interaction) {
		mu.Lock()
		defer mu.Unlock()
		if arrived++; i.Kind != store.InteractionShown {
			i.At = i.At.Add(time.Duration(arrived) * time.Hour)
		}
	}}
}

// showingAnswers takes a showing for the end of an answer.
type showingAnswers struct{ *memstore.Store }

func (s showingAnswers) Note(ctx context.Context, i store.Interaction) error {
	err := s.Store.Note(ctx, i)
	if i.Kind == store.InteractionShown && err == nil {
		i.Kind = store.InteractionUndone
		err = s.Store.Note(ctx, i)
	}
	return err
}

// firstShowings drops the showings that are too many.
type firstShowings struct{ *memstore.Store }

func (s firstShowings) Note(ctx context.Context, i store.Interaction) error {
	p, err := s.Store.Person(ctx, i.UserID)
	if err == nil && i.Kind == store.InteractionShown && len(p.Study(i.StudyID).Showings) >= store.MaxShowings {
		return nil
	}
	return s.Store.Note(ctx, i)
}

// dropsWhenBusy loses what is noted while something else is, and from then on all that
// is noted: what one history has lost may not show in it.
type dropsWhenBusy struct {
	*memstore.Store
	mu     sync.Mutex
	once   sync.Once
	broken chan struct{} // closed by the first call that finds another one
}

func (s *dropsWhenBusy) Note(ctx context.Context, i store.Interaction) error {
	if !s.mu.TryLock() {
		s.once.Do(func() { close(s.broken) })
		return nil
	}
	defer s.mu.Unlock()
	select { // a call has another one beside it, if it waits for that
	case <-s.broken:
		return nil
	case <-time.After(20 * time.Millisecond):
		return s.Store.Note(ctx, i)
	}
}

// resetKeepsAnswers resets the completion alone.
type resetKeepsAnswers struct{ *memstore.Store }

func (s resetKeepsAnswers) Reset(ctx context.Context, k store.Key) error {
	p, err := s.Store.Person(ctx, k.UserID)
	if err != nil {
		return err
	}
	err = s.Store.Reset(ctx, k)
	if had := p.Study(k.StudyID); err == nil && !had.AnsweredAt.IsZero() {
		err = s.Store.Note(ctx, store.Interaction{Key: k, Kind: had.Answer, At: had.AnsweredAt, Until: had.Until})
	}
	return err
}

// erased remembers who was.
type erased struct {
	*memstore.Store
	mu   sync.Mutex
	gone map[string]bool
}

func (s *erased) Erase(ctx context.Context, userID string) error {
	s.mu.Lock()
	s.gone[userID] = true
	s.mu.Unlock()
	return s.Store.Erase(ctx, userID)
}

func (s *erased) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.gone) > 0
}

type eraseForgetsAnswers struct{ *erased }

func (s eraseForgetsAnswers) Person(ctx context.Context, userID string) (store.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone[userID] {
		return store.Person{}, nil
	}
	return s.Store.Person(ctx, userID)
}

type eraseShrinksTheFunnel struct{ *erased }

func (s eraseShrinksTheFunnel) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	days, err := s.Store.Funnel(ctx, studyID, from, to)
	for i := range days {
		if s.any() {
			days[i] = store.FunnelDay{Day: days[i].Day}
		}
	}
	return days, err
}

// countsEvents counts every showing.
type countsEvents struct {
	*memstore.Store
	mu    sync.Mutex
	shown map[time.Time]int
}

func (s *countsEvents) Note(ctx context.Context, i store.Interaction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.Kind == store.InteractionShown {
		s.shown[store.Day(i.At)]++
	}
	return s.Store.Note(ctx, i)
}

func (s *countsEvents) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	days, err := s.Store.Funnel(ctx, studyID, from, to)
	for i := range days {
		days[i].Shown = s.shown[days[i].Day]
	}
	return days, err
}

type sparseFunnel struct{ *memstore.Store }

func (s sparseFunnel) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	all, err := s.Store.Funnel(ctx, studyID, from, to)
	var days []store.FunnelDay
	for _, d := range all {
		if d != (store.FunnelDay{Day: d.Day}) {
			days = append(days, d)
		}
	}
	return days, err
}

// lastSwitch takes the last call for the latest setting.
type lastSwitch struct {
	*memstore.Store
	mu  sync.Mutex
	set map[string]store.Switch
}

func (s *lastSwitch) SetSwitch(ctx context.Context, sw store.Switch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set[sw.Name] = sw
	return s.Store.SetSwitch(ctx, sw)
}

func (s *lastSwitch) Switches(ctx context.Context) ([]store.Switch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.Store.Switches(ctx)
	for i := range all {
		all[i] = s.set[all[i].Name]
	}
	return all, err
}

// expires spoils what is deleted by age.
type expires struct {
	*memstore.Store
	spoil func(before *time.Time, limit *int)
}

func (s expires) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	s.spoil(&before, &limit)
	return s.Store.DeleteExpired(ctx, what, before, limit)
}

// silentKinds returns no error for a kind that it does not know.
type silentKinds struct{ *memstore.Store }

func (s silentKinds) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	if store.CheckExpirable(what) != nil {
		return 0, nil
	}
	return s.Store.DeleteExpired(ctx, what, before, limit)
}

// requeuesRepeated queues a job at every repeated Record.
type requeuesRepeated struct {
	*memstore.Store
	repeated []store.Completion
}

func (s *requeuesRepeated) Record(ctx context.Context, c store.Completion) (bool, error) {
	first, err := s.Store.Record(ctx, c)
	if err == nil && !first {
		s.repeated = append(s.repeated, c)
	}
	return first, err
}

func (s *requeuesRepeated) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		for _, c := range s.repeated {
			if !yield(store.Job{Completion: c}, nil) {
				return
			}
		}
		s.Store.PendingJobs(ctx)(yield)
	}
}

// unrevised keeps Until and Ignored of the first call.
type unrevised struct {
	*memstore.Store
	first map[string]store.Completion
}

func (s *unrevised) Record(ctx context.Context, c store.Completion) (bool, error) {
	had, known := s.first[c.InterviewID]
	if !known {
		had = c
		s.first[c.InterviewID] = c
	}
	c.Until, c.Ignored = had.Until, had.Ignored
	return s.Store.Record(ctx, c)
}

// filtered spoils filters.
type filtered struct {
	*memstore.Store
	spoil func(f *store.Filter)
}

func (s filtered) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	s.spoil(&f)
	return s.Store.Completions(ctx, f)
}

// doubles records an interview under a second id too, now and then.
type doubles struct {
	*memstore.Store
	mu sync.Mutex
	n  int
}

func (s *doubles) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n%20 == 0 {
		again := c
		again.InterviewID += "'"
		if _, err := s.Store.Record(ctx, again); err != nil {
			return false, err
		}
	}
	return s.Store.Record(ctx, c)
}

// stale answers what was true before the last write.
type stale struct {
	*memstore.Store
	mu   sync.Mutex
	last map[store.Key]bool
}

func (s *stale) Completed(ctx context.Context, k store.Key) (bool, error) {
	done, err := s.Store.Completed(ctx, k)
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.last[k]
	s.last[k] = done
	return was, err
}

// timelessReset resets, and says of no study when.
type timelessReset struct{ *memstore.Store }

func (s timelessReset) Person(ctx context.Context, userID string) (store.Person, error) {
	p, err := s.Store.Person(ctx, userID)
	for i := range p.Studies {
		p.Studies[i].ResetAt = time.Time{}
	}
	return p, err
}

// boundless accepts what is about any study.
type boundless struct{ *memstore.Store }

func (s boundless) Note(ctx context.Context, i store.Interaction) error {
	if err := s.Store.Note(ctx, i); !errors.Is(err, store.ErrTooManyStudies) {
		return err
	}
	return nil
}

var brokenInteractions = []broken{
	{name: "answers in the order of arrival", caught: "interactions/the_last_answer", open: inOrderOfArrival},
	{name: "a showing ends an answer", caught: "interactions/a_showing", open: func(m *memstore.Store) store.Store { return showingAnswers{m} }},
	{name: "keeps the first showings", caught: "interactions/the_latest_showings", open: func(m *memstore.Store) store.Store { return firstShowings{m} }},
	{name: "loses what is noted at once", caught: "interactions/100_writers", open: func(m *memstore.Store) store.Store { return &dropsWhenBusy{Store: m, broken: make(chan struct{})} }},
	{name: "keeps times to the hour", caught: "interactions/everything_about", open: func(m *memstore.Store) store.Store {
		return noted{m, func(i *store.Interaction) { i.At = i.At.Truncate(time.Hour) }}
	}},
	{name: "keeps answers to the second", caught: "interactions/answers_of_one_second", open: func(m *memstore.Store) store.Store {
		return noted{m, func(i *store.Interaction) { i.At = i.At.Truncate(time.Second) }}
	}},
	{name: "an opt-out cannot be taken back", caught: "interactions/opting_out", open: func(m *memstore.Store) store.Store {
		return noted{m, func(i *store.Interaction) {
			if i.StudyID == "" {
				i.Kind = store.InteractionOptedOut
			}
		}}
	}},
	{name: "reset keeps the answer", caught: "interactions/reset_forgets", open: func(m *memstore.Store) store.Store { return resetKeepsAnswers{m} }},
	{name: "forgets when it was reset", caught: "interactions/a_reset_is_remembered", open: func(m *memstore.Store) store.Store { return timelessReset{m} }},
	{name: "keeps any number of studies", caught: "interactions/the_studies_of_a_user", open: func(m *memstore.Store) store.Store { return boundless{m} }},
	{name: "erase forgets the answer", caught: "interactions/an_erased", open: func(m *memstore.Store) store.Store {
		return eraseForgetsAnswers{&erased{Store: m, gone: map[string]bool{}}}
	}},
	{name: "erase shrinks the funnel", caught: "funnel/erase_leaves", open: func(m *memstore.Store) store.Store {
		return eraseShrinksTheFunnel{&erased{Store: m, gone: map[string]bool{}}}
	}},
	{name: "counts events instead of users", caught: "funnel/a_user_counts_once", open: func(m *memstore.Store) store.Store {
		return &countsEvents{Store: m, shown: map[time.Time]int{}}
	}},
	{name: "leaves out days without events", caught: "funnel/the_days", open: func(m *memstore.Store) store.Store { return sparseFunnel{m} }},
	{name: "the last call sets the switch", caught: "switches/the_later", open: func(m *memstore.Store) store.Store {
		return &lastSwitch{Store: m, set: map[string]store.Switch{}}
	}},
	{name: "deletes what is young", caught: "retention/old", open: func(m *memstore.Store) store.Store {
		return expires{m, func(before *time.Time, _ *int) { *before = before.AddDate(1, 0, 0) }}
	}},
	{name: "deletes without a limit", caught: "retention/deleted_in_batches", open: func(m *memstore.Store) store.Store {
		return expires{m, func(_ *time.Time, limit *int) { *limit = 1 << 30 }}
	}},
	{name: "deletes nothing of an unknown kind", caught: "retention/an_unknown_kind", open: func(m *memstore.Store) store.Store { return silentKinds{m} }},
	{name: "queues again what was deleted", caught: "retention/what_was_deleted", open: func(m *memstore.Store) store.Store { return &requeuesRepeated{Store: m} }},
	{name: "counts what is ignored", caught: "late/an_ignored", open: func(m *memstore.Store) store.Store {
		return record{m, func(c *store.Completion) { c.Ignored = false }}
	}},
	{name: "the first decision is final", caught: "late/a_late_quality_revises", open: func(m *memstore.Store) store.Store {
		return &unrevised{Store: m, first: map[string]store.Completion{}}
	}},
	{name: "ignores the quality", caught: "list/filters", open: func(m *memstore.Store) store.Store {
		return filtered{m, func(f *store.Filter) { f.Quality = "" }}
	}},
	{name: "always lists the oldest first", caught: "list/a_page", open: func(m *memstore.Store) store.Store {
		return filtered{m, func(f *store.Filter) { f.NewestFirst = false }}
	}},
	{name: "continues by time alone", caught: "list/a_page", open: func(m *memstore.Store) store.Store {
		return filtered{m, func(f *store.Filter) {
			if f.After != nil {
				f.After = &store.Completion{CompletedAt: f.After.CompletedAt, InterviewID: "~"}
			}
		}}
	}},
	{name: "records twice now and then", caught: "one_after_the_other", model: true, open: func(m *memstore.Store) store.Store { return &doubles{Store: m} }},
	{name: "answers what was true before", caught: "one_after_the_other", model: true, open: func(m *memstore.Store) store.Store {
		return &stale{Store: m, last: map[store.Key]bool{}}
	}},
	{name: "claims the youngest", caught: "one_after_the_other", model: true, open: func(m *memstore.Store) store.Store { return youngest{m} }},
	{name: "checks, and then acts", caught: "at_once", model: true, open: func(m *memstore.Store) store.Store { return &racyFirst{Store: m, seen: map[string]bool{}} }},
	{name: "loses notes beside others", caught: "at_once", model: true, open: func(m *memstore.Store) store.Store { return &dropsWhenBusy{Store: m, broken: make(chan struct{})} }},
}
