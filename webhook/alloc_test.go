//go:build !race

// The race detector drops what a sync.Pool keeps, so allocations are counted
// without it.

package webhook_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const raceDetector = false

func TestVerifyAllocatesNothing(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 700)
	secrets := []string{secret, previous}
	header := http.Header{"X-Webhook-Signature": {webhooktest.Sign(secret, body)}}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if webhook.Verify(secrets, header, body) != nil {
			t.Fatal("not verified")
		}
	}))
}
