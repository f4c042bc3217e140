package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// RunShared runs the cases that open several stores on the same data, as the replicas
// of an app do, and an app that restarts. Each call of fresh prepares an empty place
// for data and returns a function that opens a store on it. The cases close stores
// that are an [io.Closer].
func RunShared(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) store.Store)) {
	t.Helper()
	has := capabilities(t, fresh(t)(t))
	for _, c := range sharedCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			explain(t, c.rule)
			if lacks := c.needs &^ has; lacks != 0 {
				t.Skipf("the store is not a %s", lacks)
			}
			open := fresh(t)
			c.run(t, func() *subject { return newSubject(open(t), has) })
		})
	}
}

var sharedCases = []struct {
	name, rule string
	needs      capability
	run        func(t *testing.T, open func() *subject)
}{{
	name: "a restart forgets nothing",
	rule: "what Record acknowledged is still there after the store is closed and opened again",
	run: func(t *testing.T, open func() *subject) {
		s, c := open(), newCompletion()
		s.mustRecord(t, c)
		s.close(t)
		s = open()
		require.True(t, s.completed(t, c.Key))
		require.False(t, s.record(t, c), "first, after a restart")
		s.kept(t, c)
		if s.has&transcripts != 0 {
			require.Len(t, s.pending(t), 1, "jobs after a restart")
		}
	},
}, {
	name: "what one replica records another sees",
	rule: "a completion is visible to every store on the same data as soon as Record has returned",
	run: func(t *testing.T, open func() *subject) {
		a, b := open(), open()
		for range 10 {
			c := newCompletion()
			require.False(t, b.completed(t, c.Key))
			a.mustRecord(t, c)
			require.True(t, b.completed(t, c.Key))
			require.False(t, b.record(t, c), "first, by a second replica")
			b.kept(t, c)
		}
	},
}, {
	name: "one first among replicas",
	rule: "first is true for exactly one of any number of calls, whichever replica they reach",
	run: func(t *testing.T, open func() *subject) {
		replicas := []*subject{open(), open(), open()}
		for range 5 {
			c := newCompletion()
			var mu sync.Mutex
			firsts := 0
			atOnce(12, func(i int) {
				first, err := replicas[i%3].Record(t.Context(), c)
				if err != nil {
					t.Errorf("Record: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if first {
					firsts++
				}
			})
			require.Equal(t, 1, firsts)
		}
	},
}, {
	name:  "replicas never share a job",
	rule:  "two replicas never hold one job within its lease",
	needs: transcripts,
	run: func(t *testing.T, open func() *subject) {
		replicas := []*subject{open(), open()}
		for i := range 30 {
			replicas[i%2].mustRecord(t, newCompletion())
		}
		claimedOnce(t, 30, replicas...)
	},
}, {
	name:  "a claim is its replica's own",
	rule:  "a job that one replica claimed is finished by it, or lost when another claimed it after the lease",
	needs: transcripts,
	run: func(t *testing.T, open func() *subject) {
		a, b := open(), open()
		c, j := a.queued(t)
		require.Empty(t, b.claim(t, lease, 10))
		require.NoError(t, a.ExtendJob(t.Context(), j, 0))
		again := b.claimOne(t, lease)
		a.leaseLost(t, j)
		b.finish(t, again, "{}")
		_, err := a.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
	},
}, {
	name:  "an erasure holds everywhere",
	rule:  "Erase binds every replica, and the hash that remains is the same for all of them and after a restart",
	needs: eraser,
	run: func(t *testing.T, open func() *subject) {
		a, b := open(), open()
		c := newCompletion()
		a.mustRecord(t, c)
		require.NoError(t, b.Erase(t.Context(), c.UserID))
		late := completionOf(store.Key{StudyID: newID(), UserID: c.UserID})
		require.True(t, a.record(t, late), "first")
		for _, s := range []*subject{a, b, open()} {
			s.nothingPersonal(t, c)
			s.nothingPersonal(t, late)
		}
	},
}, {
	name:  "one walk for all replicas",
	rule:  "a checkpoint that one replica holds is held for the others, and its state is passed on",
	needs: checkpoints,
	run: func(t *testing.T, open func() *subject) {
		a, b := open(), open()
		name := newID()
		a.acquire(t, name, "a", lease)
		b.isHeld(t, name, "b")
		require.NoError(t, a.Release(t.Context(), name, "a", "state"))
		require.Equal(t, "state", b.acquire(t, name, "b", lease))
		require.ErrorIs(t, a.Save(t.Context(), name, "a", "late", lease), store.ErrLeaseLost)
	},
}, {
	name:  "an answer follows the user",
	rule:  "what is noted on one replica is known to every other and after a restart, also of a user who was erased on a third",
	needs: interactions | eraser,
	run: func(t *testing.T, open func() *subject) {
		a, b := open(), open()
		k := newKey()
		a.note(t, showing(k, noon), answer(k, store.InteractionDeclined, noon))
		want := a.person(t, k.UserID)
		require.Equal(t, want, b.person(t, k.UserID))
		require.NoError(t, b.Erase(t.Context(), k.UserID))
		a.note(t, optOut(k.UserID, noon))
		for _, s := range []*subject{a, b, open()} {
			p := s.person(t, k.UserID)
			require.True(t, p.OptedOut)
			require.Equal(t, store.InteractionDeclined, p.Study(k.StudyID).Answer)
		}
	},
}, {
	name:  "one funnel for all replicas",
	rule:  "the funnel counts a user once, on whichever replicas the events arrive at once",
	needs: interactions,
	run: func(t *testing.T, open func() *subject) {
		replicas := []*subject{open(), open()}
		study, users := newID(), []string{newID(), newID(), newID()}
		atOnce(12, func(i int) {
			n := showing(store.Key{StudyID: study, UserID: users[i%3]}, noon.Add(time.Duration(i/6)*aDay))
			if err := replicas[i%2].Note(t.Context(), n); err != nil {
				t.Errorf("Note: %v", err)
			}
		})
		for _, s := range replicas {
			days := s.funnel(t, study, noon, 2)
			require.Equal(t, 3, days[0].Shown)
			require.Zero(t, days[1].Shown)
		}
	},
}, {
	name:  "a switch is for all replicas",
	rule:  "a switch that is set on one replica is seen by every other at once, and after a restart",
	needs: switches,
	run: func(t *testing.T, open func() *subject) {
		a, b := open(), open()
		want := store.Switch{Name: store.PauseAll, On: true, By: "ada", At: base}
		a.set(t, want)
		for _, s := range []*subject{a, b, open()} {
			require.Equal(t, []store.Switch{want}, s.allSwitches(t))
		}
		want.On, want.At = false, base.Add(time.Second)
		b.set(t, want)
		require.Equal(t, []store.Switch{want}, a.allSwitches(t))
	},
}}
