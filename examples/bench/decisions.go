package main

import (
	"context"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	gocache "github.com/patrickmn/go-cache"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// decisions compares a decision of the gate with that of a feature flag library in the
// same process, which answers the same question: does this user see it?
func decisions(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "The gate",
		Text: "One decision with everything cached, as behind `store.NewCached`. The first row is the lower limit: one go-cache look-up and one in a map. OpenFeature's in-memory\n" +
			"provider evaluates one flag for one user.",
	}
	done := store.NewCached(memstore.New(), nil) // as in front of a database
	key := store.Key{StudyID: openStudy.ID, UserID: "bob"}
	if _, err := done.Record(ctx, store.Completion{Key: key, InterviewID: "i1", CompletedAt: time.Now()}); err != nil {
		return p, err
	}
	g, err := newGate(done)
	if err != nil {
		return p, err
	}
	flags := memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
		"ask": {Key: "ask", State: memprovider.Enabled, DefaultVariant: "yes", Variants: map[string]any{"yes": true, "no": false}},
	})
	if err := openfeature.SetProviderAndWait(flags); err != nil {
		return p, err
	}
	client := openfeature.NewClient("bench")
	cache := gocache.New(time.Hour, 0)
	cache.SetDefault(openStudy.ID, &openStudy)
	completed := map[store.Key]bool{key: true}

	decide := func(user string) func(int) {
		v := gate.Visitor{UserID: user}
		return func(n int) {
			for range n {
				g.Decide(ctx, v)
			}
		}
	}
	found := 0
	group := compare(e, "one decision",
		contender{name: "go-cache Get and a map", run: func(n int) {
			for range n {
				if _, ok := cache.Get(openStudy.ID); ok && completed[key] {
					found++
				}
			}
		}},
		contender{name: "askonce, anonymous", run: decide(""), ours: true},
		contender{name: "askonce, completed", run: decide("bob"), ours: true},
		contender{name: "askonce, asked", run: decide("ada"), ours: true},
		contender{name: "OpenFeature, in memory", run: func(n int) {
			for range n {
				if yes, _ := client.BooleanValue(ctx, "ask", false, openfeature.NewEvaluationContext("ada", nil)); yes {
					found++
				}
			}
		}},
	)
	group.Chart = true
	p.Groups = append(p.Groups, group)
	return p, nil
}
