package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	studyID   = "e5f6a7b8-1234-56cd-ef78-222222222222"
	studyName = "Onboarding Feedback"
	link      = "https://app.userjourneys.ai/i/xK9mR2pQ"
)

var discard = slog.New(slog.DiscardHandler)

// provider is a provider without a network, for tests in a synctest bubble and
// for answers that no sane provider gives.
type provider struct {
	mu     sync.Mutex
	study  userjourneys.Study
	answer func(ctx context.Context) error // before the study is given; nil: at once
	calls  []time.Time
	asked  []string
}

func newProvider() *provider {
	return &provider{study: userjourneys.Study{
		ID: studyID, Name: studyName, Status: "active", InterviewLink: link, AcceptingResponses: true,
		SupportedLanguages: []string{"en", "de", "no"},
	}}
}

func (p *provider) FindStudy(ctx context.Context, idOrName string) (userjourneys.Study, error) {
	p.mu.Lock()
	p.calls = append(p.calls, time.Now())
	p.asked = append(p.asked, idOrName)
	answer := p.answer
	p.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return userjourneys.Study{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.study, nil
}

func (p *provider) set(change func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *provider) fail(err error) {
	p.set(func(p *provider) { p.answer = func(context.Context) error { return err } })
}

func (p *provider) recover() { p.set(func(p *provider) { p.answer = nil }) }

// hang makes answers take d, or as long as the gate waits.
func (p *provider) hang(d time.Duration) {
	p.set(func(p *provider) {
		p.answer = func(ctx context.Context) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

func (p *provider) places(n int) {
	p.set(func(p *provider) {
		p.study.Limits.Weekly = &userjourneys.Limit{Limit: 1000, Used: 1000 - n}
		p.study.AcceptingResponses = n > 0
	})
}

// completions is a store that answers what it is told to.
type completions func(ctx context.Context, k store.Key) (bool, error)

func (c completions) Completed(ctx context.Context, k store.Key) (bool, error) { return c(ctx, k) }

var nobodyCompleted = completions(func(context.Context, store.Key) (bool, error) { return false, nil })

func newGate(t testing.TB, p gate.StudyFinder, done gate.CompletionChecker, opts *gate.Options) *gate.Gate {
	t.Helper()
	var o gate.Options
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = discard
	}
	g, err := gate.New(p, studyName, done, &o)
	require.NoError(t, err)
	return g
}

func warmGate(t testing.TB, p gate.StudyFinder, done gate.CompletionChecker, opts *gate.Options) *gate.Gate {
	t.Helper()
	g := newGate(t, p, done, opts)
	require.NoError(t, g.Warm(t.Context()))
	return g
}

func user(i int) string { return fmt.Sprintf("user-%06d", i) }

// fewer is n, and a tenth of it under the race detector, which is about ten
// times as slow and looks for something else.
func fewer(n int) int {
	if raceEnabled {
		return n / 10
	}
	return n
}
