package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
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
	for _, weak := range [][]string{nil, {}, {""}, {secret, ""}, {"short"}, {" " + secret}, {secret + "\n"}, {"uj_live_0123456789abcdef"}, {strings.Repeat(" ", 20)},
		{"\ufeff" + secret}, {secret + "\u200b"}, {secret[:20] + "\u00a0" + secret[20:]}, {`"` + secret + `"`}, {"'" + secret + "'"}} {
		key := ""
		if len(weak) > 0 {
			key = weak[len(weak)-1]
		}
		header := http.Header{"X-Webhook-Signature": {webhooktest.Sign(key, body)}}
		require.ErrorIs(t, webhook.Verify(weak, header, body), webhook.ErrSecret, "%q", weak)
	}
}

// TestNothingPrintsASecret prints every value that an app might, in every way.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	opts := webhook.Options{PreviousSecrets: []string{previous}}
	h, err := webhook.New(secret, memstore.New(), &opts)
	require.NoError(t, err)
	h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, what := range []any{opts, &opts, h, []any{opts, h}, opts.PreviousSecrets, &opts.PreviousSecrets} {
			fmt.Fprintf(&out, verb+"\n", what)
		}
	}
	require.Contains(t, out.String(), "whsec_…eeff")
	require.Equal(t, "[whsec_…eeff]", fmt.Sprintf("%x", opts.PreviousSecrets))
	j, err := json.Marshal(opts.PreviousSecrets)
	require.NoError(t, err)
	require.JSONEq(t, `["whsec_…eeff"]`, string(j))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "opts", opts, "handler", h, "previous", opts.PreviousSecrets)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "previous", opts.PreviousSecrets)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "opts", opts, "handler", h)
	for _, s := range []string{secret, previous} {
		require.NotContains(t, out.String(), s[6:20])
		require.NotContains(t, out.String(), hex.EncodeToString([]byte(s))[:24])
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := webhook.New("short", memstore.New(), &webhook.Options{
		PreviousSecrets: []string{"whsec_ with a blank 0123456789", "uj_live_0123456789abcdef"},
		ReadTimeout:     -1, Retention: -1, Studies: []string{"a/b"}, URL: "https://app.example",
		OnCompleted: func(context.Context, store.Completion, store.Transcript) error { return nil },
	})
	require.ErrorIs(t, err, webhook.ErrSecret)
	for _, fault := range []string{"shorter", "white space", "API key", "ReadTimeout", "Retention is negative", `"a/b"`, "URL does nothing", "OnCompleted does nothing"} {
		require.ErrorContains(t, err, fault)
	}
	require.NotContains(t, err.Error(), "0123456789")
}

func TestNewPanicsWithoutAStore(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "webhook: New: s is nil", func() { _, _ = webhook.New(secret, nil, nil) })
}

func TestSecretsThatWereReadFromTheWrongPlaceAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	utf16 := "\xff\xfe"
	for _, c := range secret {
		utf16 += string(c) + "\x00"
	}
	for name, c := range map[string]struct{ secret, reason string }{
		"with a version":          {"v1," + secret, "comma"},
		"two in one":              {secret + "," + previous, "comma"},
		"a line of a file":        {"USERJOURNEYS_WEBHOOK_SECRET=" + secret, "in front of it"},
		"a quote in front":        {`"` + secret, "quotes"},
		"a quote behind":          {secret + `"`, "quotes"},
		"in backquotes":           {"`" + secret + "`", "quotes"},
		"as UTF-16":               {utf16, "UTF-16"},
		"with a NUL":              {secret + "\x00", "visible ASCII"},
		"with an escape sequence": {"\x1b[0m" + secret, "visible ASCII"},
		"with a newline":          {secret + "\n", "white space"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhook.New(c.secret, memstore.New(), nil)
			require.ErrorIs(t, err, webhook.ErrSecret)
			require.ErrorContains(t, err, c.reason)
			require.NotContains(t, err.Error(), secret[6:20])
		})
	}
}

func TestAFixedSecretAndASourceExcludeEachOther(t *testing.T) {
	t.Parallel()
	source := func(context.Context) ([]string, error) { return []string{secret}, nil }
	for name, c := range map[string]struct {
		secret   string
		previous []string
	}{
		"PreviousSecrets":          {"", []string{previous}},
		"PreviousSecrets, invalid": {"", []string{"x"}},
		"the secret":               {secret, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhook.New(c.secret, memstore.New(), &webhook.Options{Secrets: source, PreviousSecrets: c.previous})
			require.ErrorContains(t, err, "excludes")
		})
	}
}

func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	opts := &webhook.Options{Studies: []string{studyID}, PreviousSecrets: []string{previous}, Logger: discard}
	s := memstore.New()
	h, err := webhook.New(secret, s, opts)
	require.NoError(t, err)
	opts.Studies[0], opts.PreviousSecrets[0] = "other", "whsec_ffffffffffffffffffffffffffffffff"
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, webhooktest.NewRequest(previous, webhooktest.Completed("ada")))
	require.Equal(t, http.StatusOK, rec.Code)
	done, err := s.Completed(t.Context(), store.Key{StudyID: studyID, UserID: "ada"})
	require.NoError(t, err)
	require.True(t, done)
}

// TestSecretsFromASource changes the secrets of a running handler.
func TestSecretsFromASource(t *testing.T) {
	t.Parallel()
	log, logger := newLog()
	var now []string
	var fails error
	h, err := webhook.New("", memstore.New(), &webhook.Options{
		Logger:  logger,
		Secrets: func(context.Context) ([]string, error) { return now, fails },
	})
	require.NoError(t, err)
	body := []byte(`{"event":"other"}`)
	for _, c := range []struct {
		secrets []string
		fails   error
		want    int
	}{
		{[]string{secret}, nil, 200},
		{[]string{previous}, nil, 401},
		{[]string{previous, secret, previous, secret, secret}, nil, 200}, // each counts once
		{nil, nil, 503},
		{[]string{""}, nil, 503},
		{[]string{secret, "short"}, nil, 503}, // one weak secret is enough
		{[]string{secret}, errors.New("test"), 503},
		{[]string{secret}, nil, 200},
	} {
		now, fails = c.secrets, c.fails
		require.Equal(t, c.want, post(h, body, webhooktest.Sign(secret, body)), "%q %v", c.secrets, c.fails)
	}
	require.Equal(t, 1, strings.Count(log.String(), "signing secrets unavailable"))
	require.Equal(t, 1, strings.Count(log.String(), "signing secrets available again"))
}

// TestSecretsFromASourceThatHangs checks that Options.Secrets has five seconds, even if
// the sender hangs up.
func TestSecretsFromASourceThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := time.Hour
		log, logger := newLog()
		h, err := webhook.New("", memstore.New(), &webhook.Options{
			Logger: logger,
			Secrets: func(ctx context.Context) ([]string, error) {
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(takes):
					return []string{secret}, nil
				}
			},
		})
		require.NoError(t, err)
		deliver := func(ctx context.Context) int {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("ada")).WithContext(ctx))
			return rec.Code
		}
		begun := time.Now()
		require.Equal(t, 503, deliver(t.Context()))
		require.Equal(t, 5*time.Second, time.Since(begun))
		require.Equal(t, 1, strings.Count(log.String(), "signing secrets unavailable"))

		takes = 4 * time.Second
		hungUp, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, 200, deliver(hungUp), "a sender that hangs up takes nothing away")
		require.Equal(t, 1, strings.Count(log.String(), "signing secrets available again"))
	})
}

var (
	wellFormed  = regexp.MustCompile(`^sha256=[0-9A-Fa-f]{64}$`)
	otherScheme = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+=[!-~]+$")
)

// oracle returns what Verify must return for one header field, computed plainly with
// crypto/hmac.
func oracle(key string, field string, body []byte) error {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	want := hex.EncodeToString(mac.Sum(nil))
	tokens, signatures, match := 0, 0, false
	for _, token := range strings.Split(field, ",") {
		token = strings.Trim(token, " \t")
		switch {
		case token == "":
			continue
		case wellFormed.MatchString(token):
			signatures++
			match = match || strings.ToLower(token[7:]) == want
		case strings.HasPrefix(token, "sha256="), !otherScheme.MatchString(token):
			return webhook.ErrMalformedSignature
		}
		tokens++
	}
	switch {
	case tokens == 0:
		return webhook.ErrMissingSignature
	case tokens > 16, signatures == 0:
		return webhook.ErrMalformedSignature
	case !match:
		return webhook.ErrBadSignature
	}
	return nil
}

// FuzzVerify compares Verify with the oracle, and flips bits of the body, the
// signature and the secret. In field, $ stands for the signature and @ for the
// signature of another body.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"event":"interview.completed"}`), secret, uint16(3), "$")
	f.Add([]byte{}, secret, uint16(0), ",$ ,")
	f.Add([]byte("x"), secret, uint16(77), "@, v2=abc,$")
	f.Add([]byte("x"), secret, uint16(77), "@")
	f.Add([]byte("x"), secret, uint16(77), strings.Repeat("@,", 15)+"$")
	f.Add([]byte("x"), secret, uint16(77), strings.Repeat("@,", 16)+"$")
	f.Fuzz(func(t *testing.T, body []byte, key string, bit uint16, field string) {
		sig := webhooktest.Sign(key, body)
		verify := func(key, field string, body []byte) error {
			return webhook.Verify([]string{key}, http.Header{"X-Webhook-Signature": {field}}, body)
		}
		if err := verify(key, sig, body); err != nil {
			require.ErrorIs(t, err, webhook.ErrSecret)
			return
		}
		field = strings.ReplaceAll(strings.ReplaceAll(field, "$", sig), "@", webhooktest.Sign(key, append([]byte("x"), body...)))
		require.Equal(t, oracle(key, field, body), verify(key, field, body), "%q", field)

		flip := func(b []byte) []byte {
			b = bytes.Clone(b)
			b[int(bit/8)%len(b)] ^= 1 << (bit % 8)
			return b
		}
		if len(body) > 0 {
			require.ErrorIs(t, verify(key, sig, flip(body)), webhook.ErrBadSignature, "a flipped bit of the body verifies")
		}
		require.Error(t, verify(key, sig, append(bytes.Clone(body), byte(bit))), "a byte more verifies")
		if flipped := string(flip([]byte(sig))); !strings.EqualFold(flipped, sig) || flipped[:7] != sig[:7] {
			require.Error(t, verify(key, flipped, body), "a flipped bit of the signature verifies")
		}
		require.Error(t, verify(string(flip([]byte(key))), sig, body), "a flipped bit of the secret verifies")
	})
}
