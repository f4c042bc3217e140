package middleware_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// alreadySeen is a decider whose prompts have been seen a moment ago.
type alreadySeen struct{ gate.Decider }

func (a alreadySeen) Decide(ctx context.Context, v gate.Visitor) gate.Decision {
	d := a.Decider.Decide(ctx, v)
	d.Prompt.Seen = true
	return d
}

// TestEndpointsThatNobodyCanReachAreLogged serves pages of an app that wraps one route
// and has forgotten the endpoints, so its prompts have neither style nor script.
func TestEndpointsThatNobodyCanReachAreLogged(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pages   int
		reached string // an endpoint that is requested first
		seen    bool
		header  []string
		preview bool
		warned  int
	}{
		"every prompt is lost":            {pages: 25, warned: 1},
		"a few users who leave at once":   {pages: 9},
		"the endpoints are mounted":       {pages: 25, reached: "/askonce/shown?study=study-1"},
		"so are the assets":               {pages: 25, reached: "/askonce/askonce.js"},
		"a scanner reached something":     {pages: 25, reached: "/askonce/wp-login.php", warned: 1},
		"prompts that linger":             {pages: 25, seen: true},
		"pages that a browser prefetches": {pages: 25, header: []string{"Sec-Purpose", "prefetch"}},
		"previews":                        {pages: 25, preview: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			var d gate.Decider = newGate(t, nil)
			if tt.seen {
				d = alreadySeen{d}
			}
			m := newPrompt(t, d, &middleware.Options{
				Logger: slog.New(slog.NewTextHandler(&log, nil)), Preview: func(*http.Request) bool { return tt.preview },
			})
			if tt.reached != "" {
				r := httptest.NewRequest(http.MethodGet, tt.reached, nil)
				r.Header.Set(userHeader, "bob")
				m.Endpoints().ServeHTTP(httptest.NewRecorder(), r)
			}
			app := m.Handler(respond(page))
			for range tt.pages {
				rec := httptest.NewRecorder()
				app.ServeHTTP(rec, pageRequest(append(tt.header, userHeader, "ada")...))
				require.Contains(t, rec.Body.String(), "askonce-title")
			}
			require.Equal(t, tt.warned, strings.Count(log.String(), "no browser has requested their endpoints"), log.String())
			require.Equal(t, tt.warned, strings.Count(log.String(), "path=/askonce/"), log.String())
		})
	}
}

// TestPagesWithoutAnyUserAreLogged serves pages of an app whose session is inside the
// middleware, so that no page has a user.
func TestPagesWithoutAnyUserAreLogged(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		users  []string // the first pages'
		pages  int
		header []string
		said   int
	}{
		"nobody ever":               {pages: 250, said: 1},
		"a few pages before login":  {pages: 99},
		"one user among the others": {users: []string{"", "ada"}, pages: 250},
		"requests for no page":      {pages: 250, header: []string{"Accept", "application/json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			app := newPrompt(t, newGate(t, nil), &middleware.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}).Handler(respond(page))
			for n := range tt.pages {
				r := pageRequest(tt.header...)
				if n < len(tt.users) {
					r.Header.Set(userHeader, tt.users[n])
				}
				app.ServeHTTP(httptest.NewRecorder(), r)
			}
			require.Equal(t, tt.said, strings.Count(log.String(), "no page has had a user yet"), log.String())
		})
	}
}
