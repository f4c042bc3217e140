package webhook_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync/atomic"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// Rotate gives the webhook a new secret. The provider shows it once, so save must
// keep it. If save fails, Rotate fails.
func ExampleRotate() {
	provider := userjourneystest.Start(nil) // a fake one
	defer provider.Close()
	uj, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	var kept string // os.WriteFile with mode 0600, or the secret manager
	err = webhook.Rotate(context.Background(), uj, "https://app.example/webhooks/userjourneys", func(_ context.Context, secret string) error {
		kept = secret
		return nil
	})
	fmt.Println(err, kept == provider.Secret())
	// Output: <nil> true
}

// With Options.Secrets a rotation needs no restart. The function is called for
// every delivery, so it answers from memory, which another goroutine refreshes
// from the secret manager, for instance every minute.
func ExampleOptions_secrets() {
	var current atomic.Pointer[[]string]
	current.Store(&[]string{"whsec_5b69ff6a12af94c6e3901a061180ca73"})
	hook, err := webhook.New("", memstore.New(), &webhook.Options{
		Secrets: func(context.Context) ([]string, error) { return *current.Load(), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	deliver := func(secret string) int {
		rec := httptest.NewRecorder()
		hook.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("user_12345")))
		return rec.Code
	}
	const rotated = "whsec_00112233445566778899aabbccddeeff"
	fmt.Println(deliver(rotated))
	current.Store(&[]string{rotated, "whsec_5b69ff6a12af94c6e3901a061180ca73"})
	fmt.Println(deliver(rotated))
	// Output:
	// 401
	// 200
}
