package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// Run runs every case of the contract. Each call of open must return an empty store
// that shares nothing with the others. open is called concurrently. It registers its
// cleanup with [testing.T.Cleanup].
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	has := capabilities(t, open(t))
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					explain(t, c.rule)
					if lacks := c.needs &^ has; lacks != 0 {
						t.Skipf("the store is not a %s", lacks)
					}
					c.run(t, newSubject(open(t), has))
				})
			}
		})
	}
}

// A contractCase checks one sentence of the contract.
type contractCase struct {
	name  string
	rule  string // the sentence
	needs capability
	run   func(t *testing.T, s *subject)
}

var groups = []struct {
	name  string
	cases []contractCase
}{
	{"record", recordCases},
	{"late", lateCases},
	{"ids", idCases},
	{"trouble", troubleCases},
	{"reset", resetCases},
	{"erase", eraseCases},
	{"list", listCases},
	{"jobs", jobCases},
	{"transcripts", transcriptCases},
	{"deadletters", deadLetterCases},
	{"checkpoints", checkpointCases},
	{"interactions", interactionCases},
	{"funnel", funnelCases},
	{"switches", switchCases},
	{"retention", retentionCases},
}

// explain prints the rule if the test fails.
func explain(t *testing.T, rule string) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the contract: %s", rule)
		}
	})
}

// capability is a set of optional interfaces.
type capability uint

const (
	transcripts capability = 1 << iota
	lister
	eraser
	resetter
	deadLetters
	checkpoints
	interactions
	switches
	retention
)

var capabilityNames = []string{"store.Transcripts", "store.Lister", "store.Eraser", "store.Resetter", "store.DeadLetters", "store.Checkpoints", "store.Interactions", "store.Switches", "store.Retention"}

func (c capability) String() string {
	var names []string
	for i, name := range capabilityNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

// subject is a store with its capabilities. Those that it lacks are nil.
type subject struct {
	store.Store
	store.Transcripts
	store.Lister
	store.Eraser
	store.Resetter
	store.DeadLetters
	store.Checkpoints
	store.Interactions
	store.Switches
	store.Retention
	has capability
}

func newSubject(s store.Store, has capability) *subject {
	sub := &subject{Store: s, has: has}
	sub.Transcripts, _ = store.As[store.Transcripts](s)
	sub.Lister, _ = store.As[store.Lister](s)
	sub.Eraser, _ = store.As[store.Eraser](s)
	sub.Resetter, _ = store.As[store.Resetter](s)
	sub.DeadLetters, _ = store.As[store.DeadLetters](s)
	sub.Checkpoints, _ = store.As[store.Checkpoints](s)
	sub.Interactions, _ = store.As[store.Interactions](s)
	sub.Switches, _ = store.As[store.Switches](s)
	sub.Retention, _ = store.As[store.Retention](s)
	return sub
}

// capabilities returns the capabilities of s. A wrapper that [store.As] cannot look
// into returns [errors.ErrUnsupported] for those that it lacks.
func capabilities(t *testing.T, s store.Store) (has capability) {
	t.Helper()
	ctx, sub := t.Context(), newSubject(s, 0)
	for _, c := range []struct {
		is    capability
		there bool
		call  func() error
	}{
		{transcripts, sub.Transcripts != nil, func() error { _, err := sub.Transcript(ctx, newID()); return err }},
		{lister, sub.Lister != nil, func() error { _, err := collect(sub.Completions(ctx, store.Filter{InterviewID: newID()})); return err }},
		{eraser, sub.Eraser != nil, func() error { return sub.Erase(ctx, newID()) }},
		{resetter, sub.Resetter != nil, func() error { return sub.Reset(ctx, newKey()) }},
		{deadLetters, sub.DeadLetters != nil, func() error { return sub.DeleteDeadLetter(ctx, strings.Repeat("0", 64)) }},
		{checkpoints, sub.Checkpoints != nil, func() error { return sub.Save(ctx, newID(), newID(), "", lease) }},
		{interactions, sub.Interactions != nil, func() error { _, err := sub.Person(ctx, newID()); return err }},
		{switches, sub.Switches != nil, func() error { _, err := sub.Switches.Switches(ctx); return err }},
		{retention, sub.Retention != nil, func() error { return sub.DeleteTranscript(ctx, newID()) }},
	} {
		if c.there && !errors.Is(c.call(), errors.ErrUnsupported) {
			has |= c.is
		}
	}
	return has
}

// base is the time of the suite's completions.
var base = time.Date(2026, time.March, 4, 5, 6, 7, 89e6, time.UTC)

func newID() string { return rand.Text() }

func newKey() store.Key { return store.Key{StudyID: "s-" + newID(), UserID: "u-" + newID()} }

// newCompletion returns an interview of a new user in a new study.
func newCompletion() store.Completion { return completionOf(newKey()) }

// completionOf returns a new interview of k.
func completionOf(k store.Key) store.Completion {
	return store.Completion{
		Key: k, InterviewID: "i-" + newID(), CompletedAt: base,
		Quality: "insightful", Language: "pt-BR", Duration: 754_321 * time.Millisecond,
	}
}

// record records c and returns first.
func (s *subject) record(t *testing.T, c store.Completion) bool {
	t.Helper()
	first, err := s.Record(t.Context(), c)
	require.NoError(t, err, "Record")
	return first
}

// mustRecord records interviews that the store does not know.
func (s *subject) mustRecord(t *testing.T, cs ...store.Completion) {
	t.Helper()
	for _, c := range cs {
		require.True(t, s.record(t, c), "Record of a new interview: first")
	}
}

// completed returns whether k is completed.
func (s *subject) completed(t *testing.T, k store.Key) bool {
	t.Helper()
	done, err := s.Completed(t.Context(), k)
	require.NoError(t, err, "Completed")
	return done
}

// list lists what f selects.
func (s *subject) list(t *testing.T, f store.Filter) []store.Completion {
	t.Helper()
	all, err := collect(s.Completions(t.Context(), f))
	require.NoError(t, err, "Completions")
	return all
}

// kept requires the store to list want under its interview id, if it can list.
func (s *subject) kept(t *testing.T, want store.Completion) {
	t.Helper()
	if s.has&lister == 0 {
		return
	}
	got := s.list(t, store.Filter{InterviewID: want.InterviewID})
	require.Len(t, got, 1, "interviews listed by id")
	equalCompletion(t, want, got[0])
}

// equalCompletion compares times to the millisecond and requires UTC.
func equalCompletion(t *testing.T, want, got store.Completion) {
	t.Helper()
	equalTime(t, want.CompletedAt, got.CompletedAt, "CompletedAt")
	equalTime(t, want.Until, got.Until, "Until")
	require.Equal(t, want.Duration.Milliseconds(), got.Duration.Milliseconds(), "Duration in ms")
	want.CompletedAt, want.Until, want.Duration = got.CompletedAt, got.Until, got.Duration
	require.Equal(t, want, got)
}

func equalTime(t *testing.T, want, got time.Time, what string) {
	t.Helper()
	require.Equal(t, want.IsZero(), got.IsZero(), "%s: want %v, got %v", what, want, got)
	require.Equal(t, want.UnixMilli(), got.UnixMilli(), "%s in ms: want %v, got %v", what, want.UTC(), got)
	require.Equal(t, time.UTC, got.Location(), "%s: location", what)
}

// collect takes all values up to the first error.
func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// cancelled returns a context that is over.
func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// close closes the store if it is an [io.Closer].
func (s *subject) close(t *testing.T) {
	t.Helper()
	if c, ok := s.Store.(io.Closer); ok {
		require.NoError(t, c.Close(), "Close")
	}
}
