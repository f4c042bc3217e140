package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-github/v72/github"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripe "github.com/stripe/stripe-go/v82/webhook"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// deliveries compares the libraries that verify an HMAC-SHA256 over a body. Each
// verifies its own scheme's header for the same body, first alone, and then in a
// handler that reads, verifies, decodes and records a delivery.
func deliveries(_ context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "The webhook",
		Text: "One HMAC-SHA256 over a body, by each library's own scheme. The first row is what the standard library needs at the least without reuse of keyed state.\n" +
			"The last group is a whole delivery, without a network: askonce's handler with its store in memory, and for each library the handler that its\n" +
			"documentation shows, which reads the body, verifies it, decodes the JSON and puts the interview's id into a map. askonce does more: it checks the\n" +
			"event, finds the user of the reference, records when and how well, and queues the transcript.",
	}
	for _, s := range []struct {
		name string
		size int
	}{{"verify 700 B", 700}, {"verify 64 KB", 64 << 10}} {
		all, err := verifiers(bytes.Repeat([]byte("x"), s.size))
		if err != nil {
			return p, err
		}
		var contenders []contender
		for _, v := range all {
			contenders = append(contenders, contender{name: v.name, ours: v.ours, run: func(n int) {
				for range n {
					_ = v.verify(v.header) // verifiers has checked that it succeeds
				}
			}})
		}
		g := compare(e, s.name, contenders...)
		g.Chart = true
		p.Groups = append(p.Groups, g)
	}
	whole, err := receivers()
	if err != nil {
		return p, err
	}
	p.Groups = append(p.Groups, compare(e, "a whole delivery", whole...))
	return p, nil
}

const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73"

// verifier is one library, with the header that it expects.
type verifier struct {
	name   string
	header http.Header
	verify func(h http.Header) error
	ours   bool
}

func verifiers(body []byte) ([]verifier, error) {
	now := time.Now()
	encoded := "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
	sv, err := svix.NewWebhook(encoded)
	if err != nil {
		return nil, err
	}
	sw, err := standardwebhooks.NewWebhook(encoded)
	if err != nil {
		return nil, err
	}
	svSigned, err := sv.Sign("msg_1", now, body)
	if err != nil {
		return nil, err
	}
	swSigned, err := sw.Sign("msg_1", now, body)
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	stSigned := "t=" + stamp + ",v1=" + hex.EncodeToString(stripe.ComputeSignature(now, body, secret))
	ours, secrets := webhooktest.Sign(secret, body), []string{secret}
	all := []verifier{
		{name: "crypto/hmac", header: header("X-Webhook-Signature", ours), verify: func(h http.Header) error { return raw(h.Get("X-Webhook-Signature"), body) }},
		{name: "askonce", header: header("X-Webhook-Signature", ours), verify: func(h http.Header) error { return webhook.Verify(secrets, h, body) }, ours: true},
		{name: "svix", header: header("Svix-Id", "msg_1", "Svix-Timestamp", stamp, "Svix-Signature", svSigned), verify: func(h http.Header) error { return sv.Verify(body, h) }},
		{name: "standard-webhooks", header: header("Webhook-Id", "msg_1", "Webhook-Timestamp", stamp, "Webhook-Signature", swSigned), verify: func(h http.Header) error { return sw.Verify(body, h) }},
		{name: "stripe-go", header: header("Stripe-Signature", stSigned), verify: func(h http.Header) error { return stripe.ValidatePayload(body, h.Get("Stripe-Signature"), secret) }},
		{name: "go-github", header: header("X-Hub-Signature-256", ours), verify: func(h http.Header) error {
			return github.ValidateSignature(h.Get("X-Hub-Signature-256"), body, []byte(secret))
		}},
	}
	for _, v := range all {
		if err := v.verify(v.header); err != nil {
			return nil, fmt.Errorf("%s does not verify: %w", v.name, err)
		}
	}
	return all, nil
}

// receivers are handlers of a whole delivery.
func receivers() ([]contender, error) {
	body, err := json.Marshal(webhooktest.Completed("ada"))
	if err != nil {
		return nil, err
	}
	all, err := verifiers(body)
	if err != nil {
		return nil, err
	}
	ours, err := webhook.New(secret, memstore.New(), nil)
	if err != nil {
		return nil, err
	}
	var contenders []contender
	for _, v := range all {
		var h http.Handler = ours
		if !v.ours {
			h = &receiver{verify: v.verify, done: map[string]bool{}}
		}
		deliver := func() int {
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
			maps.Copy(r.Header, v.header)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		if status := deliver(); status != http.StatusOK {
			return nil, fmt.Errorf("%s answers a delivery with %d", v.name, status)
		}
		contenders = append(contenders, contender{name: v.name, ours: v.ours, run: func(n int) {
			for range n {
				deliver()
			}
		}})
	}
	return contenders, nil
}

// receiver does what a library leaves to the app.
type receiver struct {
	verify func(h http.Header) error
	mu     sync.Mutex
	done   map[string]bool
}

func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || h.verify(r.Header) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var event struct {
		Data struct {
			ID string `json:"interview_id"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &event) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[event.Data.ID] = true
}

func raw(signature string, body []byte) error {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	sum, err := hex.DecodeString(signature[len("sha256="):])
	if err == nil && !hmac.Equal(sum, mac.Sum(nil)) {
		err = fmt.Errorf("no match")
	}
	return err
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}
