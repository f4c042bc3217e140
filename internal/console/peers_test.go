package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
)

// TestPeersOrigins runs what net/http tests about requests from other sites against
// every form of the console, which trusts no origin but its own. With -v it prints how
// many cases there are.
func TestPeersOrigins(t *testing.T) {
	t.Parallel()
	var peers struct {
		Source   string
		Requests []struct {
			Name, Method, Site, Origin, Trusted string
			Allowed                             bool
		}
	}
	data, err := os.ReadFile("../../testdata/peers/crossorigin.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &peers))

	s := setup(t, memstore.New(), nil)
	cases := 0
	for _, c := range peers.Requests {
		if c.Trusted != "" && c.Origin == c.Trusted {
			continue
		}
		cases++
		for _, form := range []string{"pause", "people", "reset", "erase", "delete-transcript", "requeue", "requeue-all", "delete-letter"} {
			t.Run(form+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest(c.Method, "https://example.com/console/"+form, nil)
				for name, value := range map[string]string{"Sec-Fetch-Site": c.Site, "Origin": c.Origin} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
				rec := httptest.NewRecorder()
				s.ServeHTTP(rec, r)
				require.Equal(t, c.Allowed, rec.Code != http.StatusForbidden, rec.Code)
			})
		}
	}
	t.Logf("%d requests to each form: %s", cases, peers.Source)
}
