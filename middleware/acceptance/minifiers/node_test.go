package minifiers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// node runs node/tools.mjs on a job and decodes its answer. It skips the test if
// there is no Node.js, or no network for the first run.
func node[T any](t *testing.T, job any) (answer T) {
	t.Helper()
	dir, err := installed()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	input, err := json.Marshal(job)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", "tools.mjs")
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.NoError(t, json.Unmarshal(out, &answer))
	return answer
}

// installed returns a folder with the tools and their packages. It is made once for
// each version of the folder node, in the user's cache.
var installed = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	files, sum := map[string][]byte{}, sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", "tools.mjs"} {
		content, err := os.ReadFile(filepath.Join("node", name))
		if err != nil {
			return "", err
		}
		files[name] = content
		sum.Write(content)
	}
	dir := filepath.Join(cache, "askonce-test", "minifiers-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(tmp, name), content, 0o600); err != nil {
			return "", err
		}
	}
	// Not "npm ci": it wants the lock file to name the binaries of every platform.
	install := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = tmp
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w: %s", err, bytes.TrimSpace(out))
	}
	return dir, os.Rename(tmp, dir)
})
