package transparency_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

type askEveryone struct{}

func (askEveryone) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{StudyID: "s", InterviewLink: "https://provider.example/i/a", UserID: v.UserID}}
}

func (a askEveryone) Confirm(ctx context.Context, v gate.Visitor) gate.Decision {
	return a.Decide(ctx, v)
}

// newMiddleware asks everyone but requests that say X-User: nobody.
func newMiddleware(t testing.TB, outcomes chan<- middleware.Outcome) *middleware.Middleware {
	t.Helper()
	m, err := middleware.New(askEveryone{}, func(r *http.Request) string {
		if r.Header.Get("X-User") == "nobody" {
			return ""
		}
		return "ada"
	}, &middleware.Options{OnPrompt: func(_ *http.Request, _ string, o middleware.Outcome) { outcomes <- o }})
	require.NoError(t, err)
	return m
}

// newServer starts a server that speaks HTTP/1.1 or HTTP/2, whose client does
// not decompress by itself.
func newServer(t testing.TB, h http.Handler, h2 bool) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	if h2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	srv.Client().Transport.(*http.Transport).DisableCompression = true
	return srv
}

var page = "<!doctype html><html><body>" + strings.Repeat("<p>Lorem ipsum dolor sit amet.</p>\n", 200) + "</body></html>"

// A compressor of other people's may stand on either side. Its output must be a
// sound stream of the page with the prompt, or be left alone.
func TestCompressors(t *testing.T) {
	t.Parallel()
	gz, err := gzhttp.NewWrapper(gzhttp.MinSize(100), gzhttp.EnableZstd(true))
	require.NoError(t, err)
	tagged, err := gzhttp.NewWrapper(gzhttp.MinSize(100), gzhttp.SuffixETag("-gz"))
	require.NoError(t, err)
	handlers := map[string]http.HandlerFunc{
		"one write": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Etag", `"v1"`)
			_, _ = io.WriteString(w, page)
		},
		"small writes and flushes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			for i := 0; i < len(page); i += 100 {
				_, _ = io.WriteString(w, page[i:min(i+100, len(page))])
				if i%1000 == 0 {
					_ = http.NewResponseController(w).Flush()
				}
			}
		},
		"type sniffed": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) },
	}
	for name, h := range handlers {
		for _, encoding := range []string{"gzip", "zstd", "br, gzip;q=0.5", "identity", ""} {
			for _, h2 := range []bool{false, true} {
				t.Run(name+"/"+encoding, func(t *testing.T) {
					t.Parallel()
					outcomes := make(chan middleware.Outcome, 10)
					m := newMiddleware(t, outcomes)
					for place, wrapped := range map[string]http.Handler{
						"outside":            gz(m.Handler(h)),
						"inside":             m.Handler(gz(h)),
						"both sides":         gz(m.Handler(gz(h))),
						"between two of us":  m.Handler(gz(m.Handler(h))),
						"outside, with tags": tagged(m.Handler(h)),
					} {
						srv := newServer(t, wrapped, h2)
						require.Equal(t, page, get(t, srv, encoding, "nobody"), place)
						require.Empty(t, outcomes)
						got := get(t, srv, encoding, "")
						require.Equal(t, middleware.OutcomeInjected, <-outcomes, place)
						before, after, _ := strings.Cut(got, "<aside")
						_, after, _ = strings.Cut(after, "</script>")
						require.Equal(t, page, before+after, place)
						require.Equal(t, 1, strings.Count(got, "<aside"), place)
						require.Empty(t, outcomes, "told once")
					}
				})
			}
		}
	}
}

func get(t *testing.T, srv *httptest.Server, encoding, user string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	req.Header.Set("X-User", user)
	if encoding != "" {
		req.Header.Set("Accept-Encoding", encoding)
	}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	switch e := resp.Header.Get("Content-Encoding"); e {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(z)
		require.NoError(t, err)
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		defer z.Close()
		body, err = io.ReadAll(z)
		require.NoError(t, err)
	default:
		require.Empty(t, e)
	}
	return string(body)
}
