package page_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware/internal/page"
)

func TestWanted(t *testing.T) {
	t.Parallel()
	const (
		accept = "Accept"
		dest   = "Sec-Fetch-Dest"
		mode   = "Sec-Fetch-Mode"
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
		{"a navigation for JSON", "GET", []string{accept, "application/json", dest, "document"}, false},
		{"Accept in capitals", "GET", []string{accept, "Text/HTML"}, true},
		{"HTML behind others", "GET", []string{accept, "application/json, text/html ;q=0.1"}, true},
		{"HTML refused", "GET", []string{accept, "text/html;q=0, */*"}, false},
		{"HTML refused at length", "GET", []string{accept, "text/html; level=1 ; Q=0.000, */*"}, false},
		{"HTML hardly wanted", "GET", []string{accept, "text/html;q=0.001"}, true},
		{"one level of it refused", "GET", []string{accept, "text/html;level=1;q=0, text/html"}, true},
		{"htmx fragment", "GET", []string{"HX-Request", "true"}, false},
		{"Unpoly replaces a fragment, asking for HTML", "GET", []string{"X-Up-Version", "3.9", "X-Up-Target", "main", dest, "empty", mode, "same-origin"}, false},
		{"htmx boost", "GET", []string{accept, "*/*", "HX-Request", "true", "HX-Boosted", "true", dest, "empty"}, true},
		{"Turbo visit", "GET", []string{"X-Turbo-Request-Id", "1", dest, "empty"}, true},
		{"Turbo frame", "GET", []string{"X-Turbo-Request-Id", "1", "Turbo-Frame", "x", dest, "empty"}, false},
		{"XMLHttpRequest", "GET", []string{"X-Requested-With", "XMLHttpRequest"}, false},
		{"Android's WebView", "GET", []string{"X-Requested-With", "com.example.app"}, true},
		{"WebSocket", "GET", []string{"Upgrade", "websocket"}, false},
		{"service worker passes a navigation on, Chromium", "GET", []string{dest, "empty", mode, "navigate"}, true},
		{"service worker passes a navigation on, Firefox", "GET", []string{dest, "empty", mode, "same-origin"}, true},
		{"a page's own fetch of HTML", "GET", []string{dest, "empty", mode, "cors"}, false},
		{"a page's own fetch", "GET", []string{accept, "*/*", dest, "empty", mode, "same-origin"}, false},
		{"htmx restores its history", "GET", []string{accept, "*/*", "HX-Request", "true", "HX-History-Restore-Request", "true", dest, "empty", mode, "cors"}, true},
		{"Turbolinks 5", "GET", []string{"Turbolinks-Referrer", "https://app.example/", dest, "empty", mode, "cors"}, true},
		{"Unpoly replaces the page", "GET", []string{accept, "*/*", "X-Up-Version", "3.9", "X-Up-Target", "body", dest, "empty", mode, "cors"}, true},
		{"Unpoly replaces a fragment", "GET", []string{accept, "*/*", "X-Up-Version", "3.9", "X-Up-Target", ".content", dest, "empty", mode, "cors"}, false},
		{"Swup", "GET", []string{"X-Requested-With", "swup", dest, "empty", mode, "cors"}, true},
		{"a frame whatever its headers", "GET", []string{dest, "iframe", "HX-Boosted", "true"}, false},
		{"prefetched page", "GET", []string{"Sec-Purpose", "prefetch;prerender", dest, "document"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "/", nil)
			r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			require.Equal(t, tt.want, page.Wanted(r))
		})
	}
}
