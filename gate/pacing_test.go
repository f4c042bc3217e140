package gate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
)

// A store that cannot count leaves counting to each process.
func TestPacingInvitesAsManyAsThePlacesNeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.places(3)
		g := warmGate(t, p, nobodyCompleted, &gate.Options{ExpectedUptake: 0.05, Stale: 1000 * time.Hour})
		first, count := asked(t, g, 1000)
		require.Equal(t, 60, count)
		again, _ := asked(t, g, 1000)
		require.Equal(t, first, again, "the same users")
		require.Equal(t, gate.ReasonPaced, firstNo(g.Explain(t.Context(), gate.Visitor{UserID: user(999)})))

		time.Sleep(36 * time.Hour) // it was Saturday, 00:00; the week goes on until Monday
		second, count := asked(t, g, 1000)
		require.Greater(t, count, 60, "invitations without an interview make room")
		for i := range first {
			require.False(t, first[i] && !second[i], "user %d keeps the invitation", i)
		}

		p.places(0)
		require.NoError(t, g.Warm(t.Context()))
		time.Sleep(15 * time.Minute)
		g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID}})
		g.Decide(t.Context(), ada)
		synctest.Wait()
		require.Equal(t, gate.ReasonFull, g.Decide(t.Context(), ada).Reason)
	})
}

// A user who has completed the study takes no invitation from those who have not.
func TestPacingCountsOnlyTheInvited(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(1)
	g := warmGate(t, p, completions(func(_ context.Context, k store.Key) (bool, error) { return k.UserID < user(10), nil }), &gate.Options{ExpectedUptake: 0.1})
	for range 2 {
		_, count := asked(t, g, 100)
		require.Equal(t, 10, count)
	}
}

// A new week of a weekly limit, or month of a monthly one, is for other users.
func TestPacingBeginsAnewInEachPeriod(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limit func(s *userjourneys.Study) **userjourneys.Limit
		until time.Duration // the next period; it is Saturday, 1 January 2000
	}{
		"weekly":  {func(s *userjourneys.Study) **userjourneys.Limit { return &s.Limits.Weekly }, 48 * time.Hour},
		"monthly": {func(s *userjourneys.Study) **userjourneys.Limit { return &s.Limits.Monthly }, 31 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				*tc.limit(&p.study) = &userjourneys.Limit{Limit: 10}
				g := warmGate(t, p, nobodyCompleted, &gate.Options{ExpectedUptake: 0.05})
				time.Sleep(tc.until - time.Hour)
				require.NoError(t, g.Warm(t.Context()))
				first, count := asked(t, g, 4000)
				require.Equal(t, 200, count)
				time.Sleep(time.Hour)
				require.NoError(t, g.Warm(t.Context()))
				count = 0
				for i := range 4000 {
					v := gate.Visitor{UserID: user(i)}
					if first[i] {
						v.History = v.History.WithDecline(studyID, time.Now())
					}
					if g.Decide(t.Context(), v).Ask() {
						count++
					}
				}
				require.Equal(t, 200, count)
			})
		})
	}
}

func TestPacingWithoutLimits(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), memstore.New(), &gate.Options{ExpectedUptake: 0.05})
	_, count := asked(t, g, 1000)
	require.Equal(t, 1000, count)
}

// While the store is asked about one user, another takes the last invitation.
func TestPacingInvitesOnce(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(1)
	var g *gate.Gate
	var other gate.Decision
	done := completions(func(ctx context.Context, k store.Key) (bool, error) {
		if k.UserID == "ada" {
			other = g.Decide(ctx, gate.Visitor{UserID: "bob"})
		}
		return false, nil
	})
	g = warmGate(t, p, done, &gate.Options{ExpectedUptake: 1, Timeout: 10 * time.Second})
	require.Equal(t, gate.ReasonPaced, g.Decide(t.Context(), ada).Reason)
	require.True(t, other.Ask())
}

// A peek and an explanation take no invitation.
func TestPacingCountsNoPeeks(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(1)
	g := warmGate(t, p, memstore.New(), &gate.Options{ExpectedUptake: 1, Timeout: 10 * time.Second})
	for i := range 5 {
		v := gate.Visitor{UserID: user(i), Occasion: gate.OccasionPeek}
		require.True(t, g.Decide(t.Context(), v).Ask())
		require.Equal(t, gate.ReasonEligible, firstNo(g.Explain(t.Context(), v)))
	}
	require.True(t, g.Decide(t.Context(), ada).Ask())
	require.Equal(t, gate.ReasonPaced, g.Decide(t.Context(), gate.Visitor{UserID: "bob"}).Reason)
	require.Equal(t, gate.ReasonPaced, firstNo(g.Explain(t.Context(), gate.Visitor{UserID: "bob"})))
}

// site is an app with several replicas of a gate, and users who see the prompt a
// second after the page.
type site struct {
	provider *provider
	store    *memstore.Store
	opts     gate.Options
	replicas []*gate.Gate
	uptake   float64 // the true one
	rng      *rand.Rand

	limit, invited     int
	completed, refused atomic.Int32 // interviews; clicks that found the study full
}

func newSite(t *testing.T, limit int, expected, uptake float64) *site {
	s := &site{provider: newProvider(), store: memstore.New(), uptake: uptake, limit: limit, rng: rand.New(rand.NewPCG(uint64(limit), uint64(1000*uptake)+1))}
	s.opts = gate.Options{ExpectedUptake: expected}
	s.provider.study.Limits.Weekly = &userjourneys.Limit{Limit: limit}
	for range 3 {
		s.replicas = append(s.replicas, warmGate(t, s.provider, s.store, &s.opts))
	}
	return s
}

// visit is one page of a user, who follows the prompt with the true uptake.
func (s *site) visit(t *testing.T, id string) {
	g := s.replicas[s.rng.IntN(len(s.replicas))]
	if !g.Decide(t.Context(), gate.Visitor{UserID: id}).Ask() {
		return
	}
	s.invited++
	k := store.Key{StudyID: studyID, UserID: id}
	follows := s.rng.Float64() < s.uptake
	go func() {
		time.Sleep(time.Second)
		require.NoError(t, s.store.Note(t.Context(), store.Interaction{Key: k, Kind: store.InteractionShown, At: time.Now()}))
		if !follows {
			return
		}
		time.Sleep(20 * time.Second)
		if !g.Confirm(t.Context(), gate.Visitor{UserID: id}).Ask() {
			s.refused.Add(1)
			return
		}
		time.Sleep(10 * time.Minute)
		s.provider.set(func(p *provider) {
			used := p.study.Limits.Weekly.Used + 1
			p.study.Limits.Weekly = &userjourneys.Limit{Limit: s.limit, Used: used}
			p.study.AcceptingResponses = used < s.limit
		})
		s.completed.Add(1)
		c := store.Completion{Key: k, InterviewID: id, CompletedAt: time.Now()}
		_, err := s.store.Record(t.Context(), c)
		require.NoError(t, err)
		g.Recorded(t.Context(), c) // the replica that got the webhook
	}()
}

// A week on three replicas, with a restart of all on the third day.
func TestPacedWeek(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		limit            int
		expected, uptake float64
		filled           float64
	}{
		{20, 0.05, 0.05, 0.95},
		{20, 0.05, 0.025, 0.90},
		{5, 0.5, 0.5, 0.95},
		{5, 0.5, 0.25, 0.90},
		{100, 0.2, 0.2, 0.95},
		{100, 0.2, 0.1, 0.90},
	} {
		t.Run(fmt.Sprintf("%d places, uptake %v of %v", tc.limit, tc.uptake, tc.expected), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(48 * time.Hour) // until Monday
				users := fewer(20_000)
				if tc.limit == 5 {
					users = fewer(100_000)
				}
				s := newSite(t, tc.limit, tc.expected, tc.uptake)
				const week = 6 * 24 * time.Hour
				for i := range users {
					s.visit(t, user(i))
					time.Sleep(week / time.Duration(users))
					if i == users/3 {
						for r := range s.replicas {
							s.replicas[r] = warmGate(t, s.provider, s.store, &s.opts)
						}
					}
				}
				time.Sleep(time.Hour)
				t.Logf("%d of %d places filled, %d users invited, %d clicks refused", s.completed.Load(), s.limit, s.invited, s.refused.Load())
				require.GreaterOrEqual(t, float64(s.completed.Load()), tc.filled*float64(tc.limit))
				require.LessOrEqual(t, float64(s.completed.Load()), 1.1*float64(tc.limit))
			})
		})
	}
}

// Where nobody reports what was seen, each process counts whom it has invited.
func TestPacingWithoutReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.places(3)
		g := warmGate(t, p, memstore.New(), &gate.Options{ExpectedUptake: 0.1})
		_, count := asked(t, g, 1000)
		require.Less(t, count, 10, "few at a time")
		for range 300 {
			time.Sleep(2 * time.Minute)
			_, count = asked(t, g, 1000)
		}
		require.Equal(t, 30, count)
	})
}

// Three replicas invite no more users than one, and a restart invites nobody anew.
func TestPacingIsSharedByReplicas(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]time.Duration{"a page a second": time.Second, "a page in 5 seconds": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(48 * time.Hour)
				s := newSite(t, 5, 0.5, 0)
				n := 3000
				if between > time.Second {
					n = fewer(10_000)
				}
				for i := range n {
					s.visit(t, user(i))
					time.Sleep(between)
					if i == n/2 {
						for r := range s.replicas {
							s.replicas[r] = warmGate(t, s.provider, s.store, &s.opts)
						}
					}
				}
				require.InDelta(t, 10.5, s.invited, 0.5)
			})
		})
	}
}
