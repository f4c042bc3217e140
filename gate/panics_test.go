package gate_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// Whatever panics in the app's code costs one decision, is logged once with its
// stack, and says nothing about anybody.
func TestPanicsCostOneDecision(t *testing.T) {
	t.Parallel()
	boom := func(at string) func(string) error {
		return func(what string) error {
			if what == at {
				panic("about ada")
			}
			return nil
		}
	}
	for what, tc := range map[string]struct {
		opts    gate.Options
		trouble func(string) error
		click   bool
	}{
		"Options.Target":       {opts: gate.Options{Target: func(context.Context, gate.Visitor) bool { panic("about ada") }}},
		"Options.OnDecision":   {opts: gate.Options{OnDecision: func(context.Context, gate.Visitor, gate.Decision) { panic("about ada") }}},
		"the store's Person":   {trouble: boom("Person")},
		"the store's Switches": {trouble: boom("Switches")},
		"the store's Funnel":   {opts: gate.Options{ExpectedUptake: 1}, trouble: boom("Funnel")},
		"the store's Acquire":  {trouble: boom("Acquire"), click: true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &records{}
				opts := tc.opts
				opts.Logger = slog.New(log)
				p := newProvider()
				p.places(3)
				g := warmGate(t, p, &watched{Store: memstore.New(), trouble: tc.trouble}, &opts)
				for range 3 {
					d := g.Decide(t.Context(), ada)
					if tc.click {
						d = g.Confirm(t.Context(), ada)
					}
					require.Equal(t, gate.ReasonUnavailable, d.Reason)
					require.EqualError(t, d.Err, "gate: "+what+": panic: string")
					require.Zero(t, d.Prompt.Key())
				}
				g.Explain(t.Context(), ada)
				require.Equal(t, []string{"ERROR askonce: callback panicked"}, log.all())
			})
		})
	}
}

type panickingPeeks struct{ *watched }

func (panickingPeeks) Peek(store.Key) (bool, bool)             { panic("lost") }
func (panickingPeeks) PeekPerson(string) (*store.Person, bool) { panic("lost") }

func TestAPanickingCacheIsPassedBy(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), panickingPeeks{&watched{Store: memstore.New()}}, &gate.Options{Timeout: 10 * time.Second})
	require.True(t, g.Decide(t.Context(), ada).Ask())
}

func TestPanickingReferencesGiveNoLink(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{References: panickingReferences{}})
	_, err := g.Decide(t.Context(), ada).Prompt.Link()
	require.EqualError(t, err, "gate: References: panic: string")
}

type panickingReferences struct{ gate.References }

func (panickingReferences) Reference(store.Key) (string, error) { panic("about ada") }
