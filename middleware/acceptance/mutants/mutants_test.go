//go:build !race

// The mutants run in another process, which the race detector does not see.

package mutants

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// columns are the names of the adapters' frameworks in the matrix.
var columns = map[string]string{"askgin": "gin", "askechov5": "echo_v5", "askechov4": "echo_v4"}

func TestMutants(t *testing.T) {
	all := os.Getenv("ASKONCE_MUTANTS") == "all"
	made, killed := 0, 0
	for _, m := range mutations {
		mutated := mutate(t, m) // each of them, or they would rot
		if !all && !m.quick {
			continue
		}
		made++
		t.Run(m.adapter+": "+m.name, func(t *testing.T) {
			by := killer(t, m, mutated)
			require.NotEmpty(t, by, "survived")
			t.Log("killed by " + by)
			killed++
		})
	}
	t.Logf("mutants: %d of %d killed", killed, made)
}

// mutate returns the source of the mutant.
func mutate(t *testing.T, m mutation) string {
	source, err := os.ReadFile(filepath.Join("../..", m.adapter, m.file))
	require.NoError(t, err)
	mutated := string(source)
	for _, e := range m.edits {
		require.Equal(t, 1, strings.Count(mutated, e.old), "%s, %s: %q is not there once", m.adapter, m.name, e.old)
		mutated = strings.Replace(mutated, e.old, e.new, 1)
	}
	return mutated
}

// killer says which tests fail on the mutant: cells of the matrix, or else the
// adapter's own.
func killer(t *testing.T, m mutation, source string) string {
	dir := t.TempDir()
	mutated := filepath.Join(dir, m.file)
	require.NoError(t, os.WriteFile(mutated, []byte(source), 0o600))
	original, err := filepath.Abs(filepath.Join("../..", m.adapter, m.file))
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	require.NoError(t, err)
	overlayFile := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))
	for _, tests := range [][]string{
		{"-run", "^TestMatrix$/^cells$/^" + columns[m.adapter] + ",", "../matrix"},
		{"github.com/askonce/askonce/middleware/" + m.adapter},
	} {
		args := append([]string{"test", "-count=1", "-vet=off", "-timeout", "2m", "-overlay", overlayFile}, tests...)
		out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
		var failed *exec.ExitError
		if err == nil {
			continue
		}
		require.ErrorAs(t, err, &failed)
		require.NotContains(t, string(out), "[build failed]")
		require.NotContains(t, string(out), "[setup failed]")
		return first(string(out), tests[len(tests)-1])
	}
	return ""
}

// first is the first failure that the output names.
func first(out, tests string) string {
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		if _, what, ok := strings.Cut(l, "summary_test.go:"); ok && i+1 < len(lines) {
			_, cell, _ := strings.Cut(what, ": ")
			return "the cell " + cell
		}
	}
	for _, l := range lines {
		if name, ok := strings.CutPrefix(strings.TrimSpace(l), "--- FAIL: "); ok {
			return tests + ", " + name
		}
	}
	return tests
}
