package webhook_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// clientVectors are the tests of the vectors that are told in words, by area.
var clientVectors = map[string]map[string]func(t *testing.T){
	"transcript": transcriptVectors, "reconcile": reconcileVectors, "rotation": rotateVectors, "seal": sealVectors,
}

func TestVectorsClient(t *testing.T) {
	t.Parallel()
	for _, c := range loadVectors(t).Client {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "client")
			test := clientVectors[c.Area][c.ID]
			require.NotNil(t, test, "no test for: %s -> %s", c.Given, c.Expect)
			test(t)
		})
	}
}
