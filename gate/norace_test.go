//go:build !race

package gate_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const raceEnabled = false

// The race detector makes sync.Pool allocate, so the test is not built with it.
func TestDecideAllocates(t *testing.T) {
	for _, o := range outcomes(t) {
		require.Equal(t, o.is, o.gate.Decide(t.Context(), o.visitor).Reason, o.name)
		ctx := t.Context()
		require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { o.gate.Decide(ctx, o.visitor) }), o.allocs, o.name)
	}
}
