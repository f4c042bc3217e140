package storetest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// call is one call of a store's method.
type call struct {
	name string

	// make calls the store and returns what came back, or an error that no store
	// may return.
	make func(ctx context.Context, s *subject) (got any, err error)

	// follow makes the call in the model. It returns what the contract wants. Where
	// the contract leaves a choice, it goes by what the store has chosen in got.
	follow func(m *model, got any) (want any)
}

// result is what a method returned: a value, and one of the errors of package store.
type result struct {
	value any
	err   error
}

func (r result) String() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("%+v", r.value)
}

func newCall[T any](name string, do func(ctx context.Context, s *subject) (T, error), follow func(m *model, got T) (T, error)) call {
	return call{name, func(ctx context.Context, s *subject) (any, error) {
		value, err := do(ctx, s)
		for _, known := range []error{store.ErrLeaseLost, store.ErrNotFound} {
			if errors.Is(err, known) {
				return result{*new(T), known}, nil
			}
		}
		return result{value, nil}, err
	}, func(m *model, got any) any {
		value, err := follow(m, got.(result).value.(T))
		if err != nil {
			return result{*new(T), err}
		}
		return result{value, nil}
	}}
}

// same reports whether the store returned what the contract wants. A list without
// elements may be nil or not.
func same(want, got any) bool {
	w, g := want.(result), got.(result)
	if w.err != nil || g.err != nil {
		return w.err == g.err
	}
	if v := reflect.ValueOf(w.value); v.Kind() == reflect.Slice && v.Len() == 0 {
		return reflect.ValueOf(g.value).Len() == 0
	}
	return reflect.DeepEqual(w.value, g.value)
}

// none is the value of a method that returns an error alone.
type none struct{}

func effect(name string, do func(ctx context.Context, s *subject) error, follow func(m *model) error) call {
	return newCall(name, func(ctx context.Context, s *subject) (none, error) { return none{}, do(ctx, s) },
		func(m *model, _ none) (none, error) { return none{}, follow(m) })
}

// caller makes random calls about a few users, studies and interviews.
type caller struct {
	*rand.Rand
	users, studies, interviews []string
	has                        capability
	alone                      bool // nobody else calls the store meanwhile
	jobs                       *claims
}

// claims are the jobs that were claimed so far.
type claims struct {
	sync.Mutex
	all []store.Job
}

// add returns an error if a claim is the same as an earlier one.
func (c *claims) add(jobs []store.Job) error {
	c.Lock()
	defer c.Unlock()
	for _, j := range jobs {
		if slices.ContainsFunc(c.all, func(old store.Job) bool { return old.InterviewID == j.InterviewID && old.Claim == j.Claim }) {
			return fmt.Errorf("the claim of %q is the one of an earlier claim", j.InterviewID)
		}
		c.all = append(c.all, j)
	}
	return nil
}

// some returns one of the jobs that were claimed last, or one that never was.
func (c *claims) some(n int) store.Job {
	c.Lock()
	defer c.Unlock()
	if len(c.all) == 0 {
		return store.Job{Completion: store.Completion{InterviewID: "never claimed"}, Claim: "1"}
	}
	return c.all[max(0, len(c.all)-1-n)]
}

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// next returns a random call of a method that the store has.
func (c *caller) next() call {
	for {
		kind := calls[c.IntN(len(calls))]
		if kind.needs&^c.has == 0 && (c.alone || !kind.alone) {
			return kind.new(c)
		}
	}
}

// calls are the kinds of calls; those that are made more often come twice.
var calls = []struct {
	needs capability
	alone bool // its result depends on what other callers do with other ids
	new   func(c *caller) call
}{
	{0, false, (*caller).record}, {0, false, (*caller).record}, {0, false, (*caller).record}, {0, false, (*caller).record},
	{0, false, (*caller).completed}, {0, false, (*caller).completed},
	{resetter, false, (*caller).reset},
	{eraser, false, (*caller).erase},
	{lister, false, (*caller).list},
	{interactions, false, (*caller).note}, {interactions, false, (*caller).note}, {interactions, false, (*caller).note},
	{interactions, false, (*caller).person}, {interactions, false, (*caller).person},
	{interactions, false, (*caller).funnel},
	{transcripts, false, (*caller).claim}, {transcripts, false, (*caller).claim}, {transcripts, false, (*caller).claim},
	{transcripts, false, (*caller).handle}, {transcripts, false, (*caller).handle}, {transcripts, false, (*caller).handle},
	{transcripts, false, (*caller).requeue},
	{transcripts, false, (*caller).queue},
	{transcripts, false, (*caller).transcript},
	{retention, false, (*caller).deleteTranscript},
	{retention | transcripts, true, (*caller).deleteExpired},
	{deadLetters, false, (*caller).letter},
	{checkpoints, false, (*caller).checkpoint},
	{switches, true, (*caller).flip},
}

func (c *caller) key() store.Key {
	return store.Key{StudyID: oneOf(c.Rand, c.studies...), UserID: oneOf(c.Rand, c.users...)}
}

// at returns one of a few instants on one of three days.
func (c *caller) at() time.Time {
	return base.Truncate(time.Second).Add(time.Duration(c.IntN(3))*24*time.Hour + time.Duration(c.IntN(4))*time.Second)
}

func (c *caller) record() call {
	done := store.Completion{
		Key: c.key(), InterviewID: oneOf(c.Rand, c.interviews...), CompletedAt: c.at(),
		Quality: oneOf(c.Rand, "", "", "successful", "unsuccessful"), Language: oneOf(c.Rand, "", "de"),
		Duration: time.Duration(c.IntN(3)) * time.Minute, Ignored: c.IntN(4) == 0,
		Until: oneOf(c.Rand, time.Time{}, time.Time{}, base, base.AddDate(100, 0, 0)),
	}
	if c.IntN(4) == 0 {
		done.UserID = ""
	}
	return newCall(fmt.Sprintf("Record(%+v)", done),
		func(ctx context.Context, s *subject) (bool, error) { return s.Record(ctx, done) },
		func(m *model, _ bool) (bool, error) { return m.record(done), nil })
}

func (c *caller) completed() call {
	k := c.key()
	return newCall(fmt.Sprintf("Completed(%+v)", k),
		func(ctx context.Context, s *subject) (bool, error) { return s.Completed(ctx, k) },
		func(m *model, _ bool) (bool, error) {
			done, _ := m.completed(k)
			return done, nil
		})
}

func (c *caller) reset() call {
	k := c.key()
	return effect(fmt.Sprintf("Reset(%+v)", k),
		func(ctx context.Context, s *subject) error { return s.Reset(ctx, k) },
		func(m *model) error { m.reset(k); return nil })
}

func (c *caller) erase() call {
	user := oneOf(c.Rand, c.users...)
	return effect(fmt.Sprintf("Erase(%q)", user),
		func(ctx context.Context, s *subject) error { return s.Erase(ctx, user) },
		func(m *model) error { m.erase(user); return nil })
}

func (c *caller) list() call {
	f := store.Filter{StudyID: oneOf(c.Rand, c.studies...), NewestFirst: c.IntN(2) == 0}
	switch c.IntN(5) {
	case 0:
		f.UserID = oneOf(c.Rand, c.users...)
	case 1:
		f.InterviewID = oneOf(c.Rand, c.interviews...)
	case 2:
		f.Quality = "successful"
	case 3:
		f.Since = c.at()
	case 4:
		f.After = &store.Completion{CompletedAt: c.at(), InterviewID: oneOf(c.Rand, c.interviews...)}
	}
	return newCall(fmt.Sprintf("Completions(%+v)", f),
		func(ctx context.Context, s *subject) ([]store.Completion, error) {
			return collect(s.Completions(ctx, f))
		},
		func(m *model, _ []store.Completion) ([]store.Completion, error) { return m.list(f), nil })
}

func (c *caller) note() call {
	n := store.Interaction{Key: c.key(), Kind: store.InteractionKind(c.IntN(int(store.InteractionOptedOut) + 1)), At: c.at()}
	switch n.Kind {
	case store.InteractionOptedOut:
		n.StudyID = ""
	case store.InteractionUndone:
		n.StudyID = oneOf(c.Rand, n.StudyID, "")
	case store.InteractionSnoozed:
		n.Until = n.At.Add(time.Duration(1+c.IntN(2)) * time.Hour)
	}
	return effect(fmt.Sprintf("Note(%+v)", n),
		func(ctx context.Context, s *subject) error { return s.Note(ctx, n) },
		func(m *model) error { m.note(n); return nil })
}

func (c *caller) person() call {
	user := oneOf(c.Rand, c.users...)
	return newCall(fmt.Sprintf("Person(%q)", user),
		func(ctx context.Context, s *subject) (store.Person, error) {
			p, err := s.Person(ctx, user)
			return tidy(p), err
		},
		func(m *model, _ store.Person) (store.Person, error) { return m.person(user), nil })
}

func (c *caller) funnel() call {
	study, from := oneOf(c.Rand, c.studies...), c.at()
	to := from.AddDate(0, 0, c.IntN(5))
	return newCall(fmt.Sprintf("Funnel(%q, %v, %v)", study, from, to),
		func(ctx context.Context, s *subject) ([]store.FunnelDay, error) {
			return s.Funnel(ctx, study, from, to)
		},
		func(m *model, _ []store.FunnelDay) ([]store.FunnelDay, error) { return m.funnel(study, from, to), nil })
}

// lease is over at once, or not as long as the test runs.
func (c *caller) lease() time.Duration { return oneOf(c.Rand, 0, -time.Second, time.Hour) }

// claim claims jobs. Alone, the store must choose the first ones in the order of
// PendingJobs. Beside other calls it may pass over jobs that those work on.
func (c *caller) claim() call {
	lease, limit := c.lease(), c.IntN(3)
	var queue []store.Job
	return newCall(fmt.Sprintf("ClaimJobs(%v, %d)", lease, limit),
		func(ctx context.Context, s *subject) ([]store.Job, error) {
			var err error
			if c.alone {
				if queue, err = collect(s.PendingJobs(ctx)); err != nil {
					return nil, err
				}
			}
			jobs, err := s.ClaimJobs(ctx, lease, limit)
			err = errors.Join(err, c.jobs.add(jobs))
			for i := range jobs {
				jobs[i].QueuedAt, jobs[i].DueAt = time.Time{}, time.Time{}
			}
			return jobs, err
		},
		func(m *model, got []store.Job) (want []store.Job, err error) {
			due := m.due()
			choice, n := got, min(limit, len(got))
			if c.alone {
				n = min(limit, len(due))
				choice = slices.DeleteFunc(slices.Clone(queue), func(j store.Job) bool { return !due[j.InterviewID] })
			}
			for i, j := range choice[:min(n, len(choice))] {
				if !due[j.InterviewID] {
					break
				}
				delete(due, j.InterviewID) // not twice
				claimed := m.job(j.InterviewID)
				if i < len(got) {
					claimed.Claim = got[i].Claim
				}
				want = append(want, claimed)
				have := m.jobs[j.InterviewID]
				have.claim, have.due = claimed.Claim, lease <= 0
				m.jobs[j.InterviewID] = have
			}
			if len(want) < n { // the store has claimed too few, or what is not due
				want = append(want, store.Job{Reason: "another job that is due"})
			}
			return want, nil
		})
}

// handle does something with a job that was claimed, lately or long ago.
func (c *caller) handle() call {
	lease, nth := c.lease(), c.IntN(3)
	attempts, reason := c.IntN(5), oneOf(c.Rand, "", "boom", "503")
	body := oneOf(c.Rand, "{}", "[]", "\x00\xff")
	var j store.Job // known when the call is made
	with := func(name string, do func(ctx context.Context, s *subject) error, change func(m *model, have *modelJob)) call {
		made := effect(name, func(ctx context.Context, s *subject) error {
			j = c.jobs.some(nth)
			j.Attempts, j.Reason = attempts, reason
			return do(ctx, s)
		}, func(m *model) error {
			return m.withClaim(j, func(have *modelJob) { change(m, have) })
		})
		return made
	}
	switch c.IntN(5) {
	case 0:
		return with(fmt.Sprintf("ExtendJob(%v)", lease),
			func(ctx context.Context, s *subject) error { return s.ExtendJob(ctx, j, lease) },
			func(_ *model, have *modelJob) { have.due = lease <= 0 })
	case 1:
		return with("SaveTranscript", func(ctx context.Context, s *subject) error {
			return s.SaveTranscript(ctx, j, store.Transcript{InterviewID: j.InterviewID, FetchedAt: base, Body: []byte(body)})
		}, func(m *model, have *modelJob) {
			have.fetched = true
			m.transcripts[j.InterviewID] = store.Transcript{InterviewID: j.InterviewID, FetchedAt: base, Body: []byte(body)}
		})
	case 2:
		return effect("FinishJob", func(ctx context.Context, s *subject) error {
			j = c.jobs.some(nth)
			return s.FinishJob(ctx, j)
		}, func(m *model) error {
			err := m.withClaim(j, func(*modelJob) {})
			if err == nil {
				delete(m.jobs, j.InterviewID)
			}
			return err
		})
	case 3:
		return with(fmt.Sprintf("PostponeJob(%v)", lease),
			func(ctx context.Context, s *subject) error { return s.PostponeJob(ctx, j, lease) },
			func(_ *model, have *modelJob) {
				have.attempts, have.reason, have.claim, have.due = attempts, reason, "", lease <= 0
			})
	default:
		return with("KillJob", func(ctx context.Context, s *subject) error { return s.KillJob(ctx, j) },
			func(_ *model, have *modelJob) {
				have.attempts, have.reason, have.claim, have.dead = attempts, reason, "", true
			})
	}
}

func (c *caller) requeue() call {
	id := oneOf(c.Rand, c.interviews...)
	again := func(m *model, id string) {
		_, fetched := m.transcripts[id]
		m.jobs[id] = modelJob{due: true, fetched: fetched}
	}
	if c.alone && c.IntN(2) == 0 {
		return newCall("RequeueJobs()",
			func(ctx context.Context, s *subject) (int, error) { return s.RequeueJobs(ctx) },
			func(m *model, _ int) (n int, err error) {
				for id, j := range m.jobs {
					if j.dead {
						again(m, id)
						n++
					}
				}
				return n, nil
			})
	}
	return effect(fmt.Sprintf("RequeueJob(%q)", id),
		func(ctx context.Context, s *subject) error { return s.RequeueJob(ctx, id) },
		func(m *model) error {
			if !m.jobs[id].dead {
				return store.ErrNotFound
			}
			again(m, id)
			return nil
		})
}

// queue lists one half of the queue and compares it in the order of the ids; the
// order of the store must be the one of its own times.
func (c *caller) queue() call {
	dead := c.IntN(2) == 0
	byID := func(a, b store.Job) int { return strings.Compare(a.InterviewID, b.InterviewID) }
	return newCall(fmt.Sprintf("jobs(dead: %v)", dead),
		func(ctx context.Context, s *subject) ([]store.Job, error) {
			list := s.PendingJobs
			if dead {
				list = s.DeadJobs
			}
			jobs, err := collect(list(ctx))
			jobs = slices.DeleteFunc(jobs, func(j store.Job) bool { return !c.alone && !slices.Contains(c.interviews, j.InterviewID) })
			if !slices.IsSortedFunc(jobs, func(a, b store.Job) int { return cmp.Or(a.DueAt.Compare(b.DueAt), byID(a, b)) }) {
				return nil, fmt.Errorf("not in the order of due times and ids: %+v", jobs)
			}
			slices.SortFunc(jobs, byID)
			for i := range jobs {
				jobs[i].QueuedAt, jobs[i].DueAt = time.Time{}, time.Time{}
			}
			return jobs, err
		},
		func(m *model, _ []store.Job) (want []store.Job, err error) {
			for _, id := range slices.Sorted(maps.Keys(m.jobs)) {
				if m.jobs[id].dead == dead {
					want = append(want, m.job(id))
				}
			}
			return want, nil
		})
}

func (c *caller) transcript() call {
	id := oneOf(c.Rand, c.interviews...)
	return newCall(fmt.Sprintf("Transcript(%q)", id),
		func(ctx context.Context, s *subject) (store.Transcript, error) { return s.Transcript(ctx, id) },
		func(m *model, _ store.Transcript) (store.Transcript, error) {
			if t, ok := m.transcripts[id]; ok {
				return t, nil
			}
			return store.Transcript{}, store.ErrNotFound
		})
}

func (c *caller) deleteTranscript() call {
	id := oneOf(c.Rand, c.interviews...)
	return effect(fmt.Sprintf("DeleteTranscript(%q)", id),
		func(ctx context.Context, s *subject) error { return s.DeleteTranscript(ctx, id) },
		func(m *model) error {
			_, stored := m.transcripts[id]
			if _, queued := m.jobs[id]; !stored && !queued {
				return store.ErrNotFound
			}
			m.forget(id)
			return nil
		})
}

func (c *caller) deleteExpired() call {
	what := oneOf(c.Rand, store.ExpiredTranscripts, store.ExpiredDeadJobs, store.ExpiredDeadLetters)
	before := oneOf(c.Rand, base.AddDate(-1, 0, 0), base.AddDate(50, 0, 0)) // nothing, or all
	return newCall(fmt.Sprintf("DeleteExpired(%v, %v)", what, before),
		func(ctx context.Context, s *subject) (int, error) { return s.DeleteExpired(ctx, what, before, 1000) },
		func(m *model, _ int) (n int, err error) {
			if before.Before(base) {
				return 0, nil
			}
			switch what {
			case store.ExpiredTranscripts:
				for id := range m.transcripts {
					if _, queued := m.jobs[id]; !queued {
						delete(m.transcripts, id)
						n++
					}
				}
			case store.ExpiredDeadJobs:
				for id, j := range m.jobs {
					if j.dead {
						delete(m.jobs, id)
						n++
					}
				}
			case store.ExpiredDeadLetters:
				n = len(m.letters)
				clear(m.letters)
			}
			return n, nil
		})
}

func (c *caller) letter() call {
	body := oneOf(c.Rand, c.interviews...) + oneOf(c.Rand, "", "\x00")
	sum := sha256.Sum256([]byte(body))
	id := hex.EncodeToString(sum[:])
	switch c.IntN(3) {
	case 0:
		d := store.DeadLetter{ReceivedAt: c.at(), Reason: oneOf(c.Rand, "not JSON", "no study"), Body: []byte(body)}
		return effect(fmt.Sprintf("AddDeadLetter(%+v)", d),
			func(ctx context.Context, s *subject) error { return s.AddDeadLetter(ctx, d) },
			func(m *model) error {
				kept := d
				kept.ID = id
				if _, known := m.letters[id]; !known {
					m.letters[id] = kept
				}
				return nil
			})
	case 1:
		return effect(fmt.Sprintf("DeleteDeadLetter(%q)", id),
			func(ctx context.Context, s *subject) error { return s.DeleteDeadLetter(ctx, id) },
			func(m *model) error {
				if _, known := m.letters[id]; !known {
					return store.ErrNotFound
				}
				delete(m.letters, id)
				return nil
			})
	default:
		mine := func(d store.DeadLetter) bool {
			return c.alone || slices.Contains(c.interviews, strings.TrimSuffix(string(d.Body), "\x00"))
		}
		return newCall("DeadLetters()",
			func(ctx context.Context, s *subject) ([]store.DeadLetter, error) {
				all, err := collect(s.DeadLetters.DeadLetters(ctx))
				return slices.DeleteFunc(all, func(d store.DeadLetter) bool { return !mine(d) }), err
			},
			func(m *model, _ []store.DeadLetter) ([]store.DeadLetter, error) {
				return slices.SortedFunc(maps.Values(m.letters), func(a, b store.DeadLetter) int {
					return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
				}), nil
			})
	}
}

func (c *caller) checkpoint() call {
	name, holder := oneOf(c.Rand, c.studies...), oneOf(c.Rand, c.users...)
	state, lease := oneOf(c.Rand, "", "page 2", "日本"), c.lease()
	save := func(m *model, running bool) error {
		if m.checkpoints[name].holder != holder {
			return store.ErrLeaseLost
		}
		m.checkpoints[name] = modelCheckpoint{holder, state, running}
		return nil
	}
	switch c.IntN(3) {
	case 0:
		type acquired struct {
			state string
			ok    bool
		}
		return newCall(fmt.Sprintf("Acquire(%q, %q, %v)", name, holder, lease),
			func(ctx context.Context, s *subject) (acquired, error) {
				state, ok, err := s.Acquire(ctx, name, holder, lease)
				if !ok {
					state = "" // the contract says nothing about it
				}
				return acquired{state, ok}, err
			},
			func(m *model, _ acquired) (acquired, error) {
				had := m.checkpoints[name]
				if had.running && had.holder != holder {
					return acquired{}, nil
				}
				m.checkpoints[name] = modelCheckpoint{holder, had.state, lease > 0}
				return acquired{had.state, true}, nil
			})
	case 1:
		return effect(fmt.Sprintf("Save(%q, %q, %q, %v)", name, holder, state, lease),
			func(ctx context.Context, s *subject) error { return s.Save(ctx, name, holder, state, lease) },
			func(m *model) error { return save(m, lease > 0) })
	default:
		return effect(fmt.Sprintf("Release(%q, %q, %q)", name, holder, state),
			func(ctx context.Context, s *subject) error { return s.Release(ctx, name, holder, state) },
			func(m *model) error { return save(m, false) })
	}
}

func (c *caller) flip() call {
	sw := store.Switch{
		Name: oneOf(c.Rand, store.PauseAll, store.PauseSwitch("study"), store.PauseSwitch("Study ")),
		On:   c.IntN(2) == 0, By: oneOf(c.Rand, "", "ada"),
		At: base.Add(time.Duration(c.Int64N(1e9)) * time.Second), // hardly ever twice the same
	}
	if c.IntN(2) == 0 {
		return newCall("Switches()",
			func(ctx context.Context, s *subject) ([]store.Switch, error) {
				return s.Switches.Switches(ctx)
			},
			func(m *model, _ []store.Switch) ([]store.Switch, error) {
				return slices.SortedFunc(maps.Values(m.switches), func(a, b store.Switch) int { return strings.Compare(a.Name, b.Name) }), nil
			})
	}
	return effect(fmt.Sprintf("SetSwitch(%+v)", sw),
		func(ctx context.Context, s *subject) error { return s.SetSwitch(ctx, sw) },
		func(m *model) error {
			if had, known := m.switches[sw.Name]; !known || !sw.At.Before(had.At) {
				m.switches[sw.Name] = sw
			}
			return nil
		})
}
