package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// pickyStore always refuses some interviews.
type pickyStore struct {
	*memstore.Store
	refuses  map[string]error
	noted    *[]string // by AddDeadLetter
	refusals *int
}

func (s pickyStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if err := s.refuses[c.InterviewID]; err != nil {
		*s.refusals++
		return false, err
	}
	return s.Store.Record(ctx, c)
}

func (s pickyStore) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	*s.noted = append(*s.noted, d.Reason)
	return s.Store.AddDeadLetter(ctx, d)
}

func TestAnItemThatTheStoreRefusesHidesNoOtherAndIsNotedOnce(t *testing.T) {
	t.Parallel()
	span := days(3)
	if testing.Short() || raceDetector {
		span = days(1)
	}
	for _, c := range []struct {
		name  string
		items []int // refused, by their place in the list
		err   error
		bare  bool // the store keeps no dead letters
	}{
		{"for good", []int{9}, fmt.Errorf("test: %w", store.ErrPermanent), false},
		{"with another error", []int{9}, errors.New("test: value too long"), false},
		{"the first", []int{0}, errors.New("test"), false},
		{"the last", []int{299}, errors.New("test"), false},
		{"twenty in a row", []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}, errors.New("test"), false},
		{"around the end of a page", []int{98, 99, 100, 101}, errors.New("test"), false},
		{"no dead letters, for good", []int{9}, fmt.Errorf("test: %w", store.ErrPermanent), true},
		{"no dead letters, with another error", []int{9}, errors.New("test: value too long"), true},
		{"no dead letters, the first", []int{0}, errors.New("test"), true},
		{"no dead letters, the last", []int{299}, errors.New("test"), true},
		{"no dead letters, five at the top", []int{0, 1, 2, 3, 4}, errors.New("test"), true},
		{"no dead letters, twenty in a row", []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}, errors.New("test"), true},
		{"no dead letters, around the end of a page", []int{98, 99, 100, 101}, errors.New("test"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := interviewsOf(300)
			s := pickyStore{memstore.New(), map[string]error{}, new([]string), new(int)}
			for _, n := range c.items {
				s.refuses[list[n]] = c.err
			}
			var around store.Store = s
			wantLetters := len(c.items)
			if c.bare {
				around, wantLetters = struct{ store.Store }{s}, 0
			}
			synctestHandler(t, around, webhook.Options{}, func(b *bubble) {
				b.store = s.Store
				b.source.add(interviews(300)...)
				b.run()
				b.wait(span)
				require.Equal(t, 300-len(c.items), b.recorded())
				require.Equal(t, len(c.items), strings.Count(b.log.String(), "interview cannot be recorded"), "each is said once")
				letters := 0
				for _, err := range s.DeadLetters(b.t.Context()) {
					require.NoError(t, err)
					letters++
				}
				require.Equal(t, wantLetters, letters)
				require.Less(t, len(*s.noted), 20*len(c.items), "and tried again less and less often")
				require.Less(t, *s.refusals, 40*len(c.items), "twice at each")
				health := b.health()
				require.WithinDuration(t, time.Now(), health.LastReconcile, 11*time.Minute, "the walk is whole")
			})
		})
	}
}

// fickleStore refuses one interview for another reason the second time.
type fickleStore struct {
	*memstore.Store
	tries *int
}

func (s fickleStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if c.InterviewID != "int-00002" {
		return s.Store.Record(ctx, c)
	}
	if *s.tries++; *s.tries == 1 {
		return false, errors.New("test: the connection was lost")
	}
	return false, fmt.Errorf("test: %w", store.ErrPermanent)
}

func TestAnItemThatTheStoreRefusesForGoodAtTheSecondTryIsNoted(t *testing.T) {
	t.Parallel()
	s := fickleStore{memstore.New(), new(int)}
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		b.store = s.Store
		b.source.add(interviews(3)...)
		require.NoError(t, b.Reconcile(t.Context()))
		require.Equal(t, 2, b.recorded())
		require.Equal(t, 1, strings.Count(b.log.String(), "interview cannot be recorded"))
		letters := 0
		for _, err := range s.DeadLetters(t.Context()) {
			require.NoError(t, err)
			letters++
		}
		require.Equal(t, 1, letters)
	})
}

// hangingStore takes 5 s for every record and then fails, but for the interview "good".
// It notes when a lease is extended.
type hangingStore struct {
	*memstore.Store
	saved atomic.Int64
}

func (s *hangingStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if c.InterviewID == "good" {
		return s.Store.Record(ctx, c)
	}
	<-ctx.Done()
	return false, ctx.Err()
}

func (s *hangingStore) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	s.saved.Add(1)
	return s.Store.Save(ctx, name, holder, state, lease)
}

func TestRunEndsSoonWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	s := &hangingStore{Store: memstore.New()}
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		b.source.add(interviews(100)...)
		b.run()
		b.wait(time.Second)
		cancelled := time.Now()
		b.stop()
		<-b.ended
		require.LessOrEqual(t, time.Since(cancelled), 10*time.Second)
	})
}

func TestAWalkKeepsItsLeaseWhileTheStoreRefusesItems(t *testing.T) {
	t.Parallel()
	s := &hangingStore{Store: memstore.New()}
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		list := interviews(49)
		b.source.add(append([]userjourneys.Interview{completed("good", "ada")}, list...)...)
		b.run()
		b.wait(6 * time.Minute) // longer than the lease
		require.Positive(t, s.saved.Load())
		_, acquired, err := s.Acquire(t.Context(), "reconcile/"+studyID, "another replica", time.Minute)
		require.NoError(t, err)
		require.False(t, acquired)
	})
}

func TestManyInterviewsThatCannotBeRecordedAreLoggedOnceEach(t *testing.T) {
	t.Parallel()
	const n = 6000
	inBubble(t, webhook.Options{Policy: func(store.Completion) webhook.Verdict { panic("lost") }}, func(b *bubble) {
		b.source.add(interviews(n)...)
		b.run()
		b.wait(3 * time.Hour)
		require.Equal(t, n, strings.Count(b.log.String(), "interview cannot be recorded"))
		require.Equal(t, n, strings.Count(b.log.String(), "the app's code panicked"))
	})
}
