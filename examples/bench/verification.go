package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v72/github"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	stripe "github.com/stripe/stripe-go/v82/webhook"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// verification compares the libraries that verify an HMAC-SHA256 over a body.
// Each verifies its own scheme's header for the same body.
func verification(_ context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "Verification",
		Text:  "One HMAC-SHA256 over a body, by each library's own scheme. The first row is what the standard library needs at the least without reuse of keyed state.",
	}
	for _, s := range []struct {
		name string
		size int
	}{{"700 B", 700}, {"64 KB", 64 << 10}} {
		contenders, err := verifiers(bytes.Repeat([]byte("x"), s.size))
		if err != nil {
			return p, err
		}
		g := compare(e, s.name, contenders...)
		g.Chart = true
		p.Groups = append(p.Groups, g)
	}
	return p, nil
}

const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73"

func verifiers(body []byte) ([]contender, error) {
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
	svHeader := header("Svix-Id", "msg_1", "Svix-Timestamp", stamp, "Svix-Signature", svSigned)
	swHeader := header("Webhook-Id", "msg_1", "Webhook-Timestamp", stamp, "Webhook-Signature", swSigned)
	stHeader := "t=" + stamp + ",v1=" + hex.EncodeToString(stripe.ComputeSignature(now, body, secret))
	ours := webhooktest.Sign(secret, body)
	ourHeader, secrets := header("X-Webhook-Signature", ours), []string{secret}

	all := []struct {
		name   string
		verify func() error
		ours   bool
	}{
		{"crypto/hmac", func() error { return raw(ours, body) }, false},
		{"askonce", func() error { return webhook.Verify(secrets, ourHeader, body) }, true},
		{"svix", func() error { return sv.Verify(body, svHeader) }, false},
		{"standard-webhooks", func() error { return sw.Verify(body, swHeader) }, false},
		{"stripe-go", func() error { return stripe.ValidatePayload(body, stHeader, secret) }, false},
		{"go-github", func() error { return github.ValidateSignature(ours, body, []byte(secret)) }, false},
	}
	var contenders []contender
	for _, v := range all {
		if err := v.verify(); err != nil {
			return nil, fmt.Errorf("%s does not verify: %w", v.name, err)
		}
		contenders = append(contenders, contender{name: v.name, ours: v.ours, run: func(n int) {
			for range n {
				_ = v.verify() // it has been seen to succeed
			}
		}})
	}
	return contenders, nil
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
