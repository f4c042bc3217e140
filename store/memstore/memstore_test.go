package memstore_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
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

// TestAgainstAModel does at random what can be done, often enough for
// every table to grow several times and every block to fill, and compares with
// a model of plain maps.
func TestAgainstAModel(t *testing.T) {
	t.Parallel()
	const users, studies = 6000, 3
	steps := 60_000
	if testing.Short() {
		steps = 20_000
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m, model := memstore.New(), newModel()
	key := func() store.Key {
		return store.Key{StudyID: "study " + strconv.Itoa(random.IntN(studies)), UserID: "user " + strconv.Itoa(random.IntN(users))}
	}
	for range steps {
		k := key()
		switch n := random.IntN(100); {
		case n < 2:
			require.NoError(t, m.Erase(t.Context(), k.UserID))
			model.erase(k.UserID)
		case n < 8:
			require.NoError(t, m.Reset(t.Context(), k))
			delete(model.done, k)
		default:
			c := store.Completion{Key: k, InterviewID: strconv.Itoa(random.IntN(2 * users)), CompletedAt: time.Unix(int64(n), 0).UTC()}
			if n < 30 {
				c.UserID = ""
			}
			if n%2 == 0 {
				c.Quality = "quality " + strconv.Itoa(n%5)
			}
			first, err := m.Record(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, model.record(c), first)
		}
	}
	for range users {
		k := key()
		done, err := m.Completed(t.Context(), k)
		require.NoError(t, err)
		require.Equal(t, model.done[k], done, "%v", k)
		for c, err := range m.Completions(t.Context(), store.Filter{UserID: k.UserID}) {
			require.NoError(t, err)
			require.Equal(t, model.interviews[c.InterviewID].Completion, c)
		}
	}
	listed := 0
	for c, err := range m.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, model.interviews[c.InterviewID].Completion, c)
		listed++
	}
	require.Len(t, model.interviews, listed)
}

type model struct {
	interviews map[string]*modelled
	done       map[store.Key]bool
	erased     map[string]bool
}

type modelled struct {
	store.Completion
	gone bool
}

func newModel() *model {
	return &model{map[string]*modelled{}, map[store.Key]bool{}, map[string]bool{}}
}

func (m *model) record(c store.Completion) (first bool) {
	i, known := m.interviews[c.InterviewID]
	if !known {
		user := c.UserID
		c.UserID = ""
		i = &modelled{Completion: c}
		m.interviews[c.InterviewID] = i
		c.UserID = user
	}
	if i.Quality == "" {
		i.Quality = c.Quality
	}
	if i.UserID == "" && !i.gone && c.UserID != "" {
		m.done[store.Key{StudyID: i.StudyID, UserID: c.UserID}] = true
		if i.gone = m.erased[c.UserID]; !i.gone {
			i.UserID = c.UserID
		}
	}
	return !known
}

func (m *model) erase(userID string) {
	m.erased[userID] = true
	for _, i := range m.interviews {
		if i.UserID == userID {
			i.UserID, i.gone = "", true
		}
	}
}

func TestJobsAreClaimedAmongMany(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	const n = 3000
	for i := range n {
		id := strconv.Itoa(i)
		_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "s", UserID: id}, InterviewID: id})
		require.NoError(t, err)
	}
	seen := map[string]bool{}
	for len(seen) < n {
		jobs, err := s.ClaimJobs(t.Context(), time.Minute, 7)
		require.NoError(t, err)
		require.NotEmpty(t, jobs)
		for _, j := range jobs {
			require.False(t, seen[j.InterviewID], "claimed twice")
			seen[j.InterviewID] = true
			switch len(seen) % 3 {
			case 0:
				require.NoError(t, s.FinishJob(t.Context(), j))
			case 1:
				require.NoError(t, s.PostponeJob(t.Context(), j, time.Duration(len(seen)%100+60)*time.Second))
			}
		}
	}
	last, left := time.Time{}, 0
	for j, err := range s.PendingJobs(t.Context()) {
		require.NoError(t, err)
		require.False(t, j.DueAt.Before(last), "not in order")
		last = j.DueAt
		left++
	}
	require.Equal(t, n*2/3, left)
}
