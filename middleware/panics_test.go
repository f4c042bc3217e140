package middleware_test

import (
	"bytes"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/stretchr/testify/require"
)

// TestAPanicInACallbackCostsAtMostThePrompt panics in each callback. The page is whole,
// the process goes on, and the log names the callback once, with the stack and without
// the panic's value.
func TestAPanicInACallbackCostsAtMostThePrompt(t *testing.T) {
	t.Parallel()
	const page, private = "<!doctype html><title>A page</title><p>Hi.</p>", "jane@example.com"
	for name, tt := range map[string]struct {
		set    func(o *middleware.Options, user *func(*http.Request) string, boom func())
		asked  bool
		logged string
		says   bool // html/template returns the panic of a func as an error of the app's
	}{
		"user": {func(_ *middleware.Options, user *func(*http.Request) string, boom func()) {
			*user = func(*http.Request) string { boom(); return "ada" }
		}, false, "callback=user", false},
		"Language": {func(o *middleware.Options, _ *func(*http.Request) string, boom func()) {
			o.Language = func(*http.Request) string { boom(); return "" }
		}, true, "callback=Options.Language", false},
		"Texts": {func(o *middleware.Options, _ *func(*http.Request) string, boom func()) {
			o.Texts = func(_, _ string, builtIn middleware.Texts) middleware.Texts { boom(); return builtIn }
		}, false, "middleware: Texts", false},
		"Template": {func(o *middleware.Options, _ *func(*http.Request) string, boom func()) {
			o.Template = template.Must(template.New("").Funcs(template.FuncMap{"boom": func() string { boom(); return "" }}).Parse(`{{boom}}<a href="{{.StartURL}}">Talk</a>`))
		}, false, "middleware: Template", true},
		"Nonce": {func(o *middleware.Options, _ *func(*http.Request) string, boom func()) {
			o.Nonce = func(*http.Request) string { boom(); return "" }
		}, true, "callback=Options.Nonce", false},
		"Preview": {func(o *middleware.Options, _ *func(*http.Request) string, boom func()) {
			o.Preview = func(*http.Request) bool { boom(); return false }
		}, true, "callback=Options.Preview", false},
		"OnPrompt": {func(o *middleware.Options, _ *func(*http.Request) string, boom func()) {
			o.OnPrompt = func(*http.Request, string, middleware.Outcome) { boom() }
		}, true, "callback=Options.OnPrompt", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			built := false
			boom := func() { // New tries words and templates, and refuses those that fail
				if built {
					panic(private)
				}
			}
			opts := middleware.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), CookieKeys: testKeys}
			user := func(*http.Request) string { return "ada" }
			tt.set(&opts, &user, boom)
			m, err := middleware.New(newGate(t, nil), user, &opts)
			require.NoError(t, err)
			built = true
			app := m.Handler(respond(page))
			for range 2 {
				rec := httptest.NewRecorder()
				app.ServeHTTP(rec, pageRequest())
				require.Equal(t, http.StatusOK, rec.Code)
				require.True(t, strings.HasPrefix(rec.Body.String(), page), rec.Body.String())
				require.Equal(t, tt.asked, strings.Contains(rec.Body.String(), "askonce-title"))
			}
			require.Equal(t, 1, strings.Count(log.String(), tt.logged), log.String())
			require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
			require.Equal(t, tt.says, strings.Contains(log.String(), private))
			require.Equal(t, !tt.says, strings.Contains(log.String(), "stack="))
		})
	}
}
