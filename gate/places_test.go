package gate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// newSlow returns a store behind a network: calls of several replicas overlap.
func newSlow() *watched {
	return &watched{Store: memstore.New(), trouble: func(string) error {
		time.Sleep(rand.N(2 * time.Millisecond))
		return nil
	}}
}

const (
	shared  = 50 // places
	holdFor = 20 * time.Minute
	settle  = 13 * time.Second // after a completion was reported, all replicas' answers are newer
	slack   = 3 * time.Second  // a hold may last this much longer
)

// replicas is a model of the places of a study that several gates over one store
// give away.
type replicas struct {
	t       *testing.T
	rng     *rand.Rand
	p       *provider
	s       *watched
	gates   []*gate.Gate
	pending sync.WaitGroup // reports of completions

	places   int                  // what the provider has
	holds    map[string]time.Time // when users have clicked last who have not completed
	settling []time.Time          // until when completions may count twice
}

func newReplicas(t *testing.T, rng *rand.Rand, n, places int) *replicas {
	r := &replicas{t: t, rng: rng, p: newProvider(), s: newSlow(), places: places, holds: map[string]time.Time{}}
	r.p.places(places)
	for range n {
		r.gates = append(r.gates, warmGate(t, r.p, r.s, nil))
	}
	return r
}

func (r *replicas) any() *gate.Gate { return r.gates[r.rng.IntN(len(r.gates))] }

// held counts the holds that other users have, with those that may end late.
func (r *replicas) held(userID string, late time.Duration) (n int) {
	for id, at := range r.holds {
		if id != userID && time.Since(at) < holdFor+late {
			n++
		}
	}
	return n
}

// clicks lets users click at the same moment and compares who may go on with the
// model.
func (r *replicas) clicks(users ...string) {
	r.t.Helper()
	asks := make([]bool, len(users))
	var all sync.WaitGroup
	began := time.Now()
	for i, id := range users {
		g := r.any()
		all.Go(func() {
			d := g.Confirm(r.t.Context(), gate.Visitor{UserID: id})
			if asks[i] = d.Ask(); !asks[i] && d.Reason != gate.ReasonFull {
				r.t.Errorf("a click was refused for another reason: %v", d)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(r.t, time.Since(began), 3*time.Second)
	for i, id := range users {
		at, had := r.holds[id]
		switch {
		case asks[i]:
			r.holds[id] = began
		case had && time.Since(at) < holdFor:
			r.t.Errorf("%s holds a place and was refused", id)
		}
	}
	require.LessOrEqual(r.t, r.held("", 0), r.places, "more users are in an interview than there are places")
	busy := 0
	for _, until := range r.settling {
		if time.Now().Before(until) {
			busy++
		}
	}
	for i, id := range users {
		if !asks[i] && r.held(id, slack)+busy < r.places {
			r.t.Errorf("%s was refused although there was a place: %d places, %d held, %d just completed", id, r.places, r.held(id, slack), busy)
		}
	}
}

// complete ends a user's interview. The provider knows at once. Its delivery arrives
// later and at any replica.
func (r *replicas) complete(userID string) {
	r.places--
	delete(r.holds, userID)
	r.p.places(r.places)
	g, late := r.any(), time.Duration(r.rng.IntN(5000))*time.Millisecond
	r.settling = append(r.settling, time.Now().Add(late+settle))
	r.pending.Go(func() {
		time.Sleep(late)
		g.Recorded(r.t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: userID}})
	})
}

func (r *replicas) anyHolder() (id string, ok bool) {
	for i := range 60 {
		if at, ok := r.holds[user(i)]; ok && time.Since(at) < holdFor && r.rng.IntN(2) == 0 {
			return user(i), true
		}
	}
	return "", false
}

// However many users click at however many replicas, and whichever replica hears of
// a completed interview: no more users are in an interview than the provider has
// places, none of these stays unused, and a second click takes no second place.
func TestReplicasShareTheLastPlaces(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 0))
				r := newReplicas(t, rng, 2+rng.IntN(2), 2+rng.IntN(9))
				for next := 0; next < 60 && r.places > 0 && !t.Failed(); {
					switch what := rng.IntN(10); {
					case what < 4: // new users, and some who have clicked before
						users := []string{user(next)}
						for next++; rng.IntN(3) > 0 && next < 60; next++ {
							users = append(users, user(next))
						}
						if id, ok := r.anyHolder(); ok {
							users = append(users, id)
						}
						r.clicks(users...)
					case what < 6:
						if id, ok := r.anyHolder(); ok {
							r.clicks(id, id)
						}
					case what < 8:
						if id, ok := r.anyHolder(); ok {
							r.complete(id)
						}
					case what == 8 && rng.IntN(8) == 0: // everybody gives up
						time.Sleep(holdFor + slack)
					default:
						time.Sleep(time.Duration(rng.IntN(15000)) * time.Millisecond)
					}
				}
				r.pending.Wait()
				if r.places > 0 {
					time.Sleep(holdFor + slack)
					r.clicks("the last one")
				}
				time.Sleep(time.Second) // the last reports reach the store
			})
		})
	}
}

// Of two who have clicked one completes, and the place of the other one is still
// held, at every replica and whoever they are.
func TestAHeldPlaceIsNotGivenAwayWhenAnotherIsTaken(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, p := memstore.New(), newProvider()
				p.places(2)
				a, b, c := warmGate(t, p, s, nil), warmGate(t, p, s, nil), warmGate(t, p, s, nil)
				x, y, carol := gate.Visitor{UserID: user(3 * i)}, gate.Visitor{UserID: user(3*i + 1)}, gate.Visitor{UserID: user(3*i + 2)}
				require.True(t, a.Confirm(t.Context(), x).Ask())
				require.True(t, a.Confirm(t.Context(), y).Ask())
				p.places(1)
				c.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: x.UserID}})
				synctest.Wait()
				require.Equal(t, gate.ReasonFull, b.Confirm(t.Context(), carol).Reason, "while the answer is older than the completion")
				time.Sleep(settle)
				require.Equal(t, gate.ReasonFull, b.Confirm(t.Context(), carol).Reason)
				for _, g := range []*gate.Gate{a, b, c} {
					require.True(t, g.Confirm(t.Context(), y).Ask(), "y has clicked before")
				}
				p.places(0)
				b.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: y.UserID}})
				p.places(1) // the operator raises the limit
				time.Sleep(settle)
				require.True(t, a.Confirm(t.Context(), carol).Ask())
				require.Equal(t, gate.ReasonFull, b.Confirm(t.Context(), gate.Visitor{UserID: "dan"}).Reason)
			})
		})
	}
}

// Places that were held while there were too many to share are shared as soon as
// they are few, with the next click at their replica.
func TestHoldsAreSharedOncePlacesAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(shared + 1)
		a, b := warmGate(t, p, s, nil), warmGate(t, p, s, nil)
		click := func(g *gate.Gate, i int) gate.Reason {
			return g.Confirm(t.Context(), gate.Visitor{UserID: user(i)}).Reason
		}
		for i := range shared - 2 {
			require.Equal(t, gate.ReasonEligible, click([]*gate.Gate{a, b}[i%2], i))
		}
		a.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: user(2)}})
		p.places(shared)
		time.Sleep(settle)
		require.Equal(t, gate.ReasonEligible, click(b, 0), "held at a")
		require.Equal(t, gate.ReasonEligible, click(a, 1), "held at b")
		require.Equal(t, gate.ReasonEligible, click(a, 100))
		require.Equal(t, gate.ReasonEligible, click(b, 101))
		require.Equal(t, gate.ReasonEligible, click(b, 102), "one has completed meanwhile")
		for i := range 10 {
			require.Equal(t, gate.ReasonFull, click(a, 200+i))
			require.Equal(t, gate.ReasonFull, click(b, 200+i))
		}
		for i := 3; i < shared-2; i++ {
			require.Equal(t, gate.ReasonEligible, click(a, i), "%d has clicked before", i)
		}
	})
}

// late is a store whose first answer to Acquire takes long.
type late struct {
	*memstore.Store
	by    time.Duration
	calls atomic.Int32
}

func (l *late) Acquire(ctx context.Context, name, holder string, lease time.Duration) (string, bool, error) {
	state, acquired, err := l.Store.Acquire(ctx, name, holder, lease)
	if l.calls.Add(1) == 1 {
		time.Sleep(l.by)
	}
	return state, acquired, err
}

// A replica that was too slow has lost its lease, and with it what it read.
func TestALostLeaseConfirmsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(1)
		a := warmGate(t, p, &late{Store: s, by: 3 * time.Second}, &gate.Options{ConfirmTimeout: 10 * time.Second})
		b := warmGate(t, p, s, nil)
		var first gate.Decision
		var all sync.WaitGroup
		all.Go(func() { first = a.Confirm(t.Context(), ada) })
		time.Sleep(time.Millisecond)
		began := time.Now()
		require.True(t, b.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Ask(), "once the lease has ended")
		require.InDelta(t, 2*time.Second, time.Since(began), float64(50*time.Millisecond))
		all.Wait()
		require.Equal(t, gate.ReasonFull, first.Reason)
	})
}

// A click that waits for another replica gives up in time, and takes nothing.
func TestAClickDoesNotWaitLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(1)
		g := warmGate(t, p, s, &gate.Options{ConfirmTimeout: time.Second})
		_, acquired, err := s.Acquire(t.Context(), "places/"+studyID, "a dead process", time.Minute)
		require.True(t, acquired)
		require.NoError(t, err)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				d := g.Confirm(t.Context(), gate.Visitor{UserID: user(i)})
				if d.Reason != gate.ReasonUnavailable || d.Err == nil {
					t.Errorf("%v", d)
				}
			})
		}
		all.Wait()
		require.Equal(t, time.Second, time.Since(began))
		time.Sleep(time.Minute)
		require.True(t, g.Confirm(t.Context(), ada).Ask())
	})
}

// A click that has given up leaves the list to others. What it took is still the
// user's at the next attempt.
func TestAClickThatGaveUpReleasesTheList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(1)
		a := warmGate(t, p, &late{Store: s, by: 1500 * time.Millisecond}, &gate.Options{ConfirmTimeout: time.Second})
		b := warmGate(t, p, s, nil)
		require.Equal(t, gate.ReasonUnavailable, a.Confirm(t.Context(), ada).Reason)
		time.Sleep(600 * time.Millisecond)
		began := time.Now()
		require.Equal(t, gate.ReasonFull, b.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Reason)
		require.Zero(t, time.Since(began))
		require.True(t, b.Confirm(t.Context(), ada).Ask())
	})
}

// A hold lasts 20 minutes from the user's last click, also if an earlier one was at a
// replica that did not share it at the time.
func TestAnotherClickExtendsAHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(shared + 1)
		a, b := warmGate(t, p, s, nil), warmGate(t, p, s, nil)
		bob, carol := gate.Visitor{UserID: "bob"}, gate.Visitor{UserID: "carol"}
		time.Sleep(500 * time.Millisecond) // ends are stored in whole seconds
		require.True(t, a.Confirm(t.Context(), ada).Ask())
		p.places(2)
		time.Sleep(holdFor / 2)
		require.True(t, b.Confirm(t.Context(), ada).Ask())
		time.Sleep(holdFor / 4)
		require.True(t, b.Confirm(t.Context(), ada).Ask())
		require.True(t, a.Confirm(t.Context(), bob).Ask(), "and a shares its own hold of ada")
		time.Sleep(holdFor - 100*time.Millisecond)
		require.Equal(t, gate.ReasonFull, b.Confirm(t.Context(), carol).Reason)
		time.Sleep(2 * time.Second)
		require.True(t, b.Confirm(t.Context(), carol).Ask())
	})
}

// With its next click a replica learns of interviews that were completed elsewhere, and
// invites to the places that have become free.
func TestAReplicaForgetsHoldsThatEndedElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(shared + 1)
		a, b := warmGate(t, p, s, nil), warmGate(t, p, s, nil)
		require.True(t, a.Confirm(t.Context(), gate.Visitor{UserID: user(0)}).Ask())
		p.places(2)
		time.Sleep(settle)
		require.True(t, a.Confirm(t.Context(), gate.Visitor{UserID: user(1)}).Ask())
		for i := range 2 {
			b.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: user(i)}})
		}
		time.Sleep(settle)
		require.True(t, a.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Ask())
		require.True(t, a.Decide(t.Context(), ada).Ask())
		require.True(t, a.Confirm(t.Context(), ada).Ask())
	})
}

// A click costs two calls of the store, and of many refused ones only the first.
func TestCallsOfAClick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var trips atomic.Int32
		s := newSlow()
		network := s.trouble
		s.trouble = func(what string) error {
			if what == "Acquire" || what == "Release" {
				trips.Add(1)
			}
			return network(what)
		}
		p := newProvider()
		p.places(3)
		g := warmGate(t, p, s, nil)
		for i := range 3 {
			require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: user(i)}).Ask())
			require.EqualValues(t, 2, trips.Swap(0))
		}
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if d := g.Confirm(t.Context(), gate.Visitor{UserID: user(i)}); d.Ask() != (i < 3) {
					t.Errorf("%v: %v", i, d)
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, trips.Load(), int32(8))
		p.places(51)
		time.Sleep(11 * time.Second)
		trips.Store(0)
		require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Ask())
		require.Zero(t, trips.Load(), "there are places enough")
	})
}

// What is stored about a click cannot be guessed from ids, and is gone when the hold
// is: it says who has answered an interview.
func TestNothingOfAClickStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(3)
		g := warmGate(t, p, s, nil)
		stored := func() string {
			state, acquired, err := s.Acquire(t.Context(), "places/"+studyID, "the test", time.Minute)
			require.NoError(t, err)
			require.True(t, acquired)
			require.NoError(t, s.Release(t.Context(), "places/"+studyID, "the test", state))
			return state
		}
		confirm := func(id string) (state string) {
			require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: id}).Ask())
			state = stored()
			require.NotContains(t, state, id)
			return state
		}
		first := confirm("ada")
		hash := regexp.MustCompile(`"u":"(.*?)"`).FindStringSubmatch(first)[1]
		require.Contains(t, confirm("bob"), hash)
		g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}})
		synctest.Wait()
		require.NotContains(t, stored(), hash, "the interview is completed")
		require.Equal(t, 1, strings.Count(stored(), `"u"`), "bob's is not")
		time.Sleep(holdFor + 5*time.Second)
		require.Empty(t, stored(), "without another click")
		require.NotContains(t, confirm("ada"), hash, "the key is a new one")
	})
}

// A list that cannot be read does not stop the study.
func TestADamagedListIsReplaced(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"damaged", `{"k":7}`, "[]", `{"k":"x","p":null}`} {
		s, p := memstore.New(), newProvider()
		p.places(1)
		_, _, err := s.Acquire(t.Context(), "places/"+studyID, "x", 0)
		require.NoError(t, err)
		require.NoError(t, s.Release(t.Context(), "places/"+studyID, "x", state))
		g, h := warmGate(t, p, s, nil), warmGate(t, p, s, nil)
		require.True(t, g.Confirm(t.Context(), ada).Ask(), state)
		require.Equal(t, gate.ReasonFull, h.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Reason, state)
	}
}

// The list stays within what a checkpoint can keep.
func TestTheListIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := memstore.New(), newProvider()
		p.places(1000)
		g := warmGate(t, p, s, nil)
		for i := range 300 {
			require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: user(i)}).Ask())
		}
		p.places(shared) // the operator lowers the limit
		time.Sleep(11 * time.Second)
		require.Equal(t, gate.ReasonFull, g.Confirm(t.Context(), ada).Reason)
		state, _, err := s.Acquire(t.Context(), "places/"+studyID, "x", 0)
		require.NoError(t, err)
		require.Greater(t, len(state), 3000)
		require.Less(t, len(state), 4096)
	})
}
