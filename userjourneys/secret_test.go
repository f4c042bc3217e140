package userjourneys_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
)

// hookWith returns a webhook as the response to its creation decodes.
func hookWith(t *testing.T, secret string) (hook userjourneys.Webhook) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(`{"url":"https://example.com/","signing_secret":"`+secret+`"}`), &hook))
	return hook
}

func TestSecretIsReadButNotPrinted(t *testing.T) {
	t.Parallel()
	hook := hookWith(t, "whsec_very_secret")
	secret := hook.SigningSecret
	require.Equal(t, "whsec_very_secret", secret.Reveal())
	type wrapped struct{ hook userjourneys.Webhook }

	var out strings.Builder
	for _, v := range []any{secret, &secret, hook, &hook, []userjourneys.Webhook{hook}, wrapped{hook}, &wrapped{hook}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.3s"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(b)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		page := template.Must(template.New("").Parse(`<p title="{{.}}">{{.}}</p><script>x = {{.}}</script>`))
		require.NoError(t, page.Execute(&out, v))
	}
	field := template.Must(template.New("").Parse(`{{.SigningSecret}}{{.SigningSecret.String}}{{printf "%s" .SigningSecret}}`))
	require.NoError(t, field.Execute(&out, hook))
	require.Contains(t, out.String(), "whsec_…")
	require.NotContains(t, out.String(), "very")
	require.NotContains(t, out.String(), fmt.Sprintf("%x", "very"))
	require.NotContains(t, out.String(), fmt.Sprint([]byte("very"))[1:])
}

func TestNoSecretPrintsAsNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, userjourneys.Secret{}, hookWith(t, "").SigningSecret)
	require.Empty(t, userjourneys.Secret{}.Reveal())
	require.Equal(t, ` ""`, fmt.Sprintf("%v %[1]q", userjourneys.Secret{}))
	var b bytes.Buffer
	require.NoError(t, json.NewEncoder(&b).Encode(userjourneys.Webhook{}))
	require.JSONEq(t, `{"URL":"","Events":null,"SigningSecret":""}`, b.String())
}
