package matrix

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

var silent = log.New(io.Discard, "", 0)

// TestMatrix sends every row to every application, as a user who is not asked
// and as one who is, and compares with the same application without the
// middleware. For a user who is asked, that one hides from its handlers what
// the middleware hides (the wish for compression, the validators of a copy).
func TestMatrix(t *testing.T) {
	snippet := snippetOf(t)
	sum := newSummary()
	t.Run("cells", func(t *testing.T) {
		for _, f := range frameworks {
			for _, comp := range []compressor{none, outside, inside} {
				if testing.Short() && comp != none {
					continue
				}
				t.Run(f.name+", compressor "+compressorNames[comp], func(t *testing.T) {
					t.Parallel()
					runColumn(t, f, comp, snippet, sum)
				})
			}
		}
	})
	t.Log(sum)
	if sum.cells == len(rows)*len(frameworks)*len(compressorNames)*len(mountNames)*2*2 { // all of them were run
		require.Empty(t, sum.unused(), "exceptions that nothing needs any more")
	}
}

// runColumn runs the cells of one framework with one place of the compressor.
func runColumn(t *testing.T, f framework, comp compressor, snippet string, sum *summary) {
	s := newSite(t)
	start := func(r role, m mount) server {
		return serve(t, build(t, f, setup{role: r, mount: m, compressor: comp, site: s}))
	}
	plain := start(bare, native)
	hides := map[bool]server{true: start(hiding, around), false: start(hiding, native)}
	var asks [3]server
	for m := range asks {
		asks[m] = start(asking, mount(m))
	}
	for _, http2 := range []bool{false, true} {
		client := newClient(t, http2)
		for _, w := range rows {
			oracles := map[bool]*observation{}
			oracle := get(t, client, plain, w, "bob")
			for isAround, h := range hides {
				oracles[isAround] = get(t, client, h, w, "ada")
			}
			for m, server := range asks {
				c := cell{row: w, framework: f.name, mount: mount(m), compressor: comp, http2: http2}
				sum.add(t, c, compare(c, snippet, oracle, get(t, client, server, w, "bob")))
				c.asked = true
				sum.add(t, c, compare(c, snippet, oracles[c.mount == around], get(t, client, server, w, "ada")))
			}
		}
	}
}

// snippetOf learns what is put into a page from a page that is known.
func snippetOf(t *testing.T) string {
	const before, after = "<!doctype html><html><body><p>known</p>", "</body></html>"
	s := serve(t, newMiddleware(t).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r, "outer size", "")
		_, _ = io.WriteString(w, before+after)
	})))
	o := get(t, newClient(t, false), s, row{path: "/"}, "ada")
	require.True(t, bytes.HasPrefix(o.body, []byte(before)) && bytes.HasSuffix(o.body, []byte(after)), "%s", o.body)
	snippet := string(o.body[len(before) : len(o.body)-len(after)])
	require.Contains(t, snippet, "<aside")
	return snippet
}
