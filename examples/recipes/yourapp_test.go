package recipes_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// newKit returns a kit for the study "Checkout" of a fake provider, for tests of your own
// app. Nil references are the default, [gate.PlainReferences]. The first decision may wait
// for the provider.
func newKit(t *testing.T, refs gate.References) (*askonce.Kit, *userjourneystest.Server) {
	fake := userjourneystest.NewServer(t, nil)
	fake.AddStudy(checkout)
	kit, err := askonce.New(askonce.Config{
		APIKey: fake.APIKey(), WebhookSecret: fake.Secret(), BaseURL: fake.BaseURL(), Studies: []string{checkout.Name},
		User: ada, Store: memstore.New(), References: refs, Gate: &gate.Options{Timeout: 10 * time.Second},
	})
	require.NoError(t, err)
	return kit, fake
}

var checkout = userjourneystest.Study{ID: "study-1", Name: "Checkout"}

func TestYourPageInvites(t *testing.T) {
	t.Parallel()
	kit, _ := newKit(t, nil)
	page := get(kit.Handler(http.HandlerFunc(plainPage)), "/").Body.String()
	require.Contains(t, page, `class="askonce"`)
}

// TestYourWebhookMarksWhoIsDone delivers a completion to an app with signed references. With
// plain ones the reference is the user's id.
func TestYourWebhookMarksWhoIsDone(t *testing.T) {
	t.Parallel()
	refs, err := gate.SignedReferences([]byte("at least 32 bytes, random in your app"))
	require.NoError(t, err)
	kit, fake := newKit(t, refs)

	reference, err := refs.Reference(store.Key{StudyID: checkout.ID, UserID: "ada"})
	require.NoError(t, err)
	event := webhooktest.Completed(reference)
	event.Data.StudyID, event.Data.StudyName = checkout.ID, checkout.Name
	w := httptest.NewRecorder()
	kit.Webhook().ServeHTTP(w, webhooktest.NewRequest(fake.Secret(), event))
	require.Equal(t, http.StatusOK, w.Code)

	page := get(kit.Handler(http.HandlerFunc(plainPage)), "/").Body.String()
	require.NotContains(t, page, `class="askonce"`)
}
