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

// A question is one decision in progress: what the checks know so far. A group
// passes one question from gate to gate.
type question struct {
	gate    *Gate
	visitor Visitor
	began   time.Time // zero until a check needs it; see now
	quiet   bool      // for Explain: nothing is counted, and no refresh started that can be spared

	study   *study            // nil until a check needs it
	current bool              // the study is recent enough for its capacity to count
	seen    store.PersonStudy // what the visitor has seen of the study
	buf     []time.Time       // holds seen.Showings

	own store.Person // what the browser remembers, without what the store has reset since

	completedAt *time.Time // when the visitor last completed any study, nil until it was looked up

	person    *store.Person // what the store knows about the visitor, nil until it was asked
	personErr error
}

// questions are reused: checks are called through a table, so the compiler puts
// each question on the heap.
var questions = sync.Pool{New: func() any { return new(pooled) }}

// pooled keeps questions a cache line apart. Two processors that write to two
// neighbors would take that line from each other.
type pooled struct {
	question
	_ [64]byte
}

func newQuestion(v *Visitor) *pooled {
	q := questions.Get().(*pooled)
	q.visitor, q.own = *v, v.History.seen
	return q
}

// free returns q to the pool and forgets the visitor.
func (q *pooled) free() {
	clear(q.buf)
	q.question = question{buf: q.buf[:0]}
	questions.Put(q)
}

// turnTo makes q a question to g. What the store knows about the visitor is kept
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

func (q *question) opts() *Options { return &q.gate.opts }
func (q *question) isClick() bool  { return q.visitor.Occasion == OccasionClick }
func (q *question) key() store.Key { return store.Key{StudyID: q.study.ID, UserID: q.visitor.UserID} }

// now returns when the decision began. The clock is first read when a check needs
// it: most visitors of a small share get no further.
func (q *question) now() time.Time {
	if q.began.IsZero() {
		q.began = time.Now()
	}
	return q.began
}

func (q *question) deadline() time.Time {
	if q.isClick() || q.quiet {
		return q.now().Add(q.opts().ConfirmTimeout)
	}
	return q.now().Add(q.opts().Timeout)
}

// errNoStudy stands for a study that was never seen, so that nothing can be said
// about a visitor's part in it. Its reason is ReasonClosed.
var errNoStudy = errors.New("gate: no study has this id or name")

// identify makes q.study known. An answer of any age will do.
func (q *question) identify(ctx context.Context) error {
	if q.study != nil {
		return nil
	}
	if known := q.gate.capacity.latest().known; known != nil {
		q.setStudy(known)
		return nil
	}
	return q.learnCapacity(ctx)
}

// learnCapacity makes q.study one that is not too old, if need be by waiting for
// the provider.
func (q *question) learnCapacity(ctx context.Context) error {
	if q.current {
		return nil
	}
	s, err := q.fetchCapacity(ctx)
	switch {
	case err != nil:
		return err
	case q.study != nil && q.study.ID != s.ID:
		return errors.New("gate: another study has taken the name meanwhile")
	case s.ID == "":
		return errNoStudy
	}
	q.current = true
	if q.study == nil {
		q.setStudy(s)
	}
	q.study = s
	return nil
}

func (q *question) setStudy(s *study) {
	q.study = s
	q.merge()
}

func (q *question) fetchCapacity(ctx context.Context) (*study, error) {
	c := q.gate.capacity
	maxAge := c.staleAfter
	if q.isClick() {
		maxAge = min(maxAge, confirmAge)
	}
	if q.quiet {
		if s := c.latest().answer(q.now(), maxAge); s != nil {
			return s, nil
		}
	} else if s := c.usable(q.now(), maxAge); s != nil {
		return s, nil
	}
	if !q.isClick() {
		// A page waits for the first answer, but not for a provider that is known
		// to fail.
		if err := c.down(q.now()); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithDeadline(ctx, q.deadline())
	defer cancel()
	return c.get(ctx, maxAge)
}

// askStore makes known whether the visitor has completed the study and, if the
// store has Interactions, everything else that it knows about the visitor.
func (q *question) askStore(ctx context.Context) error {
	g := q.gate
	if g.persons == nil {
		done, err := g.completed(ctx, q, q.key())
		q.seen.Completed = done
		return err
	}
	if q.person == nil && q.personErr == nil {
		if g.peeker != nil && !q.isClick() && !q.quiet {
			// A cache remembers a completion longer than the rest of a Person.
			if done, known := g.peekCompleted(q.key()); done && known {
				q.seen.Completed = true
				return nil
			}
		}
		if q.person, q.personErr = g.person(ctx, q); q.personErr == nil {
			q.own = withoutReset(q.own, q.person)
		}
		q.merge()
	}
	return q.personErr
}

// merge makes known what the visitor has seen of the study, by the browser and by the
// store.
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

// isBlank reports whether the visitor has seen and answered nothing, by what is
// known so far.
func (q *question) isBlank() bool {
	return q.visitor.History.IsZero() && (q.person == nil || len(q.person.Studies) == 0 && q.person.OptedOutAt.IsZero())
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
	_, began := showings(&q.seen, q.opts().Linger)
	return began
}

// lingersSince reports whether a showing that began then still lasts.
func (q *question) lingersSince(began time.Time) bool {
	return within(q.now(), began, q.opts().Linger)
}

// lastElsewhere returns when a prompt of another study was last seen, or its
// interview opened.
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

// lastCompletion returns when the visitor completed another study within the
// cool-down, or the zero time. The store is asked only about users who have
// completed one without opening it here, such as through a link in an e-mail.
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
	f := store.Filter{UserID: q.visitor.UserID, Since: q.now().Add(-q.opts().CoolDown), NewestFirst: true}
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

// person returns what the store knows about the visitor, from the store's cache if
// it has one.
func (g *Gate) person(ctx context.Context, q *question) (*store.Person, error) {
	if g.personPeeker != nil && !q.isClick() {
		if p, known := g.peekPerson(q.visitor.UserID); known {
			return p, nil
		}
	}
	id, persons := q.visitor.UserID, g.persons
	if q.isClick() {
		persons = g.uncachedPersons
	}
	p, err := lookUp(ctx, q, "Person", func(ctx context.Context) (store.Person, error) { return persons.Person(ctx, id) })
	return &p, err
}

// completed returns whether a user has completed a study, from the store's cache if it
// has one.
func (g *Gate) completed(ctx context.Context, q *question, k store.Key) (bool, error) {
	if g.peeker != nil && !q.isClick() {
		if done, known := g.peekCompleted(k); known {
			return done, nil
		}
	}
	done := g.done
	if q.isClick() {
		done = g.uncached
	}
	return lookUp(ctx, q, "Completed", func(ctx context.Context) (bool, error) { return done.Completed(ctx, k) })
}

func (g *Gate) peekPerson(userID string) (p *store.Person, known bool) {
	var err error
	defer g.recovered("the store's PeekPerson", &err)
	return g.personPeeker.PeekPerson(userID)
}

func (g *Gate) peekCompleted(k store.Key) (done, known bool) {
	var err error
	defer g.recovered("the store's Peek", &err)
	return g.peeker.Peek(k)
}

// lookUp asks the store on a context that the end of the request does not cancel,
// because a browser that leaves would close a pooled connection in the middle of a
// query. It waits no longer than the deadline, even for a store that ignores its
// context.
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
	case a := <-answers: // both have come: the look-up ends ctx after its answer
		return a.found, a.err
	default:
		return found, fmt.Errorf("gate: store: %w", ctx.Err())
	}
}
