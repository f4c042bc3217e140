package integration

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/stretchr/testify/require"
)

// placesLeft is a provider with one study that has so many places left.
type placesLeft struct{ n atomic.Int32 }

func (p *placesLeft) FindStudy(context.Context, string) (userjourneys.Study, error) {
	n := int(p.n.Load())
	return userjourneys.Study{
		ID: "study", Name: "Study", InterviewLink: "https://app.userjourneys.ai/i/x", AcceptingResponses: n > 0,
		Limits: userjourneys.Limits{Weekly: &userjourneys.Limit{Limit: 100, Used: 100 - n}},
	}, nil
}

// TestReplicasShareTheLastPlaces lets users click at three replicas at once: as many
// may go on as there are places.
func TestReplicasShareTheLastPlaces(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		const places, users = 5, 12
		prefix := d.fresh(t)
		p := &placesLeft{}
		p.n.Store(places)
		var replicas []*gate.Gate
		for range 3 {
			g, err := gate.New(p, "study", d.store(t, prefix), &gate.Options{Logger: slog.New(slog.DiscardHandler), ConfirmTimeout: time.Minute})
			require.NoError(t, err)
			require.NoError(t, g.Warm(t.Context()))
			replicas = append(replicas, g)
		}
		// clicks lets every user click at all replicas at once.
		clicks := func(name string, users int) (confirmed map[string]bool) {
			confirmed = map[string]bool{}
			var mu sync.Mutex
			var all sync.WaitGroup
			for i := range users {
				id := fmt.Sprint(name, i)
				for _, g := range replicas {
					all.Go(func() {
						decision := g.Confirm(t.Context(), gate.Visitor{UserID: id})
						mu.Lock()
						defer mu.Unlock()
						if decision.Ask() {
							confirmed[id] = true
						} else if decision.Reason != gate.ReasonFull {
							t.Errorf("%v", decision)
						}
					})
				}
			}
			all.Wait()
			return confirmed
		}
		first := clicks("first", users)
		require.Len(t, first, places)

		holders := slices.Collect(maps.Keys(first))
		for i, id := range holders[:2] {
			p.n.Add(-1)
			replicas[i].Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: "study", UserID: id}})
		}
		require.Empty(t, clicks("second", 3))
		for _, id := range holders[2:] {
			for _, g := range replicas {
				require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: id}).Ask(), "whoever holds a place may click again")
			}
		}
	})
}
