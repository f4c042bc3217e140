package redisstore_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// BenchmarkCompleted compares a look-up with the same command.
func BenchmarkCompleted(b *testing.B) {
	client := connect(b)
	prefix := place(b, client)
	s := open(b, client, prefix)
	c := completion(1)
	_, err := s.Record(b.Context(), c)
	require.NoError(b, err)
	took := inTurns(b, func(int) error {
		_, err := s.Completed(b.Context(), c.Key)
		return err
	}, func(int) error {
		return client.HMGet(b.Context(), "{"+prefix+"}:completed", "s\x00u1", "s\x00u2").Err()
	})
	b.ReportMetric(took[0]/took[1], "x-raw")
	b.ReportMetric(took[0], "ours-ns")
}

// BenchmarkRecord compares a Record with the least script that writes the same,
// which is what our code adds, and with a single HSET, which is what the
// contract costs: the mark, the indexes and the job come with the interview.
func BenchmarkRecord(b *testing.B) {
	client := connect(b)
	prefix := place(b, client)
	s := open(b, client, prefix)
	key := func(name string) string { return "{" + prefix + "}:" + name }
	keys := []string{key("interviews"), key("by_time"), key("completed"), key("by_user"), key("jobs"), key("due")}
	same := redis.NewScript(`
		local id, user, text, job, at = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
		redis.call('HSET', KEYS[1], id, text)
		redis.call('ZADD', KEYS[2], at, id)
		redis.call('HSET', KEYS[3], user, '0')
		redis.call('ZADD', KEYS[4], 0, user)
		redis.call('HSET', KEYS[5], id, job)
		redis.call('ZADD', KEYS[6], at, id)
		return 1`)
	text := `{"s":"s","u":"u1000","t":"1772600767089000","q":"","l":"","d":"0","e":"0"}`
	job := `{"q":"1772600767089000","a":"0","r":"","c":""}`
	took := inTurns(b, func(n int) error {
		_, err := s.Record(b.Context(), completion(n))
		return err
	}, func(n int) error {
		id := strconv.Itoa(n)
		return same.Run(b.Context(), client, keys, "same"+id, "s\x00u"+id, text, job, n).Err()
	}, func(n int) error {
		return client.HSet(b.Context(), key("letters"), strconv.Itoa(n), text).Err()
	})
	b.ReportMetric(took[0]/took[1], "x-same-rows")
	b.ReportMetric(took[0]/took[2], "x-one-insert")
	b.ReportMetric(took[1]/took[2], "same-rows-x-one-insert")
	b.ReportMetric(took[0], "ours-ns")
}

// inTurns runs each in turn and returns their medians in nanoseconds.
func inTurns(b *testing.B, each ...func(n int) error) []float64 {
	took := make([][]time.Duration, len(each))
	for n := 0; b.Loop(); n++ {
		for i, do := range each {
			begun := time.Now()
			err := do(n)
			took[i] = append(took[i], time.Since(begun))
			require.NoError(b, err)
		}
	}
	medians := make([]float64, len(each))
	for i, all := range took {
		slices.Sort(all)
		medians[i] = float64(all[len(all)/2].Nanoseconds())
	}
	return medians
}
