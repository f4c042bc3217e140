package middleware_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

func TestEligible(t *testing.T) {
	t.Parallel()
	const (
		accept = "Accept"
		dest   = "Sec-Fetch-Dest"
	)
	tests := []struct {
		name   string
		method string
		header []string
		want   bool
	}{
		{"page", "GET", nil, true},
		{"HEAD has the header of GET", "HEAD", nil, true},
		{"POST", "POST", nil, false},
		{"PUT", "PUT", nil, false},
		{"navigation", "GET", []string{dest, "document"}, true},
		{"iframe", "GET", []string{dest, "iframe"}, false},
		{"frame", "GET", []string{dest, "frame"}, false},
		{"embed", "GET", []string{dest, "embed"}, false},
		{"object", "GET", []string{dest, "object"}, false},
		{"fenced frame", "GET", []string{dest, "fencedframe"}, false},
		{"image", "GET", []string{dest, "image"}, false},
		{"script's fetch", "GET", []string{dest, "empty"}, false},
		{"no Accept", "GET", []string{accept, ""}, false},
		{"a tool takes anything", "GET", []string{accept, "*/*"}, false},
		{"a tool takes any text", "GET", []string{accept, "text/*"}, false},
		{"JSON", "GET", []string{accept, "application/json"}, false},
		{"Accept in capitals", "GET", []string{accept, "Text/HTML"}, true},
		{"HTML behind others", "GET", []string{accept, "application/json, text/html ;q=0.1"}, true},
		{"HTML refused", "GET", []string{accept, "text/html;q=0, */*"}, false},
		{"HTML refused at length", "GET", []string{accept, "text/html; level=1 ; Q=0.000, */*"}, false},
		{"HTML hardly wanted", "GET", []string{accept, "text/html;q=0.001"}, true},
		{"one level of it refused", "GET", []string{accept, "text/html;level=1;q=0, text/html"}, true},
		{"htmx fragment", "GET", []string{"HX-Request", "true"}, false},
		{"htmx boost", "GET", []string{accept, "*/*", "HX-Request", "true", "HX-Boosted", "true", dest, "empty"}, true},
		{"Turbo visit", "GET", []string{"X-Turbo-Request-Id", "1", dest, "empty"}, true},
		{"Turbo frame", "GET", []string{"X-Turbo-Request-Id", "1", "Turbo-Frame", "x", dest, "empty"}, false},
		{"XMLHttpRequest", "GET", []string{"X-Requested-With", "XMLHttpRequest"}, false},
		{"Android's WebView", "GET", []string{"X-Requested-With", "com.example.app"}, true},
		{"WebSocket", "GET", []string{"Upgrade", "websocket"}, false},
		{"prefetched page", "GET", []string{"Sec-Purpose", "prefetch;prerender", dest, "document"}, true},
	}
	i := newInjector(t, middleware.Options{})
	posts := newInjector(t, middleware.Options{PostPages: true})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := pageRequest(tt.header...)
			r.Method = tt.method
			require.Equal(t, tt.want, i.Eligible(r))
			require.Equal(t, tt.want || tt.method == http.MethodPost, posts.Eligible(r), "with PostPages")
		})
	}
}

// A request that gets no prompt is handed on as it came, and nobody is asked who
// sent one that could not get any.
func TestNoPromptIsHandedOn(t *testing.T) {
	t.Parallel()
	noUser := func(*http.Request) string {
		t.Error("the user was looked up")
		return ""
	}
	user := func(id string) func(*http.Request) string { return func(*http.Request) string { return id } }
	for name, tt := range map[string]struct {
		d    gate.Decider
		user func(*http.Request) string
		r    *http.Request
	}{
		"not a page": {askEveryone{}, noUser, pageRequest("Accept", "*/*")},
		"anonymous":  {askEveryone{}, user(""), pageRequest()},
		"not asked":  {askNobody{}, user("ada"), pageRequest("If-None-Match", `"v1"`, "Accept-Encoding", "gzip")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := middleware.New(tt.d, tt.user, nil)
			require.NoError(t, err)
			w := &struct{ http.ResponseWriter }{} // whose methods must not be called
			called := false
			m.Handler(http.HandlerFunc(func(gotW http.ResponseWriter, gotR *http.Request) {
				called = true
				require.Same(t, w, gotW)
				require.Same(t, tt.r, gotR)
			})).ServeHTTP(w, tt.r)
			require.True(t, called)
			require.Nil(t, m.Begin(w, tt.r, map[string]string{"not a page": "ada", "not asked": "ada"}[name]))
		})
	}
}

// A POST gets the prompt if asked for, and what it has uploaded is removed in
// the end, although net/http does that only for the request that it has made.
func TestPostPages(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{PostPages: true})
	var files []string
	srv := startServer(t, false, i.Handler(i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(0); err != nil {
			panic(err)
		}
		upload, err := r.MultipartForm.File["file"][0].Open()
		if err != nil {
			panic(err)
		}
		defer upload.Close()
		files = append(files, upload.(*os.File).Name())
		_, _ = io.WriteString(w, page)
	}))))
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, err := m.CreateFormFile("file", "x.txt")
	require.NoError(t, err)
	_, err = part.Write(make([]byte, 1000))
	require.NoError(t, err)
	require.NoError(t, m.Close())
	req, err := http.NewRequest(http.MethodPost, srv.URL, &form)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Content-Type", m.FormDataContentType())
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(body), "<aside")
	require.Equal(t, middleware.OutcomeInjected, i.last(t))
	require.Len(t, files, 1)
	require.Eventually(t, func() bool {
		_, err := os.Stat(files[0])
		return os.IsNotExist(err)
	}, 10*time.Second, time.Millisecond, "the file of the upload is left behind")
}
