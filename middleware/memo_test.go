package middleware

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemo[int]()
	const many = 10 * memoPlaces
	for i := range many {
		m.put(strconv.Itoa(i), i)
		v := m.get(strconv.Itoa(i))
		require.NotNil(t, v)
		require.Equal(t, i, *v)
	}
	kept := 0
	for i := range many {
		if v := m.get(strconv.Itoa(i)); v != nil {
			kept++
			require.Equal(t, i, *v)
		}
	}
	require.Greater(t, kept, memoPlaces*9/10, "the places are used")
	require.LessOrEqual(t, kept, memoPlaces)
}

func TestMemoConcurrently(t *testing.T) {
	t.Parallel()
	m := newMemo[int]()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 4000 {
				m.put(strconv.Itoa(i), i)
				if v := m.get(strconv.Itoa(i / 2)); v != nil && *v != i/2 {
					t.Errorf("%d is %d", i/2, *v)
				}
			}
		})
	}
	wg.Wait()
}
