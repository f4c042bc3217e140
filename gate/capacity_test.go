package gate_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

var ada = gate.Visitor{UserID: "ada"}

// crowd lets n users decide at once and returns the longest wait.
func crowd(t *testing.T, g *gate.Gate, n int) (longest time.Duration, reasons map[gate.Reason]int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	reasons = map[gate.Reason]int{}
	for i := range n {
		all.Go(func() {
			began := time.Now()
			d := g.Decide(t.Context(), gate.Visitor{UserID: user(i)})
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			longest = max(longest, took)
			reasons[d.Reason]++
		})
	}
	all.Wait()
	return longest, reasons
}

func TestHangingProviderStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Hour}), nil)
		for i := range 10_000 { // so that no page is refused because too many ask the store
			require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: user(i)}).Ask())
		}
		time.Sleep(3*time.Minute + time.Second)
		p.hang(30 * time.Second)
		longest, reasons := crowd(t, g, 10_000)
		require.Zero(t, longest, "nobody waits while there is a usable answer")
		require.Equal(t, map[gate.Reason]int{gate.ReasonEligible: 10_000}, reasons)
		synctest.Wait() // for the request, which no page waits for
		require.Equal(t, 2, p.count(), "one request, besides the first")
		require.Less(t, goroutinesIn("gate.(*capacity).refresh"), 100, "of this and all other tests")
		time.Sleep(time.Minute)
	})
}

// goroutinesIn counts the goroutines that have the function on their stacks.
func goroutinesIn(function string) (n int) {
	records := make([]runtime.StackRecord, 50_000)
	all, _ := runtime.GoroutineProfile(records)
	for _, r := range records[:min(all, len(records))] {
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			if strings.Contains(f.Function, function) {
				n++
				break
			}
			if !more {
				break
			}
		}
	}
	return n
}

func TestHangingProviderCold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(30 * time.Second)
		g := newGate(t, p, memstore.New(), nil)
		n := fewer(10_000)
		longest, reasons := crowd(t, g, n)
		require.LessOrEqual(t, longest, 150*time.Millisecond)
		require.Equal(t, map[gate.Reason]int{gate.ReasonUnavailable: n}, reasons)
		require.Equal(t, 1, p.count())

		// Once it is known that the provider fails, no page waits any more.
		time.Sleep(time.Minute + 20*time.Second)
		longest, _ = crowd(t, g, 100)
		require.Zero(t, longest)
		synctest.Wait()
		require.Equal(t, 2, p.count())
		time.Sleep(time.Minute)
	})
}

// The same over HTTP, with the client that production uses.
func TestHangingProviderOverHTTP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		warm bool
		is   gate.Reason
	}{"stale": {true, gate.ReasonEligible}, "cold": {false, gate.ReasonUnavailable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := userjourneystest.NewServer(t, nil)
			fake.AddStudy(userjourneystest.Study{Name: studyName})
			client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL(), MaxRetries: -1, Logger: discard})
			require.NoError(t, err)
			g := newGate(t, client, peeking{nobodyCompleted, false, true}, &gate.Options{Fresh: time.Nanosecond})
			if tc.warm {
				require.NoError(t, g.Warm(t.Context()))
			}
			before := len(fake.Requests())
			fake.Hang()
			n := fewer(10_000)
			longest, reasons := crowd(t, g, n)
			require.Equal(t, map[gate.Reason]int{tc.is: n}, reasons)
			require.Less(t, longest, 10*time.Second, "nobody waits for the provider")
			require.Eventually(t, func() bool { return len(fake.Requests()) > before }, 10*time.Second, time.Millisecond)
			require.Len(t, fake.Requests(), before+1)
			fake.Release()
			require.Eventually(t, func() bool { return g.Decide(t.Context(), ada).Ask() }, 30*time.Second, 10*time.Millisecond)
		})
	}
}

// One caller who leaves does not take the answer from the others.
func TestCancelledRequestDoesNotCancelOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(100 * time.Millisecond)
		g := newGate(t, p, nobodyCompleted, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var first, second gate.Decision
		go func() { first = g.Decide(ctx, ada) }()
		synctest.Wait()
		go func() { second = g.Decide(t.Context(), ada) }()
		time.Sleep(10 * time.Millisecond)
		cancel()
		synctest.Wait()
		require.ErrorIs(t, first.Err, context.Canceled)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.True(t, second.Ask(), "%v", second)
		require.Equal(t, 1, p.count())
	})
}

// A day with a provider that fails half the time: no prompt on an answer older
// than 15 minutes, and never two calls within a minute.
func TestDayOfFailures(t *testing.T) {
	t.Parallel()
	between := 2 * time.Second // two pages
	if raceEnabled {
		between = 20 * time.Second
	}
	for name, failing := range map[string]func() func() bool{
		"every other call": func() func() bool { return func() bool { return rand.N(2) == 0 } },
		"half hours":       func() func() bool { return func() bool { return time.Now().Minute() < 30 } },
		"half days":        func() func() bool { return func() bool { return time.Now().Hour()%12 < 6 } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				fails := failing()
				p.answer = func(context.Context) error {
					if fails() {
						return errors.New("trouble")
					}
					// Each answer carries its time into the decisions that rest on it.
					p.set(func(p *provider) { p.study.Name = time.Now().Format(time.RFC3339Nano) })
					return nil
				}
				g := newGate(t, p, nobodyCompleted, nil)
				pages, asked := 0, 0
				for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); time.Sleep(between) {
					pages++
					d := g.Decide(t.Context(), ada)
					if d.Ask() {
						asked++
						at, err := time.Parse(time.RFC3339Nano, d.Prompt.StudyName)
						require.NoError(t, err)
						require.LessOrEqual(t, time.Since(at), 15*time.Minute)
					} else {
						require.Equal(t, gate.ReasonUnavailable, d.Reason)
					}
					synctest.Wait()
				}
				require.Greater(t, asked, pages/4)
				for i := 1; i < len(p.calls); i++ {
					require.GreaterOrEqual(t, p.calls[i].Sub(p.calls[i-1]), time.Minute)
				}
				require.Greater(t, p.count(), 300)
				if name == "half days" {
					require.Less(t, asked, pages*3/4)
				}
			})
		})
	}
}

// Many processes that start together do not go on asking together.
func TestPausesAreJittered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err      error
		from, to time.Duration
	}{
		"fresh":       {nil, 162 * time.Second, 180 * time.Second},
		"failing":     {errors.New("trouble"), 60 * time.Second, 75 * time.Second},
		"retry after": {&userjourneys.Error{StatusCode: 503, RetryAfter: 200 * time.Second}, 200 * time.Second, 250 * time.Second},
		"long after":  {&userjourneys.Error{StatusCode: 503, RetryAfter: 24 * time.Hour}, 15 * time.Minute, 1125 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pauses := map[time.Duration]bool{}
				for range 20 {
					p := newProvider()
					p.answer = func(context.Context) error { return tc.err }
					g := newGate(t, p, nobodyCompleted, nil)
					for p.count() < 2 {
						g.Decide(t.Context(), ada)
						time.Sleep(time.Second)
						synctest.Wait()
					}
					pause := p.calls[1].Sub(p.calls[0])
					require.GreaterOrEqual(t, pause, tc.from)
					require.LessOrEqual(t, pause, tc.to+time.Second)
					pauses[pause] = true
				}
				require.Greater(t, len(pauses), 3)
			})
		})
	}
}

// The provider gets ten seconds, then the attempt counts as failed.
func TestFetchHasALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(time.Hour)
		g := newGate(t, p, nobodyCompleted, nil)
		began := time.Now()
		require.ErrorIs(t, g.Warm(t.Context()), context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}

// When a study's name is given to another study, no decision mixes the two.
func TestNameMovesToAnotherStudy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(50 * time.Millisecond)
		g := warmGate(t, p, nobodyCompleted, nil)
		p.fail(userjourneys.ErrNotFound) // the study is gone
		time.Sleep(time.Minute)
		require.Equal(t, gate.ReasonClosed, g.Confirm(t.Context(), ada).Reason)
		p.set(func(p *provider) { p.study.ID = "another" })
		p.hang(50 * time.Millisecond)
		time.Sleep(20 * time.Minute)
		d := g.Decide(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithOpened(studyID, time.Time{})})
		require.Equal(t, gate.ReasonUnavailable, d.Reason, "the history was that of the study that is gone")
		require.ErrorContains(t, d.Err, "another study")
		require.Equal(t, "another", g.Decide(t.Context(), ada).Prompt.StudyID)
	})
}

func TestMissingStudyIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &records{}
		p := newProvider()
		p.fail(userjourneys.ErrNotFound)
		g := newGate(t, p, nobodyCompleted, &gate.Options{Logger: slog.New(log)})
		for range 20 {
			d := g.Decide(t.Context(), ada)
			require.Equal(t, gate.ReasonClosed, d.Reason)
			require.NoError(t, d.Err)
			time.Sleep(time.Minute)
		}
		require.LessOrEqual(t, p.count(), 8, "an answer, and cached as one")
		require.Equal(t, []string{"WARN askonce: no active study with this id or name; no prompts for this study"}, log.all())
		p.recover()
		time.Sleep(4 * time.Minute)
		g.Decide(t.Context(), ada)
		synctest.Wait()
		require.True(t, g.Decide(t.Context(), ada).Ask())

		// Once known, a study is asked for by its id, and when it is gone by
		// the configured name again.
		time.Sleep(4 * time.Minute)
		g.Decide(t.Context(), ada)
		synctest.Wait()
		require.Equal(t, studyID, p.asked[len(p.asked)-1])
		p.fail(userjourneys.ErrNotFound)
		for range 2 {
			time.Sleep(4 * time.Minute)
			g.Decide(t.Context(), ada)
			synctest.Wait()
		}
		require.Equal(t, []string{studyID, studyName}, p.asked[len(p.asked)-2:])
		require.Equal(t, []string{"INFO askonce: the study is active again", log.all()[0]}, log.all()[1:], "gone a second time, logged a second time")
	})
}

func TestUnauthorizedIsLoudOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &records{}
		p := newProvider()
		n := 0
		p.answer = func(context.Context) error {
			if n++; n%2 == 0 {
				return errors.New("other trouble")
			}
			return &userjourneys.Error{StatusCode: 401}
		}
		g := newGate(t, p, nobodyCompleted, &gate.Options{Logger: slog.New(log)})
		for range 60 {
			require.ErrorContains(t, g.Decide(t.Context(), ada).Err, "gate: provider")
			time.Sleep(time.Minute)
		}
		require.Greater(t, p.count(), 20)
		require.Equal(t, []string{"ERROR askonce: the provider refuses the API key; prompts disabled"}, log.all())
		p.recover()
		time.Sleep(2 * time.Minute)
		require.NoError(t, g.Warm(t.Context()))
		require.Equal(t, "INFO askonce: the provider answers again", log.all()[1])
	})
}

func TestRetryAfterIsHeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.fail(&userjourneys.Error{StatusCode: 429, RetryAfter: 10 * time.Minute})
		g := newGate(t, p, nobodyCompleted, nil)
		for range 60 * 60 {
			g.Decide(t.Context(), ada)
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, p.count(), 6)
		require.GreaterOrEqual(t, p.count(), 5)
	})
}

func TestRecordedOutdatesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, nil)
		time.Sleep(time.Second)
		g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: "another"}})
		g.Decide(t.Context(), ada)
		synctest.Wait()
		require.Equal(t, 1, p.count())
		p.places(0)
		g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID}})
		require.True(t, g.Decide(t.Context(), ada).Ask(), "nobody waits for it")
		synctest.Wait()
		require.Equal(t, 2, p.count())
		require.Equal(t, gate.ReasonFull, g.Decide(t.Context(), ada).Reason)

		// A stream of completions does not become a stream of requests.
		for range 600 {
			g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID}})
			g.Decide(t.Context(), ada)
			time.Sleep(100 * time.Millisecond)
		}
		require.InDelta(t, 8, p.count(), 1)
	})
}

func TestConfirmWantsARecentAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, nil)
		time.Sleep(10 * time.Second)
		require.True(t, g.Confirm(t.Context(), ada).Ask())
		require.Equal(t, 1, p.count())
		time.Sleep(time.Second)
		p.places(0)
		require.Equal(t, gate.ReasonFull, g.Confirm(t.Context(), ada).Reason)
		require.Equal(t, 2, p.count())

		time.Sleep(11 * time.Second)
		p.hang(time.Hour)
		began := time.Now()
		require.Equal(t, gate.ReasonUnavailable, g.Confirm(t.Context(), ada).Reason)
		require.Equal(t, 3*time.Second, time.Since(began))
		time.Sleep(time.Minute)
	})
}

func TestWarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(2 * time.Second)
		g := newGate(t, p, nobodyCompleted, nil)
		_, has := g.Age()
		require.False(t, has)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, g.Warm(ctx), context.DeadlineExceeded)
		require.NoError(t, g.Warm(t.Context()))
		require.NoError(t, g.Warm(t.Context()))
		require.Equal(t, 1, p.count())
		age, has := g.Age()
		require.True(t, has)
		require.Equal(t, 2*time.Second, age)
	})
}

func TestPanickingProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.answer = func(context.Context) error { panic("lost") }
		g := newGate(t, p, nobodyCompleted, nil)
		require.ErrorContains(t, g.Warm(t.Context()), "provider: panic: string")
		require.Equal(t, gate.ReasonUnavailable, g.Decide(t.Context(), ada).Reason)
	})
}

// records keeps what is logged.
type records struct {
	mu   sync.Mutex
	list []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }
func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, rec.Level.String()+" "+strings.TrimSpace(rec.Message))
	return nil
}

func (r *records) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.list...)
}

// The provider's API may spell a UUID in capitals while its webhook does not.
func TestStudyIDHasOneSpelling(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.study.ID = strings.ToUpper(studyID)
	done := memstore.New()
	g, err := gate.New(p, studyName, done, &gate.Options{Logger: discard, Timeout: 10 * time.Second})
	require.NoError(t, err)
	d := g.Decide(t.Context(), gate.Visitor{UserID: "ada"})
	require.True(t, d.Ask())
	require.Equal(t, studyID, d.Prompt.StudyID)

	_, err = done.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: "i1", CompletedAt: time.Now()})
	require.NoError(t, err)
	require.Equal(t, gate.ReasonCompleted, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
}
