package console_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/store/memstore"
)

// pages are the paths of all pages below the console's own.
var pages = []string{"", "people", "interviews", "interview", "export", "queue", "deliveries", "style.css"}

func Test_New_panics_without_a_check_or_a_part(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	whole := console.Parts{Gates: s.gates, Webhook: s.webhook, Store: memstore.New()}
	for name, build := range map[string]func(){
		"allow":   func() { console.New(whole, nil) },
		"Gates":   func() { p := whole; p.Gates = nil; console.New(p, anybody) },
		"Webhook": func() { p := whole; p.Webhook = nil; console.New(p, anybody) },
		"Store":   func() { p := whole; p.Store = nil; console.New(p, anybody) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.PanicsWithValue(t, "console: New: "+name+" is nil", build)
		})
	}
}

func Test_whoever_is_refused_sees_a_plain_404(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	plain := serve(t, http.NotFoundHandler(), httptest.NewRequest(http.MethodGet, "/", nil))
	for name, allow := range map[string]func(*http.Request) bool{
		"refuses": func(*http.Request) bool { return false },
		"panics":  func(*http.Request) bool { panic("no session") },
	} {
		h := console.New(console.Parts{Gates: s.gates, Webhook: s.webhook, Store: memstore.New(), Logger: s.log.logger()}, allow)
		for _, path := range slices.Concat(pages, slices.Collect(maps.Keys(actions)), []string{"transcript", "preview", "nothing"}) {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
				t.Run(name+" "+method+" "+path, func(t *testing.T) {
					t.Parallel()
					a := serve(t, h, httptest.NewRequest(method, "/console/"+path, nil))
					require.Equal(t, http.StatusNotFound, a.status)
					require.Equal(t, plain.text, a.text)
					want := plain.header.Clone()
					want.Set("Cache-Control", "no-store")
					require.Equal(t, want, a.header)
				})
			}
		}
	}
}

func Test_a_panic_of_the_check_is_logged_once(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	h := console.New(console.Parts{Gates: s.gates, Webhook: s.webhook, Store: memstore.New(), Logger: s.log.logger()}, func(*http.Request) bool { panic("no session") })
	for range 3 {
		serve(t, h, httptest.NewRequest(http.MethodGet, "/console/", nil))
	}
	require.Equal(t, 1, strings.Count(s.log.String(), "the console's check panicked"))
	require.Contains(t, s.log.String(), "console_test.go") // where it came from
}

func Test_every_answer_forbids_caching_framing_and_foreign_content(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	for _, path := range append(pages, "nothing") {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h := s.get(path).header
			require.Equal(t, "no-store, no-transform", h.Get("Cache-Control"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			require.Equal(t, "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", h.Get("Content-Security-Policy"))
		})
	}
}

func Test_the_console_works_wherever_it_is_mounted(t *testing.T) {
	t.Parallel()
	c := setup(t, memstore.New(), nil).Handler
	inMux := func(pattern string, h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle(pattern, h)
		return mux
	}
	for name, app := range map[string]struct {
		http.Handler
		at string
	}{
		"the root":                       {c, ""},
		"a prefix":                       {inMux("/admin/askonce/", c), "/admin/askonce"},
		"a stripped prefix":              {inMux("/admin/askonce/", http.StripPrefix("/admin/askonce", c)), "/admin/askonce"},
		"a prefix named like a page":     {inMux("/queue/", c), "/queue"},
		"the same, stripped":             {inMux("/queue/", http.StripPrefix("/queue", c)), "/queue"},
		"a prefix with a wildcard":       {inMux("/{tenant}/console/", c), "/acme/console"},
		"a prefix that has to be quoted": {inMux("/é:%20x/", http.StripPrefix("/é: x", c)), "/%C3%A9:%20x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(app)
			defer server.Close()
			for path, title := range map[string]string{"/": "Overview", "/queue": "Queue", "/queue?did=failed": "Queue", "/interviews?study=a/b": "Interviews"} {
				a, _ := fetch(t, server.URL+app.at+path)
				require.Equal(t, http.StatusOK, a.status, path)
				require.Contains(t, a.text, "<title>"+title+" – askonce</title>")
			}
			style, _ := fetch(t, server.URL+app.at+"/style.css")
			require.Equal(t, "text/css; charset=utf-8", style.header.Get("Content-Type"))
			nothing, _ := fetch(t, server.URL+app.at+"/nothing")
			require.Equal(t, http.StatusNotFound, nothing.status)
		})
	}
}

func Test_the_path_without_its_slash_leads_to_the_console(t *testing.T) {
	t.Parallel()
	c := setup(t, memstore.New(), nil).Handler
	for name, h := range map[string]http.Handler{
		"stripped": http.StripPrefix("/admin/askonce", c),
		"twice":    http.StripPrefix("/admin", http.StripPrefix("/askonce", c)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(h)
			defer server.Close()
			a, at := fetch(t, server.URL+"/admin/askonce?x=1")
			require.Equal(t, http.StatusOK, a.status)
			require.Equal(t, "/admin/askonce/", at.Path)
		})
	}
}

// No path makes the console redirect to somewhere else.
func Test_strange_paths_are_404(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	for _, path := range []string{"..", ".", "%2e%2e", "x%2f..", "..%5c", "%00", "QUEUE", "queue%20"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, http.StatusNotFound, s.get(path).status)
		})
	}
}

func Test_the_navigation_marks_where_one_is(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	for path, link := range map[string]string{"": "./", "people": "people", "interviews": "interviews", "interview": "interviews", "queue": "queue", "deliveries": "deliveries"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			page := s.get(path).text
			require.Contains(t, page, fmt.Sprintf(`<a href="%s" aria-current="page">`, link))
			require.Equal(t, 1, strings.Count(page, "aria-current"))
		})
	}
}

func Test_a_link_cannot_make_the_console_say_anything(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	plain := s.get("queue").text
	for _, query := range []string{"did=You+are+hacked", "did=", "did=<script>", "n=5"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, plain, s.get("queue?"+query).text)
		})
	}
}

func Test_a_form_of_another_site_is_refused(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	for _, action := range append(slices.Collect(maps.Keys(actions)), "people", "preview", "nothing") {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "http://example.com/console/"+action, nil)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			require.Equal(t, http.StatusForbidden, serve(t, s, r).status)
		})
	}
}
