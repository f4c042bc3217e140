package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
)

// BenchmarkGrowth reports what a look-up takes, and an interview whose
// transcript has been dealt with, while a server of its own grows to 100,000 of
// them: with ASKONCE_TEST_LONG=1 to 10 million, which takes 6 GB of memory.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{1_000, 10_000, 100_000}
	if os.Getenv("ASKONCE_TEST_LONG") != "" {
		sizes = append(sizes, 1_000_000, 10_000_000)
	}
	client := startServer(b).connect()
	small, big := growing(b, client, "small"), growing(b, client, "big")
	small.grow(b, 10_000)
	empty := usedMemory(b, client)
	for _, n := range sizes {
		big.grow(b, n)
		perInterview := (usedMemory(b, client) - empty) / float64(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			took := inTurns(b, big.lookup(b, true), small.lookup(b, true), big.lookup(b, false), small.lookup(b, false))
			b.ReportMetric(took[0], "completed-ns")
			b.ReportMetric(took[0]/took[1], "completed-x-10k")
			b.ReportMetric(took[2], "open-ns")
			b.ReportMetric(took[2]/took[3], "open-x-10k")
			b.ReportMetric(perInterview, "B/interview")
		})
	}
}

// growth is a store that grows without Record, which would take too long.
type growth struct {
	client *redis.Client
	store  *redisstore.Store
	prefix string
	n      int
}

func growing(b *testing.B, client *redis.Client, prefix string) *growth {
	b.Helper()
	s := open(b, client, prefix)
	_, err := s.Completed(b.Context(), grown(0).Key) // makes the key of the hashes
	require.NoError(b, err)
	return &growth{client, s, "{" + prefix + "}:", 0}
}

// lookup returns a look-up of somebody among those who have completed the study,
// or among as many others.
func (g *growth) lookup(b *testing.B, completed bool) func(int) error {
	first := 0
	if !completed {
		first = g.n
	}
	return func(int) error {
		done, err := g.store.Completed(b.Context(), grown(first+rand.IntN(g.n)).Key)
		require.Equal(b, completed, done)
		return err
	}
}

// grown has ids of 36 bytes.
func grown(i int) store.Completion {
	return store.Completion{
		Key:         store.Key{StudyID: "e5f6a7b8-1234-56cd-ef78-222222222222", UserID: fmt.Sprintf("user-of-the-growing-server%010d", i)},
		InterviewID: fmt.Sprintf("interview-of-growing-serve%010d", i),
	}
}

// grow writes what Record and FinishJob leave.
func (g *growth) grow(b *testing.B, to int) {
	b.Helper()
	for g.n < to {
		from := g.n
		g.n = min(from+1000, to)
		g.write(b, from, g.n)
	}
}

func (g *growth) write(b *testing.B, from, to int) {
	var interviews, completed []any
	var byTime, byUser []redis.Z
	for i := from; i < to; i++ {
		c, at := grown(i), 1_760_000_000_000_000+i
		interviews = append(interviews, c.InterviewID, fmt.Sprintf(`{"s":%q,"u":%q,"t":"%d","q":"successful","l":"en","d":"754321000","e":"0"}`, c.StudyID, c.UserID, at))
		completed = append(completed, c.StudyID+"\x00"+c.UserID, "0")
		byTime = append(byTime, redis.Z{Score: float64(at), Member: c.InterviewID})
		byUser = append(byUser, redis.Z{Member: c.UserID + "\x00" + c.InterviewID})
	}
	_, err := g.client.Pipelined(b.Context(), func(p redis.Pipeliner) error {
		p.HSet(b.Context(), g.prefix+"interviews", interviews...)
		p.HSet(b.Context(), g.prefix+"completed", completed...)
		p.ZAdd(b.Context(), g.prefix+"by_time", byTime...)
		p.ZAdd(b.Context(), g.prefix+"by_user", byUser...)
		return nil
	})
	require.NoError(b, err)
}

func usedMemory(b *testing.B, client *redis.Client) float64 {
	b.Helper()
	info, err := client.Info(b.Context(), "memory").Result()
	require.NoError(b, err)
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, "used_memory:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			require.NoError(b, err)
			return n
		}
	}
	b.Fatal("INFO does not say how much memory is used")
	return 0
}
