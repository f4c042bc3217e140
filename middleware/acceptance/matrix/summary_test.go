package matrix

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// summary counts the cells of a run.
type summary struct {
	mu          sync.Mutex
	cells       int
	differences int
	excepted    []int // cells by exception
}

func newSummary() *summary { return &summary{excepted: make([]int, len(exceptions))} }

// add counts a cell, and reports those of its differences that no exception
// covers.
func (s *summary) add(t *testing.T, c cell, ds []difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cells++
	used := map[int]bool{}
	for _, d := range ds {
		if i := exceptionFor(c, d); i >= 0 {
			used[i] = true
			continue
		}
		s.differences++
		t.Errorf("%s\n\t%s", c, d)
	}
	for i := range used {
		s.excepted[i]++
	}
}

func exceptionFor(c cell, d difference) int {
	for i, e := range exceptions {
		if e.covers(c, d) {
			return i
		}
	}
	return -1
}

// unused are the exceptions that covered nothing, and so are wrong by now.
func (s *summary) unused() (names []string) {
	for i, e := range exceptions {
		if s.excepted[i] == 0 {
			names = append(names, e.name)
		}
	}
	return names
}

func (s *summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "matrix: %d cells, %d differences, %d named exceptions", s.cells, s.differences, len(exceptions))
	for i, e := range exceptions {
		fmt.Fprintf(&b, "\n\t%s (%d cells): %s", e.name, s.excepted[i], e.reason)
	}
	return b.String()
}
