package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := run(t.Context(), []string{"-check"}, &out)
	t.Log(out.String())
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 14)
	for _, line := range lines {
		require.Regexp(t, regexp.MustCompile(`^ok +\d+ .+: .+$`), line)
	}
}
