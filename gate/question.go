package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// A question is one decision in progress: what is known so far. A group passes one
// question from gate to gate.
type question struct {
	gate    *Gate
	visitor Visitor
	now     time.Time // when the decision began
	click   bool      // the visitor has clicked the prompt
	quiet   bool      // for Explain: nothing is counted, and a cached answer is not refreshed

	study   *study            // nil until a check needs it
	current bool              // the study is recent enough for its capacity to count
	seen    store.PersonStudy // what the visitor has seen of the study
	buf     []time.Time       // holds seen.Showings

	own store.Person // what the browser remembers, without what has been reset in the store since

	completedAt *time.Time // when the visitor last completed any study, nil until it was looked up

	person    *store.Person // what the store knows about the visitor, nil until it was read
	personErr error
}

// questions are pooled: checks are called through a table, so each question escapes to
// the heap.
var questions = sync.Pool{New: func() any { return new(pooled) }}

// pooled keeps questions a cache line apart, to avoid false sharing between processors.
type pooled struct {
	question
	_ [64]byte
}

func newQuestion(v *Visitor) *pooled {
	q := questions.Get().(*pooled)
	q.visitor, q.own, q.click, q.now = *v, v.History.seen, v.Occasion == OccasionClick, time.Now()
	return q
}

// free returns q to the pool and forgets the visitor.
func (q *pooled) free() {
	clear(q.buf)
	q.question = question{buf: q.buf[:0]}
	questions.Put(q)
}

// turnTo prepares q for a decision of g. It keeps what the store knows about the visitor
// if g has the same store.
func (q *question) turnTo(g *Gate) {
	if q.gate != nil { // otherwise there is nothing to forget
		q.study, q.current, q.seen = nil, false, store.PersonStudy{}
		if q.gate.source != g.source {
			q.person, q.personErr, q.completedAt = nil, nil, nil
			q.own = q.visitor.History.seen
		}
	}
	q.gate = g
}

func (q *question) deadline() time.Time {
	if q.click || q.quiet {
		return q.now.Add(q.gate.opts.ConfirmTimeout)
	}
	return q.now.Add(q.gate.opts.Timeout)
}

// errNoStudy means that the study has never been seen, so that nothing is known about
// the visitor's history with it. The reason is ReasonClosed.
var errNoStudy = errors.New("gate: no study has this id or name")

// identify sets q.study to an answer of any age.
func (q *question) identify(ctx context.Context) error {
	if q.study != nil {
		return nil
	}
	if known := q.gate.capacity.snapshot.Load().known; known != nil {
		q.study = known
		q.merge()
		return nil
	}
	return q.learnCapacity(ctx)
}

// learnCapacity sets q.study to an answer that is not too old, and waits for the provider
// if there is none.
func (q *question) learnCapacity(ctx context.Context) error {
	if q.current {
		return nil
	}
	c := q.gate.capacity
	maxAge := c.staleAfter
	if q.click {
		maxAge = min(maxAge, confirmAge)
	}
	cached := c.snapshot.Load()
	s := cached.answer(q.now, maxAge)
	if s != nil && !q.quiet && cached.isDue(q.now) {
		c.refresh(q.now)
	}
	if s == nil {
		// A page waits for the first answer, but not while the provider fails. A click
		// does: get says whether it is too early to try again.
		if !q.click {
			if err := c.down(q.now); err != nil {
				return err
			}
		}
		wait, cancel := context.WithDeadline(ctx, q.deadline())
		defer cancel()
		var err error
		if s, err = c.get(wait, maxAge); err != nil {
			return err
		}
	}
	switch {
	case q.study != nil && q.study.ID != s.ID:
		return errors.New("gate: another study now has this name")
	case s.ID == "":
		return errNoStudy
	}
	known := q.study != nil
	if q.study, q.current = s, true; !known {
		q.merge()
	}
	return nil
}

// askStore reads whether the visitor has completed the study and, if the store has
// Interactions, everything else that it knows about the visitor.
func (q *question) askStore(ctx context.Context) error {
	g, key := q.gate, store.Key{StudyID: q.study.ID, UserID: q.visitor.UserID}
	if g.persons == nil {
		done, err := q.completed(ctx, key)
		q.seen.Completed = done
		return err
	}
	if q.person != nil || q.personErr != nil {
		return q.personErr
	}
	done := false
	q.peek(func(cache store.Peeker) {
		// A cache keeps a completion longer than the rest of a Person.
		if completed, known := cache.Peek(key); completed && known && !q.quiet {
			done = true
		} else if p, known := cache.PeekPerson(key.UserID); known {
			q.person = p
		}
	})
	if done {
		q.seen.Completed = true
		return nil
	}
	if q.person == nil {
		persons := g.persons
		if q.click {
			persons = g.uncachedPersons
		}
		p, err := lookUp(ctx, q, "Person", func(ctx context.Context) (store.Person, error) { return persons.Person(ctx, key.UserID) })
		if err != nil {
			q.personErr = err
			return err
		}
		q.person = &p
	}
	if !isBlank(&q.own) {
		q.own = withoutReset(q.own, q.person)
	}
	q.merge()
	return nil
}

// completed reports whether a user has completed a study.
func (q *question) completed(ctx context.Context, k store.Key) (done bool, err error) {
	known := false
	q.peek(func(cache store.Peeker) { done, known = cache.Peek(k) })
	if known {
		return done, nil
	}
	store := q.gate.done
	if q.click {
		store = q.gate.uncached
	}
	return lookUp(ctx, q, "Completed", func(ctx context.Context) (bool, error) { return store.Completed(ctx, k) })
}

// merge sets q.seen to what the browser and the store know together.
func (q *question) merge() {
	if q.study == nil {
		return
	}
	q.seen = store.PersonStudy{}
	for i := range q.own.Studies {
		if s := &q.own.Studies[i]; s.StudyID == q.study.ID {
			q.seen = *s
		}
	}
	if q.person == nil {
		return
	}
	for i := range q.person.Studies {
		if s := &q.person.Studies[i]; s.StudyID == q.study.ID {
			q.seen, q.buf = mergeSeen(&q.seen, s, q.buf)
		}
	}
}

func (q *question) optedOut() bool {
	if q.person != nil {
		switch q.person.OptedOutAt.Compare(q.own.OptedOutAt) {
		case 0:
			return q.person.OptedOut || q.own.OptedOut
		case 1:
			return q.person.OptedOut
		}
	}
	return q.own.OptedOut
}

// lastShowing returns when the last showing of the study began.
func (q *question) lastShowing() time.Time {
	_, began := showings(&q.seen, q.gate.opts.Linger)
	return began
}

// lingersSince reports whether a showing that began at this time still lasts.
func (q *question) lingersSince(began time.Time) bool {
	return within(q.now, began, q.gate.opts.Linger)
}

// lastElsewhere returns when the prompt of another study was last seen, or its interview
// opened.
func (q *question) lastElsewhere() (at time.Time) {
	for i := range q.own.Studies {
		at = latest(at, q.elsewhere(&q.own.Studies[i]))
	}
	if q.person != nil {
		for i := range q.person.Studies {
			at = latest(at, q.elsewhere(&q.person.Studies[i]))
		}
	}
	return at
}

// lastCompletion returns when the visitor last completed a study, or the zero time. It
// reads the store only for users who have completed another study without opening it here,
// such as through a link in an e-mail.
func (q *question) lastCompletion(ctx context.Context) (time.Time, error) {
	if q.completedAt != nil {
		return *q.completedAt, nil
	}
	if q.gate.lister == nil || q.person == nil || !slices.ContainsFunc(q.person.Studies, func(s store.PersonStudy) bool {
		return s.Completed && s.OpenedAt.IsZero() && s.StudyID != q.study.ID
	}) {
		return time.Time{}, nil
	}
	lister := q.gate.lister
	f := store.Filter{UserID: q.visitor.UserID, NewestFirst: true}
	at, err := lookUp(ctx, q, "Completions", func(ctx context.Context) (at time.Time, err error) {
		for c, err := range lister.Completions(ctx, f) {
			return c.CompletedAt, err
		}
		return at, nil
	})
	if err == nil {
		q.completedAt = &at
	}
	return at, err
}

func (q *question) elsewhere(s *store.PersonStudy) time.Time {
	if q.study != nil && s.StudyID == q.study.ID {
		return time.Time{}
	}
	return latest(lastShown(s), s.OpenedAt)
}

func (q *question) prompt(p *Prompt) {
	s := q.study
	p.StudyID, p.StudyName, p.InterviewLink = s.ID, s.Name, s.InterviewLink
	p.languages = s.SupportedLanguages
	p.Language = suitable(s.SupportedLanguages, q.visitor.Languages)
	p.UserID = q.visitor.UserID
	p.Preview = q.visitor.Preview
	p.Seen = !q.visitor.Preview && len(q.seen.Showings) > 0 && q.lingersSince(q.lastShowing())
	p.reference = q.gate.reference
}

// peek calls look with the store's cache. Clicks are confirmed by the store itself.
func (q *question) peek(look func(cache store.Peeker)) {
	if q.gate.peeker == nil || q.click {
		return
	}
	var err error // has been logged
	defer q.gate.recovered("the store's Peek", &err)
	look(q.gate.peeker)
}

// lookUp calls ask with a context that outlives the request, because canceling a query
// closes its pooled connection. It waits no longer than the deadline, even for a store
// that ignores its context.
func lookUp[T any](ctx context.Context, q *question, what string, ask func(context.Context) (T, error)) (found T, err error) {
	g := q.gate
	if !time.Now().Before(q.deadline()) {
		return found, fmt.Errorf("gate: no time left for the store: %w", context.DeadlineExceeded)
	}
	select {
	case g.lookups <- struct{}{}:
	default:
		return found, errors.New("gate: too many look-ups wait for the store")
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), q.deadline())
	type answer struct {
		found T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-g.lookups }()
		defer cancel()
		var a answer
		defer func() { answers <- a }()
		defer g.recovered("the store's "+what, &a.err)
		a.found, a.err = ask(ctx)
	}()
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // the look-up cancels ctx after its answer, so both may be ready
		return a.found, a.err
	default:
		return found, fmt.Errorf("gate: store: %w", ctx.Err())
	}
}
