package middleware_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
	"github.com/stretchr/testify/require"
)

// TestPeersPages runs the pages of html5lib-tests, which come with golang.org/x/net,
// through the injector: as they are, and with the doctype and the end tags that most of
// them lack. The prompt is live at the end of the body, or hidden by something that the
// page left open, or the page is unchanged. With -v it prints the number of pages.
func TestPeersPages(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/net").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "html/testdata/html5lib-tests/tree-construction/*.dat"))
	require.NoError(t, err)
	require.NotEmpty(t, files)

	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	var pages, live, hidden int
	untouched := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, input := range documents(string(data)) {
			for _, page := range []string{input, input + closing, "<!doctype html>" + input, "<!doctype html>" + input + closing} {
				pages++
				rec, outcome := i.serve(t, pageRequest(), respond(page))
				rest, at := without(t, rec.Body.String(), snippet)
				require.Equal(t, page, rest, "%s: %q", filepath.Base(file), page)
				require.Equal(t, outcome == middleware.OutcomeInjected, at >= 0, "%s: %q", filepath.Base(file), page)
				if at < 0 {
					untouched[outcome.String()]++
				} else if n, difference := pagetest.Judge(t, page, snippet, at); n == 1 && difference == "" {
					live++
				} else {
					pagetest.RequireHidden(t, page, snippet, at)
					hidden++
				}
			}
		}
	}
	t.Logf("%d pages of %d files: live in %d, hidden by the page in %d, untouched %v: html5lib-tests, MIT, in golang.org/x/net", pages, len(files), live, hidden, untouched)
	require.Greater(t, live, pages*2/5, "many of the pages do not begin as documents, or leave something open")
	require.Less(t, hidden, 10)
}

// documents returns the distinct inputs of a file of html5lib-tests, without those that
// are fragments.
func documents(file string) []string {
	distinct := map[string]bool{}
	for test := range strings.SplitSeq("\n"+file, "\n#data\n") {
		input, rest, ok := strings.Cut(test, "\n#errors")
		if ok && strings.TrimSpace(input) != "" && !strings.Contains(rest, "\n#document-fragment\n") {
			distinct[input] = true
		}
	}
	return slices.Sorted(maps.Keys(distinct))
}

// TestPeersOrigins runs net/http's test cases for requests from other sites against the
// endpoints that record something. With -v it prints the number of cases.
func TestPeersOrigins(t *testing.T) {
	t.Parallel()
	var peers struct {
		Source   string
		Requests []struct {
			Name, Method, Site, Origin, Trusted string
			Allowed                             bool
		}
		Origins []struct {
			Name, Origin string
			Accepted     bool
		}
	}
	data, err := os.ReadFile("../testdata/peers/crossorigin.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &peers))
	t.Logf("%d requests to each endpoint and %d origins: %s", len(peers.Requests), len(peers.Origins), peers.Source)

	for _, endpoint := range []string{"later", "decline", "undo", "optout", "shown"} {
		for _, c := range peers.Requests {
			t.Run(endpoint+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				i := newInjector(t, middleware.Options{Origin: c.Trusted, Logger: slog.New(slog.DiscardHandler)})
				r := httptest.NewRequest(c.Method, "https://example.com/askonce/"+endpoint+"?study=s1", nil)
				for name, value := range map[string]string{"Sec-Fetch-Site": c.Site, "Origin": c.Origin} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
				rec := httptest.NewRecorder()
				i.Endpoints().ServeHTTP(rec, r)
				switch {
				case endpoint == "shown" && c.Method == http.MethodGet: // an image, which only the app's pages load
					require.Equal(t, http.StatusForbidden, rec.Code)
				case c.Method != http.MethodPost: // whatever the site
					require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
				case c.Allowed:
					require.Equal(t, http.StatusNoContent, rec.Code)
					require.NotEmpty(t, rec.Result().Cookies())
					return
				default:
					require.Equal(t, http.StatusForbidden, rec.Code)
				}
				require.Empty(t, rec.Result().Cookies(), "nothing is recorded")
			})
		}
	}
	for _, c := range peers.Origins {
		t.Run("origin/"+c.Name, func(t *testing.T) {
			t.Parallel()
			_, err := middleware.New(askEveryone{}, func(*http.Request) string { return "ada" }, &middleware.Options{Origin: c.Origin, Logger: slog.New(slog.DiscardHandler)})
			require.Equal(t, c.Accepted, err == nil, "%v", err)
		})
	}
}
