package recipes_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// newKit returns a kit for the study "Checkout" of a fake provider, for tests of your own
// app. The first decision may wait for the provider.
func newKit(t *testing.T) *askonce.Kit {
	fake := userjourneystest.NewServer(t, nil)
	fake.AddStudy(userjourneystest.Study{Name: "Checkout"})
	kit, err := askonce.New(askonce.Config{
		APIKey: fake.APIKey(), WebhookSecret: fake.Secret(), BaseURL: fake.BaseURL(), Studies: []string{"Checkout"},
		User: ada, Store: memstore.New(), Gate: &gate.Options{Timeout: 10 * time.Second},
	})
	require.NoError(t, err)
	return kit
}

func TestYourPageInvites(t *testing.T) {
	t.Parallel()
	page := get(newKit(t).Handler(http.HandlerFunc(plainPage)), "/").Body.String()
	require.Contains(t, page, `class="askonce"`)
}
