package middleware_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// The result does not depend on how the output is cut into writes.
func TestEveryTwoWaySplit(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	for _, tt := range pagetest.Traps {
		want, outcome := i.serve(t, pageRequest(), pagetest.Splitter{Page: tt.Page}.ServeHTTP)
		for cut := range len(tt.Page) {
			way := byte(cut)
			got, o := i.serve(t, pageRequest(), pagetest.Splitter{Page: tt.Page, Cuts: []int{cut}, Ways: []byte{way % pagetest.WaysToWrite, way / 5 % pagetest.WaysToWrite}, Declare: cut%2 == 0}.ServeHTTP)
			require.Equal(t, outcome, o, "%q cut at %d", tt.Page, cut)
			require.Equal(t, want.Body.String(), strings.TrimRight(got.Body.String(), " ")+trailing(want.Body.String()), "%q cut at %d", tt.Page, cut)
		}
	}
}

func trailing(s string) string { return s[len(strings.TrimRight(s, " ")):] }

func TestRandomSplitsOfLargePages(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		page := "<!doctype html><body>" + filler(rnd.IntN(20_000)) + pagetest.Traps[n%len(pagetest.Traps)].Page
		want, outcome := i.serve(t, pageRequest(), pagetest.Splitter{Page: page}.ServeHTTP)
		var cuts []int
		for at := 0; at < len(page); {
			cuts = append(cuts, at)
			at += 1 + rnd.IntN([]int{3, 64, 700, 1024, 4096, 9000}[rnd.IntN(6)])
		}
		ways := make([]byte, 7)
		for k := range ways {
			ways[k] = byte(rnd.IntN(pagetest.WaysToWrite))
		}
		got, o := i.serve(t, pageRequest(), pagetest.Splitter{Page: page, Cuts: cuts, Ways: ways}.ServeHTTP)
		require.Equal(t, outcome, o)
		require.True(t, bytes.Equal(want.Body.Bytes(), got.Body.Bytes()), "page %d", n)
	}
}
