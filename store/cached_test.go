package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/stretchr/testify/require"
)

func TestCachedContract(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*store.CacheOptions{
		"defaults":           nil,
		"two answers":        {Size: 2},
		"remembers nothing":  {Completed: -1, Open: -1},
		"remembers long":     {Completed: time.Hour, Open: time.Hour},
		"only completions":   {Open: -1},
		"only open answers":  {Completed: -1, Open: time.Hour},
		"shorter than a run": {Completed: time.Microsecond, Open: time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(*testing.T) store.Store { return store.NewCached(memstore.New(), opts) })
		})
	}
	t.Run("no capabilities", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(*testing.T) store.Store { return store.NewCached(newStub(), nil) })
	})
}

// stub is a plain store whose look-ups can be counted, held and failed.
type stub struct {
	store.Store
	lookups   atomic.Int64
	completed func(ctx context.Context, k store.Key) (bool, error) // nil: asks Store
}

func newStub() *stub { return &stub{Store: memstore.New()} }

func (s *stub) Completed(ctx context.Context, k store.Key) (bool, error) {
	s.lookups.Add(1)
	if s.completed != nil {
		return s.completed(ctx, k)
	}
	return s.Store.Completed(ctx, k)
}

var ada = store.Key{StudyID: "onboarding", UserID: "ada"}

func interview(id string, k store.Key) store.Completion {
	return store.Completion{Key: k, InterviewID: id, CompletedAt: time.Now()}
}

// ask wants an answer.
func ask(t *testing.T, s store.Store, k store.Key) bool {
	t.Helper()
	done, err := s.Completed(t.Context(), k)
	require.NoError(t, err)
	return done
}

func record(t *testing.T, s store.Store, c store.Completion) bool {
	t.Helper()
	first, err := s.Record(t.Context(), c)
	require.NoError(t, err)
	return first
}

func TestCachedRemembersACompletionLongAndAnOpenAnswerShortly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := newStub()
		s := store.NewCached(inner, &store.CacheOptions{Completed: time.Hour, Open: 10 * time.Second})
		for range 3 {
			require.False(t, ask(t, s, ada))
		}
		require.EqualValues(t, 1, inner.lookups.Load())
		record(t, inner.Store, interview("i1", ada)) // by another replica
		time.Sleep(10*time.Second - 1)
		require.False(t, ask(t, s, ada), "remembered as open")
		time.Sleep(time.Nanosecond)
		require.True(t, ask(t, s, ada), "asked again")
		require.EqualValues(t, 2, inner.lookups.Load())
		time.Sleep(time.Hour - 1)
		require.True(t, ask(t, s, ada))
		require.EqualValues(t, 2, inner.lookups.Load(), "remembered as completed")
		time.Sleep(time.Nanosecond)
		require.True(t, ask(t, s, ada))
		require.EqualValues(t, 3, inner.lookups.Load())
	})
}

func TestCachedRecordIsVisibleAtOnce(t *testing.T) {
	t.Parallel()
	inner := newStub()
	s := store.NewCached(inner, nil)
	require.False(t, ask(t, s, ada))
	require.True(t, record(t, s, interview("i1", ada)))
	require.True(t, ask(t, s, ada))

	bob := store.Key{StudyID: ada.StudyID, UserID: "bob"}
	record(t, s, interview("i2", store.Key{StudyID: bob.StudyID}))
	require.False(t, ask(t, s, bob))
	require.False(t, record(t, s, interview("i2", bob)), "a late reference is not first")
	require.True(t, ask(t, s, bob), "and visible at once all the same")

	eve := store.Key{StudyID: ada.StudyID, UserID: "eve"}
	require.False(t, record(t, s, interview("i1", eve)), "the interview is ada's")
	require.False(t, ask(t, s, eve), "a repeated Record completes nobody else")
}

func TestCachedCompletionWithUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := store.NewCached(memstore.New(), &store.CacheOptions{Completed: 24 * time.Hour, Open: -1})
		c := interview("i1", ada)
		c.Until = time.Now().Add(time.Hour)
		record(t, s, c)
		time.Sleep(time.Hour - 1)
		require.True(t, ask(t, s, ada))
		time.Sleep(time.Nanosecond)
		require.False(t, ask(t, s, ada), "a completion recorded through the cache does not outlive its Until")
	})
}

func TestCachedOlderLookupDoesNotUndoNewerChange(t *testing.T) {
	t.Parallel()
	old := memstore.New()
	_, err := old.Record(t.Context(), interview("i1", ada))
	require.NoError(t, err)
	for _, tc := range []struct {
		name   string
		inner  *memstore.Store
		change func(ctx context.Context, s store.Store) error
		older  bool // what the look-up in flight has read
	}{
		{"record", memstore.New(), func(ctx context.Context, s store.Store) error {
			_, err := s.Record(ctx, interview("i1", ada))
			return err
		}, false},
		{"late reference", memstore.New(), func(ctx context.Context, s store.Store) error {
			if _, err := s.Record(ctx, interview("i1", store.Key{StudyID: ada.StudyID})); err != nil {
				return err
			}
			_, err := s.Record(ctx, interview("i1", ada))
			return err
		}, false},
		{"reset", old, func(ctx context.Context, s store.Store) error {
			resetter, _ := store.As[store.Resetter](s)
			return resetter.Reset(ctx, ada)
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				held := make(chan struct{})
				inner := &held1{Store: tc.inner, held: held}
				s := store.NewCached(inner, nil)
				older := make(chan bool)
				go func() { older <- ask(t, s, ada) }()
				synctest.Wait() // the look-up has read its answer
				require.NoError(t, tc.change(t.Context(), s))
				require.Equal(t, !tc.older, ask(t, s, ada), "asked while the older look-up is in flight")
				close(held)
				require.Equal(t, tc.older, <-older)
				synctest.Wait()
				require.Equal(t, !tc.older, ask(t, s, ada), "asked after it")
			})
		})
	}
}

// held1 is a store whose first look-up reads, and then waits to be let go.
type held1 struct {
	*memstore.Store
	calls atomic.Int64
	held  chan struct{}
}

func (s *held1) Person(ctx context.Context, userID string) (store.Person, error) {
	p, err := s.Store.Person(ctx, userID)
	if s.calls.Add(1) == 1 {
		<-s.held
	}
	return p, err
}

func TestCachedErrorsAreNotRemembered(t *testing.T) {
	t.Parallel()
	inner := newStub()
	boom := errors.New("boom")
	inner.completed = func(context.Context, store.Key) (bool, error) { return true, boom }
	s := store.NewCached(inner, nil)
	for i := range 3 {
		done, err := s.Completed(t.Context(), ada)
		require.ErrorIs(t, err, boom)
		require.False(t, done)
		require.EqualValues(t, i+1, inner.lookups.Load())
	}
	inner.completed = func(context.Context, store.Key) (bool, error) { panic("boom") }
	_, err := s.Completed(t.Context(), ada)
	require.ErrorContains(t, err, "panicked")
	inner.completed = nil
	require.False(t, ask(t, s, ada))
}

func TestCachedFailedRecordAsksAgain(t *testing.T) {
	t.Parallel()
	inner := &commitsAndFails{memstore.New()}
	s := store.NewCached(inner, nil)
	require.False(t, ask(t, s, ada))
	_, err := s.Record(t.Context(), interview("i1", ada))
	require.Error(t, err)
	require.True(t, ask(t, s, ada), "what failed may have come through")
}

type commitsAndFails struct{ store.Store }

func (s *commitsAndFails) Record(ctx context.Context, c store.Completion) (bool, error) {
	if _, err := s.Store.Record(ctx, c); err != nil {
		return false, err
	}
	return false, errors.New("connection reset while committing")
}

func TestCachedMissesShareOneLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := newStub()
		release := make(chan struct{})
		inner.completed = func(ctx context.Context, k store.Key) (bool, error) {
			<-release
			return true, ctx.Err()
		}
		s := store.NewCached(inner, nil)
		leaving, leave := context.WithCancel(t.Context())
		left, answers := make(chan error, 1), make(chan bool, 100)
		go func() {
			_, err := s.Completed(leaving, ada)
			left <- err
		}()
		synctest.Wait() // whoever leaves has started the look-up
		for range 100 {
			go func() { answers <- ask(t, s, ada) }()
		}
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		close(release)
		for range 100 {
			require.True(t, <-answers)
		}
		require.EqualValues(t, 1, inner.lookups.Load())
	})
}

func TestCachedLookupHasADeadlineOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := newStub()
		inner.completed = func(ctx context.Context, _ store.Key) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}
		s := store.NewCached(inner, &store.CacheOptions{Timeout: 3 * time.Second})
		start := time.Now()
		_, err := s.Completed(t.Context(), ada)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestCachedIsBounded(t *testing.T) {
	t.Parallel()
	inner := newStub()
	s := store.NewCached(inner, &store.CacheOptions{Size: 100})
	key := func(i int) store.Key {
		return store.Key{StudyID: fmt.Sprint("study ", i%3), UserID: fmt.Sprint("user ", i)}
	}
	for i := range 1000 {
		ask(t, s, key(i))
		_, known := s.Peek(key(0)) // used all the time
		require.True(t, known, "an answer in use was dropped after %d others", i)
	}
	known := 0
	for i := range 1000 {
		if _, ok := s.Peek(key(i)); ok {
			known++
		}
	}
	require.LessOrEqual(t, known, 100)
	require.GreaterOrEqual(t, known, 40)
	require.EqualValues(t, 1000, inner.lookups.Load())
}

func TestCachedEraseForgetsTheUserEverywhere(t *testing.T) {
	t.Parallel()
	s := store.NewCached(memstore.New(), &store.CacheOptions{Size: 8})
	for i := range 7 { // in both generations
		ask(t, s, store.Key{StudyID: fmt.Sprint(i % 4), UserID: "ada"})
		ask(t, s, store.Key{StudyID: fmt.Sprint(i % 4), UserID: "bob"})
	}
	require.NoError(t, s.Erase(t.Context(), "ada"))
	for i := range 4 {
		_, known := s.Peek(store.Key{StudyID: fmt.Sprint(i), UserID: "ada"})
		require.False(t, known)
	}
}

func TestAs(t *testing.T) {
	t.Parallel()
	inner := memstore.New()
	cache := store.NewCached(store.NewCached(inner, nil), nil)
	jobs, ok := store.As[store.Transcripts](cache)
	require.True(t, ok)
	require.Same(t, inner, jobs, "the cache does not stand in the way of what it does not cache")
	eraser, ok := store.As[store.Eraser](cache)
	require.True(t, ok)
	require.Same(t, cache, eraser, "the cache hears of what it has to forget")

	bare := store.NewCached(store.NewCached(newStub(), nil), nil)
	_, ok = store.As[store.Transcripts](bare)
	require.False(t, ok)
	_, ok = store.As[store.Eraser](bare)
	require.False(t, ok, "the methods are there, the capability is not")
	require.ErrorIs(t, bare.Erase(t.Context(), "ada"), errors.ErrUnsupported)
	require.ErrorIs(t, bare.Reset(t.Context(), ada), errors.ErrUnsupported)
	_, err := bare.Person(t.Context(), "ada")
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestNewCachedPanicsWithoutAStore(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "store: NewCached: s is nil", func() { store.NewCached(nil, nil) })
}
