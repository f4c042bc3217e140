package gate_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocache "github.com/patrickmn/go-cache"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// outcome is a warm gate and a visitor about whom it always decides the same.
type outcome struct {
	name    string
	gate    *gate.Gate
	visitor gate.Visitor
	is      gate.Reason
	allocs  float64 // at most
}

func outcomes(tb testing.TB) []outcome {
	const id = "5f0c9e0a-6f1e-4c3e-9d55-1b7c1a2f3d4e"
	done := store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Hour})
	_, err := done.Record(tb.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "done"}, InterviewID: "i", CompletedAt: time.Now()})
	require.NoError(tb, err)
	long := gate.Options{Fresh: time.Hour}
	nobody := gate.Options{Fresh: time.Hour, Holdout: 1 - 1e-9}
	full := newProvider()
	full.places(0)
	broken := newProvider()
	broken.fail(errors.New("trouble"))
	down := newGate(tb, broken, done, &long)
	require.Error(tb, down.Warm(tb.Context()))
	open := warmGate(tb, newProvider(), done, &long)
	now := time.Now()
	for _, at := range []time.Time{now.Add(-50 * time.Hour), now.Add(-time.Hour)} {
		require.NoError(tb, done.Note(tb.Context(), store.Interaction{Key: store.Key{StudyID: studyID, UserID: "seen"}, Kind: store.InteractionShown, At: at}))
	}
	return []outcome{
		{"anonymous", open, gate.Visitor{}, gate.ReasonAnonymous, 0},
		{"held out", warmGate(tb, newProvider(), done, &nobody), gate.Visitor{UserID: id}, gate.ReasonHeldOut, 0},
		{"cooling down", open, gate.Visitor{UserID: id, History: gate.History{}.WithShown(studyID, time.Now().Add(-time.Hour))}, gate.ReasonCoolingDown, 0},
		{"cooling down elsewhere", open, gate.Visitor{UserID: "seen", History: gate.History{}.WithShown(studyID, now.Add(-50*time.Hour))}, gate.ReasonCoolingDown, 0},
		{"full", warmGate(tb, full, done, &long), gate.Visitor{UserID: id}, gate.ReasonFull, 0},
		{"provider down", down, gate.Visitor{UserID: id}, gate.ReasonUnavailable, 0},
		{"completed", open, gate.Visitor{UserID: "done"}, gate.ReasonCompleted, 0},
		{"eligible", open, gate.Visitor{UserID: id, Languages: []string{"de"}}, gate.ReasonEligible, 2},
	}
}

// baseline is what the hot path cannot do without: one look-up in go-cache and
// one in a map.
type baseline struct {
	cache *gocache.Cache
	users map[store.Key]bool
}

func newBaseline() baseline {
	b := baseline{gocache.New(time.Hour, 0), map[store.Key]bool{}}
	b.cache.SetDefault(studyName, new(int))
	for i := range 100 {
		b.users[store.Key{StudyID: studyID, UserID: user(i)}] = true
	}
	return b
}

var sink atomic.Bool

func (b baseline) run(k store.Key) {
	_, ok := b.cache.Get(studyName)
	if ok == b.users[k] {
		sink.Store(true)
	}
}

// fastest is the time of a call in the quickest of many short rounds, taken in
// turn for each f: what a busy machine adds, it adds to the others.
func fastest(fs ...func()) []time.Duration {
	const rounds, calls = 300, 200
	best := make([]time.Duration, len(fs))
	for range rounds {
		for i, f := range fs {
			began := time.Now()
			for range calls {
				f()
			}
			if took := time.Since(began); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}

// BenchmarkDecide reports, besides the time, "x-bare": how many times the cost
// of one go-cache Get and one map look-up, measured in the same run. That is the
// mean of several maps: each hashes with a seed of its own, and one look-up
// takes up to a tenth longer than another.
func BenchmarkDecide(b *testing.B) {
	const maps = 8
	for _, o := range outcomes(b) {
		b.Run(o.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			k := store.Key{StudyID: studyID, UserID: "5f0c9e0a-6f1e-4c3e-9d55-1b7c1a2f3d4e"}
			fs := []func(){func() { o.gate.Decide(ctx, o.visitor) }}
			for range maps {
				base := newBaseline()
				fs = append(fs, func() { base.run(k) })
			}
			best := fastest(fs...)
			var bare time.Duration
			for _, d := range best[1:] {
				bare += d / maps
			}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					o.gate.Decide(ctx, o.visitor)
				}
			})
			b.ReportMetric(float64(best[0])/float64(bare), "x-bare")
		})
	}
}

// BenchmarkDecideShared reports "x-alone": the time that calls take when two
// goroutines share them, over that of one goroutine that makes them all. Both
// are the lower quartile of many rounds, taken in turn: the quickest would be
// the one in which the two got least into each other's way, and the slowest are
// those of a busy machine. Each round is long beside the start of a goroutine.
func BenchmarkDecideShared(b *testing.B) {
	const rounds, calls = 40, 20_000
	for _, o := range outcomes(b) {
		b.Run(o.name, func(b *testing.B) {
			ctx := b.Context()
			var took [2][]time.Duration
			for range rounds {
				for i := range took {
					var all sync.WaitGroup
					began := time.Now()
					for range i + 1 {
						all.Go(func() {
							for range calls / (i + 1) {
								o.gate.Decide(ctx, o.visitor)
							}
						})
					}
					all.Wait()
					took[i] = append(took[i], time.Since(began))
				}
			}
			slices.Sort(took[0])
			slices.Sort(took[1])
			b.ReportMetric(float64(took[1][rounds/4])/float64(took[0][rounds/4]), "x-alone")
			b.ReportMetric(0, "ns/op")
		})
	}
}
