package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// RunModel calls every method that a store has, at random, and compares the results with a
// model of the contract. First it makes calls one after the other, with odd ids. Then it
// makes concurrent calls, whose results must be those of the same calls in some order.
// Both use two stores on the same data. fresh is as in [RunShared], except that the
// function that it returns may return the same store each time.
//
// It compares 2,000 results and 40 concurrent histories. With the environment
// variable ASKONCE_TEST_LONG set it compares 100,000 and 2,000. It logs its seed,
// which ASKONCE_TEST_SEED repeats.
func RunModel(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) store.Store)) {
	t.Helper()
	results, histories := 2_000, 40
	if os.Getenv("ASKONCE_TEST_LONG") != "" {
		results, histories = 100_000, 2_000
	}
	seed := rand.Uint64()
	if text := os.Getenv("ASKONCE_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "ASKONCE_TEST_SEED")
	}
	t.Logf("ASKONCE_TEST_SEED=%d", seed)
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		const each = 1_000 // results of one store
		for n := 0; n*each < results && !t.Failed(); n++ {
			t.Run(strconv.Itoa(n), func(t *testing.T) { // a test may have one place for data
				sequential(t, fresh(t), rand.New(rand.NewPCG(seed, uint64(n))), each)
			})
		}
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		a, b := handles(t, fresh(t))
		for n := 0; n < histories && !t.Failed(); n++ {
			concurrent(t, a, b, rand.New(rand.NewPCG(seed, uint64(n))))
		}
	})
}

func handles(t *testing.T, open func(t *testing.T) store.Store) (a, b *subject) {
	t.Helper()
	first := open(t)
	has := capabilities(t, first)
	a, b = newSubject(first, has), newSubject(open(t), has)
	t.Cleanup(func() { a.close(t); b.close(t) })
	return a, b
}

// sequential compares n results, one after the other. The users and interviews
// that it calls about change as it goes on.
func sequential(t *testing.T, open func(t *testing.T) store.Store, r *rand.Rand, n int) {
	t.Helper()
	a, b := handles(t, open)
	var odd []string
	for _, i := range r.Perm(len(oddIDs)) {
		odd = append(odd, oddIDs[i])
	}
	c := &caller{Rand: r, studies: odd[:3], has: a.has, alone: true, jobs: &claims{}}
	m := newModel()
	var done []string
	for i := range n {
		if i%20 == 0 {
			c.users, c.interviews = nil, nil
			for j := range 5 {
				c.users = append(c.users, odd[(i/100+j)%len(odd)])
				c.interviews = append(c.interviews, fmt.Sprint("interview ", i/20+j))
			}
		}
		next := c.next()
		got, err := next.make(t.Context(), oneOf(r, a, b))
		require.NoError(t, err, "%s after\n%s", next.name, strings.Join(done[max(0, len(done)-40):], "\n"))
		want := next.follow(m, got)
		if !same(want, got) {
			t.Fatalf("%s\n returned %v\nbut wanted %v\nafter\n%s", next.name, got, want, strings.Join(done[max(0, len(done)-40):], "\n"))
		}
		done = append(done, fmt.Sprintf("%s = %v", next.name, got))
	}
}

// observed is a call that was made, with the ticks at which it began and ended.
type observed struct {
	call
	got        any
	began, end int64
}

// concurrent makes a few calls on each of 4 goroutines and searches for an order in
// which the model gives the same results.
func concurrent(t *testing.T, a, b *subject, r *rand.Rand) {
	t.Helper()
	const goroutines, each = 4, 3
	c := &caller{
		Rand: r, users: []string{newID(), newID()}, studies: []string{newID()}, interviews: []string{newID(), newID()},
		has: a.has, jobs: &claims{},
	}
	var calls [goroutines][each]call
	for g := range goroutines {
		for i := range each {
			calls[g][i] = c.next()
		}
	}
	var ticks atomic.Int64
	var mu sync.Mutex
	var history []observed
	atOnce(goroutines, func(g int) {
		s := []*subject{a, b}[g%2]
		for _, next := range calls[g] {
			o := observed{call: next, began: ticks.Add(1)}
			got, err := next.make(t.Context(), s)
			o.got, o.end = got, ticks.Add(1)
			if err != nil {
				t.Errorf("%s: %v", next.name, err)
			}
			mu.Lock()
			history = append(history, o)
			mu.Unlock()
		}
	})
	if t.Failed() {
		return
	}
	if !linearise(newModel(), history) {
		slices.SortFunc(history, func(a, b observed) int { return int(a.began - b.began) })
		for _, o := range history {
			t.Logf("%2d to %2d: %s = %v", o.began, o.end, o.name, o.got)
		}
		t.Error("no order of these calls has these results")
	}
	drain(t, a, c.jobs)
}

// linearise reports whether some order of the calls has the results that were observed.
// In it no call comes before one that had ended when the call began.
func linearise(m *model, calls []observed) bool {
	if len(calls) == 0 {
		return true
	}
	for i, o := range calls {
		if slices.ContainsFunc(calls, func(before observed) bool { return before.end < o.began }) {
			continue
		}
		next := m.clone()
		if same(o.follow(next, o.got), o.got) && linearise(next, slices.Concat(calls[:i], calls[i+1:])) {
			return true
		}
	}
	return false
}

// drain takes what is due out of the queue, so that the next history claims its own
// jobs alone.
func drain(t *testing.T, s *subject, claimed *claims) {
	t.Helper()
	if s.has&transcripts == 0 {
		return
	}
	finish := func(jobs []store.Job) {
		for _, j := range jobs {
			if err := s.FinishJob(t.Context(), j); !errors.Is(err, store.ErrLeaseLost) {
				require.NoError(t, err, "FinishJob")
			}
		}
	}
	_, err := s.RequeueJobs(t.Context())
	require.NoError(t, err, "RequeueJobs")
	finish(claimed.all)
	for {
		jobs := s.claim(t, time.Hour, 100)
		if len(jobs) == 0 {
			break
		}
		finish(jobs)
	}
}
