package integration

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	processes = 3
	shared    = 60 // interviews
)

// TestProcessesShareAFile has several processes record the same interviews in one
// SQLite file at once: each interview is the first in one of them.
func TestProcessesShareAFile(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"sqlite-modernc", "sqlite-mattn"}, func(t *testing.T, d database) {
		prefix := d.fresh(t)
		s := d.store(t, prefix)
		var outputs [processes]bytes.Buffer
		var running sync.WaitGroup
		for i := range outputs {
			cmd := child(t, "share", d, d.dsn(t), prefix)
			cmd.Stdout = &outputs[i]
			require.NoError(t, cmd.Start())
			running.Go(func() {
				if err := cmd.Wait(); err != nil {
					t.Errorf("process %d: %v", i, err)
				}
			})
		}
		running.Wait()
		var firsts []string
		for i := range outputs {
			firsts = append(firsts, strings.Fields(outputs[i].String())...)
		}
		require.Len(t, firsts, shared)
		slices.Sort(firsts)
		require.Len(t, slices.Compact(firsts), shared, "first in two processes")
		requireWhole(t, s)
	})
}

// recordShared records the interviews in two goroutines and prints those of which it
// was the first.
func recordShared() {
	s := childStore()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range shared {
				id := fmt.Sprint("i", i)
				first, err := s.Record(context.Background(), crashInterview(id))
				if err != nil {
					panic(err)
				}
				if first {
					fmt.Println(id) // one write each
				}
			}
		})
	}
	wg.Wait()
}
