package webhook_test

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/webhook"
)

// TestPeersSignatures runs the signature tests of other projects. With -v it prints how
// many cases come from each.
func TestPeersSignatures(t *testing.T) {
	t.Parallel()
	var peers struct {
		Sources map[string]string
		Cases   []struct {
			Source, Name, Body, Error, Differs string
			Secrets, Header                    []string
		}
	}
	data, err := os.ReadFile("../testdata/peers/signatures.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &peers))
	want := map[string]error{
		"missing":   webhook.ErrMissingSignature,
		"malformed": webhook.ErrMalformedSignature,
		"bad":       webhook.ErrBadSignature,
		"secret":    webhook.ErrSecret,
	}
	cases, stricter := map[string]int{}, map[string]int{}
	for _, c := range peers.Cases {
		require.Contains(t, peers.Sources, c.Source)
		cases[c.Source]++
		if c.Differs != "" {
			stricter[c.Source]++
			require.NotEmpty(t, c.Error, "%s: ours only ever refuses more", c.Name)
		}
		t.Run(c.Source+"/"+c.Name, func(t *testing.T) {
			t.Parallel()
			err := webhook.Verify(c.Secrets, http.Header{"X-Webhook-Signature": c.Header}, []byte(c.Body))
			if c.Error == "" {
				require.NoError(t, err)
				return
			}
			require.Contains(t, want, c.Error)
			require.ErrorIs(t, err, want[c.Error])
		})
	}
	for name, source := range peers.Sources {
		require.NotZero(t, cases[name], name)
		t.Logf("%d cases, stricter in %d: %s", cases[name], stricter[name], source)
	}
}
