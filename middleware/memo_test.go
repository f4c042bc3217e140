package middleware

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	m := newMemo[int]()
	m.put("used", -1)
	const many = 50 * memoShards * memoSize
	for i := range many {
		m.put(strconv.Itoa(i), i)
		if i%64 == 0 {
			v, ok := m.get("used")
			require.True(t, ok)
			require.Equal(t, -1, v)
		}
	}
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].young) + len(m.shards[i].old)
	}
	require.LessOrEqual(t, n, 2*memoShards*memoSize)
	_, ok := m.get("0")
	require.False(t, ok)
	v, ok := m.get(strconv.Itoa(many - 1))
	require.True(t, ok)
	require.Equal(t, many-1, v)
}

func TestMemoConcurrently(t *testing.T) {
	t.Parallel()
	m := newMemo[int]()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 4000 {
				m.put(strconv.Itoa(i), i)
				if v, ok := m.get(strconv.Itoa(i / 2)); ok && v != i/2 {
					t.Errorf("%d is %d", i/2, v)
				}
			}
		})
	}
	wg.Wait()
}
