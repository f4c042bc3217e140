package redisstore_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each benchmark alternates the store's call with the driver's own command and
// reports the ratio of the two.

func BenchmarkCompleted(b *testing.B) {
	client := connect(b)
	prefix := place(b, client)
	s := open(b, client, prefix)
	ctx := context.Background()
	c := completion(1)
	_, err := s.Record(ctx, c)
	require.NoError(b, err)
	ratio(b, func(int) {
		_, err = s.Completed(ctx, c.Key)
	}, func(int) {
		err = client.HMGet(ctx, "{"+prefix+"}:completed", "s\x00u1", "s\x00u2").Err()
	})
	require.NoError(b, err)
}

func BenchmarkRecord(b *testing.B) {
	client := connect(b)
	prefix := place(b, client)
	s := open(b, client, prefix)
	ctx := context.Background()
	var err error
	ratio(b, func(n int) {
		_, err = s.Record(ctx, completion(n))
	}, func(n int) {
		err = client.HSet(ctx, "{"+prefix+"}:letters", strconv.Itoa(n), "one command").Err()
	})
	require.NoError(b, err)
}

func ratio(b *testing.B, ours, bare func(n int)) {
	b.ReportAllocs()
	var t [2]time.Duration
	n := 0
	for b.Loop() {
		for i, do := range []func(int){ours, bare} {
			begun := time.Now()
			do(n)
			t[i] += time.Since(begun)
		}
		n++
	}
	b.ReportMetric(float64(t[0])/float64(t[1]), "x/bare")
	b.ReportMetric(float64(t[0].Nanoseconds())/float64(n), "ns/ours")
}
