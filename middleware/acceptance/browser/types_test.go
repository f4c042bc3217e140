package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var typescript = npmPackage{"typescript", "5.9.3", "sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw=="}

// An app in strict TypeScript compiles against the client's types, in the way that they
// describe.
func TestTypes(t *testing.T) {
	t.Parallel()
	long(t)
	node, err := exec.LookPath("node")
	if err != nil {
		skip(t, "%v", err)
	}
	dir := t.TempDir()
	need(t, func() (string, error) { return "", typescript.unpack(dir) })
	for name, from := range map[string]string{"types_use.ts": "types_use.ts", "askonce.d.ts": filepath.Join("..", "..", "internal", "prompt", "ui", "askonce.d.ts")} {
		source, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), source, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tsconfig.json"), []byte(`{
		"compilerOptions": {
			"strict": true, "exactOptionalPropertyTypes": true, "noEmit": true, "types": [],
			"target": "es2022", "module": "preserve", "lib": ["es2022", "dom"]
		},
		"files": ["types_use.ts", "askonce.d.ts"]
	}`), 0o644))
	compile := exec.CommandContext(t.Context(), node, filepath.Join(dir, "typescript", "lib", "tsc.js"), "--project", dir)
	out, err := compile.CombinedOutput()
	require.NoError(t, err, string(out))
}
