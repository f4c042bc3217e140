package browser

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/stretchr/testify/require"
)

var reactPackages = []npmPackage{
	{"react", "19.3.1", "sha512-QNhWdt7nrgVWWQG58QuGsAR3jv3Hbe4mb4vz7w2csnHavciZJgda1CPNaldF6eVxv90ud3jUXpKlHL69gO38yw=="},
	{"react-dom", "19.3.1", "sha512-Y0bARz53lhEC1NMCASs0/j+faB/zqt3R8hpvg1e8+61ZVJ4UL0UdC4cBbXfZMcIuhrfgeILTLe+ZeBCavQPtKQ=="},
	{"scheduler", "0.28.0", "sha512-juorfCmIkIw8tT+p5BXSm6PJjQF/ycEYmKyzURCIt/RaZIhL+PulbQ9Yu2z1HdOJDdqDTlxA1+xKBmHXJsczAw=="},
	{"@tanstack/react-query", "5.108.4", "sha512-GlTa94kfEKTVsbzXe58rFA3GZ0ZE7N1aFtbZAfOS3XxMv8YNn4C+8rsz40LorHLazdm5PsqCroWaYAR+ZkMXMQ=="},
	{"@tanstack/query-core", "5.108.4", "sha512-2Ks5dlLWz4eXJrthOyG0qW3SLt3xx0RrQmAmN0rnmogiaaOYuWiAe6HAm9KE2b2v8nig+vraNz8fsfZ6fF6zFg=="},
}

// reactApp bundles react_app.jsx for development: only there effects run twice.
var reactApp = sync.OnceValues(func() (string, error) {
	modules, err := os.MkdirTemp("", "askonce-react-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(modules)
	for _, p := range reactPackages {
		if err := p.unpack(modules); err != nil {
			return "", err
		}
	}
	app, err := filepath.Abs("react_app.jsx")
	if err != nil {
		return "", err
	}
	built := api.Build(api.BuildOptions{
		EntryPoints: []string{app}, NodePaths: []string{modules}, External: []string{"/askonce/askonce.js"},
		Bundle: true, Format: api.FormatESModule, JSX: api.JSXAutomatic, Define: map[string]string{"process.env.NODE_ENV": `"development"`},
	})
	for _, fault := range built.Errors {
		err = errors.Join(err, errors.New(fault.Text))
	}
	if err != nil {
		return "", err
	}
	return string(built.OutputFiles[0].Contents), nil
})

// React 19 in its strict mode runs effects twice, and TanStack Query fetches again
// whenever the window gets the focus: the decision stays the same, and what the user
// has seen is counted once.
func TestReact(t *testing.T) {
	t.Parallel()
	long(t)
	need(t, reactApp)
	a := newApp(t, nil, nil)
	b := newTab(t, look{}).hear().open(a.url + "/react")
	const asked = `!!document.querySelector("aside h2")`
	b.eventually(asked)
	require.GreaterOrEqual(t, eval[int](b, `effects`), 3, "effects run twice, or this tests nothing")
	b.until("shown", func() bool { return a.hasRecorded(store.InteractionShown) })
	for range 3 {
		before := eval[int](b, `fetched`)
		b.click("#refetch")
		require.True(t, eval[bool](b, `(document.dispatchEvent(new Event("visibilitychange")), true)`))
		b.eventually(`fetched > ` + strconv.Itoa(before))
		b.click("#next") // takes the prompt out and puts it in again
		b.eventually(asked)
	}
	require.Equal(t, 1, eval[int](b, `new Promise((done) => setTimeout(() => done(events.filter((e) => e.startsWith("shown ")).length), 1200))`))
	require.Equal(t, 1, a.count(store.InteractionShown))
	require.True(t, eval[bool](b, asked))

	b.click("#decline")
	b.eventually("!" + asked)
	b.click("#next")
	b.click("#refetch")
	b.open(a.url + "/react")
	b.eventually(`fetched > 0`)
	require.False(t, eval[bool](b, asked))
	require.Equal(t, 1, a.count(store.InteractionDeclined))
	b.quiet()
}
