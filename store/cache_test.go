package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/stretchr/testify/require"
)

func TestCacheContract(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*store.CacheOptions{
		"defaults":           nil,
		"two users":          {Size: 2},
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
	for name, inner := range map[string]func() store.Store{
		"a store without capabilities": func() store.Store { return newStub() },
		"a store without a list":       func() store.Store { return unlisted{memstore.New()} },
		"a cache of a cache":           func() store.Store { return store.NewCached(memstore.New(), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(*testing.T) store.Store { return store.NewCached(inner(), nil) })
		})
	}
}

func TestCacheModel(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, func(*testing.T) func(*testing.T) store.Store {
		s := store.NewCached(memstore.New(), &store.CacheOptions{Size: 8, Open: time.Hour})
		return func(*testing.T) store.Store { return s } // one replica: another would see what is cached
	})
}

// unlisted is a store of which nobody can ask whose an interview is.
type unlisted struct{ store.Interactions }

func (u unlisted) Completed(ctx context.Context, k store.Key) (bool, error) {
	return u.Interactions.(*memstore.Store).Completed(ctx, k)
}

func (u unlisted) Record(ctx context.Context, c store.Completion) (bool, error) {
	return u.Interactions.(*memstore.Store).Record(ctx, c)
}

func (u unlisted) Close() error { return u.Interactions.(*memstore.Store).Close() }

// stub is a store without capabilities whose look-ups can be counted, held and
// failed.
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

func (s *stub) Close() error { return s.Store.(*memstore.Store).Close() }

// persons is a store whose look-ups of persons can be counted and held.
type persons struct {
	*memstore.Store
	lookups atomic.Int64
	held    chan struct{} // the first look-up reads, and then waits for it
	noList  bool          // listing fails
}

func (s *persons) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	if s.noList {
		return func(yield func(store.Completion, error) bool) { yield(store.Completion{}, errors.New("boom")) }
	}
	return s.Store.Completions(ctx, f)
}

func (s *persons) Person(ctx context.Context, userID string) (store.Person, error) {
	p, err := s.Store.Person(ctx, userID)
	if s.lookups.Add(1) == 1 && s.held != nil {
		<-s.held
	}
	return p, err
}

var ada = store.Key{StudyID: "onboarding", UserID: "ada"}

func interview(id string, k store.Key) store.Completion {
	return store.Completion{Key: k, InterviewID: id, CompletedAt: time.Now()}
}

func completed(t *testing.T, s store.Store, k store.Key) bool {
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

func declined(k store.Key) store.Interaction {
	return store.Interaction{Key: k, Kind: store.InteractionDeclined, At: time.Now()}
}

func TestCacheRemembersACompletionLongAndAnOpenAnswerShortly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := newStub()
		s := store.NewCached(inner, &store.CacheOptions{Completed: time.Hour, Open: 10 * time.Second})
		for range 3 {
			require.False(t, completed(t, s, ada))
		}
		require.EqualValues(t, 1, inner.lookups.Load())
		record(t, inner.Store, interview("i1", ada)) // by another replica
		time.Sleep(10*time.Second - 1)
		require.False(t, completed(t, s, ada), "remembered as open")
		time.Sleep(time.Nanosecond)
		require.True(t, completed(t, s, ada), "asked again")
		require.EqualValues(t, 2, inner.lookups.Load())
		time.Sleep(time.Hour - 1)
		require.True(t, completed(t, s, ada))
		require.EqualValues(t, 2, inner.lookups.Load(), "remembered as completed")
		time.Sleep(time.Nanosecond)
		require.True(t, completed(t, s, ada))
		require.EqualValues(t, 3, inner.lookups.Load())
	})
}

func TestCacheRemembersAPersonShortlyAndTheCompletionLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := &persons{Store: memstore.New()}
		s := store.NewCached(inner, &store.CacheOptions{Completed: time.Hour, Open: 10 * time.Second})
		person := func() store.Person {
			p, err := s.Person(t.Context(), "ada")
			require.NoError(t, err)
			return p
		}
		record(t, inner.Store, interview("i1", ada))
		for range 3 {
			require.True(t, person().Study(ada.StudyID).Completed)
			require.True(t, completed(t, s, ada))
			require.False(t, completed(t, s, store.Key{StudyID: "another", UserID: "ada"}))
		}
		require.EqualValues(t, 1, inner.lookups.Load(), "one look-up says everything about a user")

		require.NoError(t, inner.Note(t.Context(), declined(ada))) // on another replica
		time.Sleep(10*time.Second - 1)
		require.Zero(t, person().Study(ada.StudyID).AnsweredAt, "remembered")
		time.Sleep(time.Nanosecond)
		_, known := s.PeekPerson("ada")
		require.False(t, known)
		done, known := s.Peek(ada)
		require.True(t, done && known, "a completion is remembered longer")
		require.Equal(t, store.InteractionDeclined, person().Study(ada.StudyID).Answer, "asked again")
		require.EqualValues(t, 2, inner.lookups.Load())
	})
}

func TestCacheShowsAtOnceWhatWasRecordedThroughIt(t *testing.T) {
	t.Parallel()
	other := store.Key{StudyID: "another", UserID: ada.UserID}
	scored := func(id string, k store.Key, ignored bool) store.Completion {
		c := interview(id, k)
		c.Quality, c.Ignored = "unsuccessful", ignored
		return c
	}
	for _, tc := range []struct {
		name  string
		first []store.Completion
		then  store.Completion
		want  bool // whether ada has completed the study
	}{
		{"a new interview", nil, interview("i1", ada), true},
		{"a new interview of another study", nil, interview("i1", other), false},
		{"an interview that gets its user", []store.Completion{interview("i1", store.Key{StudyID: ada.StudyID})}, interview("i1", ada), true},
		{"an interview that gets its user, said to be of another study", []store.Completion{interview("i1", store.Key{StudyID: ada.StudyID})}, interview("i1", other), true},
		{"an interview of somebody else", []store.Completion{interview("i1", store.Key{StudyID: ada.StudyID, UserID: "bob"})}, interview("i1", ada), false},
		{"a repeat", []store.Completion{interview("i1", ada)}, interview("i1", ada), true},
		{"a score that revises the completion", []store.Completion{interview("i1", ada)}, scored("i1", ada, true), false},
		{"a score without a user", []store.Completion{interview("i1", ada)}, scored("i1", store.Key{StudyID: ada.StudyID}, true), false},
		{"a score that names another user", []store.Completion{interview("i1", ada)}, scored("i1", store.Key{StudyID: ada.StudyID, UserID: "bob"}, true), false},
	} {
		for name, inner := range map[string]store.Store{"persons": memstore.New(), "completions": newStub(), "unlisted": unlisted{memstore.New()}} {
			t.Run(tc.name+", "+name, func(t *testing.T) {
				t.Parallel()
				s := store.NewCached(inner, &store.CacheOptions{Open: time.Hour})
				for _, c := range tc.first {
					record(t, inner, c)
				}
				completed(t, s, ada) // now in the cache
				record(t, s, tc.then)
				require.Equal(t, tc.want, completed(t, s, ada))
			})
		}
	}
}

func TestCacheShowsAtOnceWhatWasNotedThroughIt(t *testing.T) {
	t.Parallel()
	s := store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Hour})
	person := func() store.PersonStudy {
		p, err := s.Person(t.Context(), "ada")
		require.NoError(t, err)
		return p.Study(ada.StudyID)
	}
	require.Zero(t, person().AnsweredAt)
	require.NoError(t, s.Note(t.Context(), declined(ada)))
	require.Equal(t, store.InteractionDeclined, person().Answer)
	require.NoError(t, s.Reset(t.Context(), ada))
	require.Zero(t, person().AnsweredAt)
}

// TestCacheIsNeverBehindItsOwnRecord runs look-ups and repeated deliveries of others
// beside each Record, as a page and a walk do.
func TestCacheIsNeverBehindItsOwnRecord(t *testing.T) {
	t.Parallel()
	for name, inner := range map[string]store.Store{"persons": memstore.New(), "completions": newStub()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store.NewCached(inner, &store.CacheOptions{Open: time.Hour})
			old := interview("old", store.Key{StudyID: ada.StudyID, UserID: "bob"})
			old.Quality = "successful"
			record(t, s, old)
			users := 10_000
			if testing.Short() {
				users = 1_000
			}
			var now atomic.Int64 // the user who is recorded
			key := func(n int64) store.Key { return store.Key{StudyID: ada.StudyID, UserID: fmt.Sprint("user ", n)} }
			ctx, stop := context.WithCancel(t.Context())
			beside := func(do func() error) {
				for ctx.Err() == nil {
					if err := do(); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
					runtime.Gosched() // on few processors Record would wait for its turn
				}
			}
			go beside(func() error { _, err := s.Record(ctx, old); return err })
			for range 2 {
				go beside(func() error { _, err := s.Completed(ctx, key(now.Load())); return err })
			}
			unseen := 0
			for n := range int64(users) {
				now.Store(n)
				completed(t, s, key(n))
				record(t, s, interview(fmt.Sprint("i", n), key(n)))
				if !completed(t, s, key(n)) {
					unseen++
				}
			}
			stop()
			require.Zero(t, unseen, "of %d completions", users)
		})
	}
}

func TestCacheForgetsALookUpThatAWriteHasOvertaken(t *testing.T) {
	t.Parallel()
	score := func(ctx context.Context, s *store.Cache) error {
		c := interview("i1", store.Key{StudyID: ada.StudyID})
		c.Quality, c.Ignored = "unsuccessful", true
		_, err := s.Record(ctx, c)
		return err
	}
	for _, tc := range []struct {
		name   string
		before []store.Completion
		write  func(ctx context.Context, s *store.Cache) error
		want   bool
	}{
		{"score without a user", []store.Completion{interview("i1", ada)}, score, false},
		{"score without a user, no list", []store.Completion{interview("i1", ada)}, score, false},
		{"record", nil, func(ctx context.Context, s *store.Cache) error {
			_, err := s.Record(ctx, interview("i1", ada))
			return err
		}, true},
		{"late user", []store.Completion{interview("i1", store.Key{StudyID: ada.StudyID})}, func(ctx context.Context, s *store.Cache) error {
			_, err := s.Record(ctx, interview("i1", ada))
			return err
		}, true},
		{"reset", []store.Completion{interview("i1", ada)}, func(ctx context.Context, s *store.Cache) error {
			return s.Reset(ctx, ada)
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				inner := &persons{Store: memstore.New(), held: make(chan struct{}), noList: strings.HasSuffix(tc.name, "no list")}
				for _, c := range tc.before {
					record(t, inner.Store, c)
				}
				s := store.NewCached(inner, nil)
				older := make(chan bool)
				go func() { older <- completed(t, s, ada) }()
				synctest.Wait() // the look-up has read its answer
				require.NoError(t, tc.write(t.Context(), s))
				require.Equal(t, tc.want, completed(t, s, ada), "asked while the older look-up is in flight")
				close(inner.held)
				require.Equal(t, !tc.want, <-older)
				synctest.Wait()
				require.Equal(t, tc.want, completed(t, s, ada), "asked after it")
			})
		})
	}
}

func TestCacheDoesNotRememberErrors(t *testing.T) {
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
	inner.completed = func(context.Context, store.Key) (bool, error) { panic("secret") }
	_, err := s.Completed(t.Context(), ada)
	require.ErrorContains(t, err, "panic")
	require.NotContains(t, err.Error(), "secret")
	inner.completed = nil
	require.False(t, completed(t, s, ada))
}

func TestCacheAsksAgainAfterARecordThatFailed(t *testing.T) {
	t.Parallel()
	s := store.NewCached(storetest.WithHooks(memstore.New(), storetest.Hooks{After: func(_ context.Context, method string) error {
		if method == "Record" {
			return errors.New("connection lost while committing")
		}
		return nil
	}}), nil)
	require.False(t, completed(t, s, ada))
	_, err := s.Record(t.Context(), interview("i1", ada))
	require.Error(t, err)
	require.True(t, completed(t, s, ada), "what failed may have got through")
}

func TestCacheMissesShareOneLookUp(t *testing.T) {
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
			go func() { answers <- completed(t, s, ada) }()
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

func TestCacheBoundsALookUp(t *testing.T) {
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

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	inner := newStub()
	s := store.NewCached(inner, &store.CacheOptions{Size: 100})
	key := func(i int) store.Key {
		return store.Key{StudyID: fmt.Sprint("study ", i%3), UserID: fmt.Sprint("user ", i)}
	}
	for i := range 1000 {
		completed(t, s, key(i))
		_, known := s.Peek(key(0)) // used all the time
		require.True(t, known, "a user who was in use was dropped after %d others", i)
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

func TestCacheEraseForgetsTheUserEverywhere(t *testing.T) {
	t.Parallel()
	s := store.NewCached(memstore.New(), &store.CacheOptions{Size: 3})
	for _, user := range []string{"ada", "bob", "eve", "bob"} { // in both generations
		completed(t, s, store.Key{StudyID: "a", UserID: user})
		completed(t, s, store.Key{StudyID: "b", UserID: user})
	}
	require.NoError(t, s.Erase(t.Context(), "bob"))
	for _, study := range []string{"a", "b"} {
		_, known := s.Peek(store.Key{StudyID: study, UserID: "bob"})
		require.False(t, known)
	}
	_, known := s.PeekPerson("bob")
	require.False(t, known)
}

func TestCachePeekDoesNotAllocate(t *testing.T) {
	s := store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Hour})
	completed(t, s, ada)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.Peek(ada)
		s.PeekPerson(ada.UserID)
	}))
}

func TestAs(t *testing.T) {
	t.Parallel()
	full := store.NewCached(store.NewCached(memstore.New(), nil), nil)
	_, ok := store.As[store.Transcripts](full)
	require.True(t, ok)
	interactions, ok := store.As[store.Interactions](full)
	require.True(t, ok)
	require.Same(t, full, interactions, "the outermost cache hears what is noted")

	bare := store.NewCached(store.NewCached(newStub(), nil), nil)
	_, ok = store.As[store.Transcripts](bare)
	require.False(t, ok)
	_, ok = store.As[store.Interactions](bare)
	require.False(t, ok, "the methods are there, the capability is not")
	_, err := bare.Person(t.Context(), "ada")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = bare.Funnel(t.Context(), "study", time.Time{}, time.Time{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, bare.Note(t.Context(), declined(ada)), errors.ErrUnsupported)
	require.ErrorIs(t, bare.Erase(t.Context(), "ada"), errors.ErrUnsupported)
	require.ErrorIs(t, bare.Reset(t.Context(), ada), errors.ErrUnsupported)
	_, ok = store.As[store.Lister](newStub())
	require.False(t, ok)
}

func TestCacheWantsAStore(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "store: NewCached: s is nil", func() { store.NewCached(nil, nil) })
}
