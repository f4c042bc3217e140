package middleware

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemo[int]()
	for i := range 10 * memoPlaces {
		require.Equal(t, i, m.of(strconv.Itoa(i), func() int { return i }))
		require.Equal(t, i, m.of(strconv.Itoa(i), func() int { return -1 }), "computed once")
	}
	used := 0
	for i := range m.places {
		if m.places[i].Load() != nil {
			used++
		}
	}
	require.Greater(t, used, memoPlaces*9/10)

	long := strings.Repeat("x", maxMemoKey+1)
	require.Equal(t, 1, m.of(long, func() int { return 1 }))
	require.Equal(t, 2, m.of(long, func() int { return 2 }), "a long key is not kept")
}

func TestMemoConcurrently(t *testing.T) {
	t.Parallel()
	m := newMemo[int]()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 4000 {
				if v := m.of(strconv.Itoa(i/2), func() int { return i / 2 }); v != i/2 {
					t.Errorf("%d is %d", i/2, v)
				}
			}
		})
	}
	wg.Wait()
}
