package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModerncLibc requires the version of modernc.org/libc that modernc.org/sqlite
// requires. Its documentation says that no other is sure to work ("fragile libc"),
// and minimal version selection may silently choose a newer one.
func TestModerncLibc(t *testing.T) {
	t.Parallel()
	goList := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-m"}, args...)...).Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	want := ""
	text, err := os.ReadFile(goList("-f", "{{.GoMod}}", "modernc.org/sqlite"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == "modernc.org/libc" {
			want = fields[1]
		}
	}
	require.NotEmpty(t, want)
	require.Equal(t, want, goList("-f", "{{.Version}}", "modernc.org/libc"), "run: go get modernc.org/libc@%s", want)
}
