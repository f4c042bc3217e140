package memstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/stretchr/testify/require"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}

func TestModel(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, func(*testing.T) func(*testing.T) store.Store {
		s := memstore.New()
		return func(*testing.T) store.Store { return s }
	})
}

func TestLeasesAndCompletionsEndOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		c := store.Completion{Key: store.Key{StudyID: "s", UserID: "u"}, InterviewID: "i", CompletedAt: time.Now(), Until: time.Now().Add(time.Minute)}
		_, err := s.Record(t.Context(), c)
		require.NoError(t, err)
		jobs, err := s.ClaimJobs(t.Context(), time.Minute, 1)
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		_, acquired, err := s.Acquire(t.Context(), "walk", "a", time.Minute)
		require.NoError(t, err)
		require.True(t, acquired)

		for _, tc := range []struct {
			wait time.Duration
			over bool
		}{{time.Minute - time.Microsecond, false}, {time.Microsecond, true}} {
			time.Sleep(tc.wait)
			done, err := s.Completed(t.Context(), c.Key)
			require.NoError(t, err)
			require.Equal(t, !tc.over, done, "completed")
			p, err := s.Person(t.Context(), "u")
			require.NoError(t, err)
			require.Equal(t, !tc.over, p.Study("s").Completed)
			_, acquired, err := s.Acquire(t.Context(), "walk", "b", 0)
			require.NoError(t, err)
			require.Equal(t, tc.over, acquired, "a checkpoint of another holder")
			again, err := s.ClaimJobs(t.Context(), time.Minute, 1)
			require.NoError(t, err)
			require.Equal(t, tc.over, len(again) == 1, "a claim of another worker")
		}
		require.ErrorIs(t, s.FinishJob(t.Context(), jobs[0]), store.ErrLeaseLost)
	})
}
