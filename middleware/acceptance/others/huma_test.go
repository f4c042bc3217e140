package others

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stretchr/testify/require"
)

func TestHuma(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("others", "1.0.0"))
	type output struct {
		Body struct {
			HTML string `json:"html"`
		}
	}
	huma.Get(api, "/greeting", func(context.Context, *struct{}) (*output, error) {
		o := &output{}
		o.Body.HTML = "</body></html>"
		return o, nil
	})
	mux.HandleFunc("GET /page", servePage)
	hook, s := newHook(t)
	mux.Handle("POST "+hookPath, hook)
	server := httptest.NewServer(newPrompt(t).Handler(mux))
	defer server.Close()
	do := over(server.URL)

	requirePrompt(t, do, "/page")
	requireEndpoints(t, do, "ada")
	requireWebhook(t, do, s)
	_, asked := get(t, do, "/greeting", "ada")
	_, notAsked := get(t, do, "/greeting", "bob")
	require.Equal(t, notAsked, asked, "an operation's answer is no page")
	response, docs := get(t, do, "/docs", "ada")
	require.NotContains(t, response.Header.Get("Content-Security-Policy"), "allow-popups")
	_, untouched := get(t, do, "/docs", "bob")
	require.Equal(t, untouched, docs, "the documentation is one, but its policy lets no interview open")
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", htmlType)
	_, _ = io.WriteString(w, page)
}
