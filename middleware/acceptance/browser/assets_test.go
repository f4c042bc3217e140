package browser

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/stretchr/testify/require"
)

var minify = flag.Bool("minify", false, "write the minified assets")

// The minified assets are what browsers get. They are in the repository, so that
// building askonce takes nothing but Go.
func TestMinifiedAssetsAreCurrent(t *testing.T) {
	t.Parallel()
	ui := filepath.Join("..", "..", "internal", "prompt", "ui")
	for name, loader := range map[string]api.Loader{"prompt.css": api.LoaderCSS, "prompt.js": api.LoaderJS, "askonce.js": api.LoaderJS} {
		source, err := os.ReadFile(filepath.Join(ui, name))
		require.NoError(t, err)
		got := api.Transform(string(source), api.TransformOptions{
			Loader: loader, MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
			Target: api.ES2022, Engines: []api.Engine{{Name: api.EngineChrome, Version: "111"}, {Name: api.EngineFirefox, Version: "128"}, {Name: api.EngineSafari, Version: "16.4"}},
		})
		require.Empty(t, got.Errors)
		ext := filepath.Ext(name)
		file := filepath.Join(ui, strings.TrimSuffix(name, ext)+".min"+ext)
		if *minify {
			require.NoError(t, os.WriteFile(file, got.Code, 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got.Code), "go test ./middleware/acceptance/browser -run Minified -minify writes it")
	}
}
