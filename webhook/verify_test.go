package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

func TestVerifyTokens(t *testing.T) {
	t.Parallel()
	body := []byte(`{}`)
	good, bad := webhooktest.Sign(secret, body), "sha256="+strings.Repeat("0", 64)
	repeat := func(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s+", ", n), ", ") }
	for name, c := range map[string]struct {
		fields []string
		want   error
	}{
		"one":                               {[]string{good}, nil},
		"sixteen, the last one good":        {[]string{repeat(bad, 15) + "," + good}, nil},
		"seventeen":                         {[]string{repeat(bad, 16), good}, webhook.ErrMalformedSignature},
		"several fields":                    {[]string{bad, bad, good}, nil},
		"another scheme beside":             {[]string{"v2=abc," + good}, nil},
		"another scheme alone":              {[]string{"sha512=" + strings.Repeat("0", 128)}, webhook.ErrMalformedSignature},
		"empty list elements are skipped":   {[]string{", ," + good + ","}, nil},
		"nothing but commas":                {[]string{",,"}, webhook.ErrMissingSignature},
		"garbage beside a good one":         {[]string{good + ",garbage"}, webhook.ErrMalformedSignature},
		"a cut one beside a good one":       {[]string{good + "," + bad[:70]}, webhook.ErrMalformedSignature},
		"no field":                          {nil, webhook.ErrMissingSignature},
		"upper-case digits":                 {[]string{"sha256=" + strings.ToUpper(good[7:])}, nil},
		"another body's":                    {[]string{webhooktest.Sign(secret, []byte("{ }"))}, webhook.ErrBadSignature},
		"sixteen of which none is good":     {[]string{repeat(bad, 16)}, webhook.ErrBadSignature},
		"white space inside of the element": {[]string{"sha256 =" + good[7:]}, webhook.ErrMalformedSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := webhook.Verify([]string{previous, secret}, http.Header{"X-Webhook-Signature": c.fields}, body)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestVerifyNeverTrustsWeakSecrets(t *testing.T) {
	t.Parallel()
	body := []byte(`{}`)
	for _, weak := range [][]string{nil, {}, {""}, {secret, ""}, {"short"}, {" " + secret}, {secret + "\n"}, {"uj_live_0123456789abcdef"}, {strings.Repeat(" ", 20)}} {
		key := ""
		if len(weak) > 0 {
			key = weak[len(weak)-1]
		}
		header := http.Header{"X-Webhook-Signature": {webhooktest.Sign(key, body)}}
		require.ErrorIs(t, webhook.Verify(weak, header, body), webhook.ErrSecret, "%q", weak)
	}
}

func TestSecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	s := webhook.Secret(secret)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", s, struct{ S webhook.Secret }{s})
	}
	b, err := json.Marshal(map[string]any{"s": s, string("k"): []webhook.Secret{s}})
	require.NoError(t, err)
	out.Write(b)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s)
	require.NotContains(t, out.String(), secret[6:20])
	require.NotContains(t, out.String(), hex.EncodeToString([]byte(secret))[:20])
	require.Contains(t, out.String(), "whsec_…ca73")
}

// FuzzVerify compares with crypto/hmac used plainly, and flips each bit.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"event":"interview.completed"}`), secret, uint16(3), "")
	f.Add([]byte{}, secret, uint16(0), ",")
	f.Fuzz(func(t *testing.T, body []byte, key string, bit uint16, extra string) {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		sig := "sha256=" + hex.EncodeToString(mac.Sum(nil))
		header := func(v string) http.Header { return http.Header{"X-Webhook-Signature": {v}} }
		if err := webhook.Verify([]string{key}, header(sig), body); err != nil {
			require.ErrorIs(t, err, webhook.ErrSecret)
			return
		}
		require.Error(t, webhook.Verify([]string{previous}, header(sig), body), "verifies under a secret that did not sign it")
		if len(body) > 0 {
			flipped := bytes.Clone(body)
			flipped[int(bit/8)%len(body)] ^= 1 << (bit % 8)
			require.Error(t, webhook.Verify([]string{key}, header(sig), flipped), "a flipped bit of the body verifies")
		}
		digit := []byte(sig)
		at := 7 + int(bit)%64
		digit[at] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", digit[at])+1+int(bit)%15)%16]
		require.Error(t, webhook.Verify([]string{key}, header(string(digit)), body), "a changed digit verifies")
		if !strings.Contains(extra, sig) {
			require.Error(t, webhook.Verify([]string{key}, header(extra), append([]byte("x"), body...)))
		}
	})
}
