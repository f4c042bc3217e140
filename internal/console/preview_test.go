package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store/memstore"
)

func Test_previews_are_turned_on_in_one_browser(t *testing.T) {
	t.Parallel()
	byCookie := func(r *http.Request) bool {
		_, err := r.Cookie("preview")
		return err == nil
	}
	for name, c := range map[string]struct {
		preview    func(*http.Request) bool
		before, on string
	}{
		"by the cookie": {byCookie, "Preview in this browser", ">On in this browser<"},
		"not at all":    {nil, "Preview in this browser", "The app does not accept it"},
		"always":        {func(*http.Request) bool { return true }, ">On in this browser<", ">On in this browser<"},
		"panics":        {func(*http.Request) bool { panic("no session") }, "Preview in this browser", "The app does not accept it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, memstore.New(), nil)
			require.NotContains(t, s.get("people").text, `action="preview"`, "this process serves no pages")
			m, err := middleware.New(s.gates, func(*http.Request) string { return "" }, &middleware.Options{Preview: c.preview, Logger: s.log.logger()})
			require.NoError(t, err)
			s.Handler = console.New(console.Parts{Gates: s.gates, Webhook: s.webhook, Store: memstore.New(), Middleware: m, Logger: s.log.logger()}, anybody)
			require.Contains(t, s.get("people").text, c.before)

			a := s.do(http.MethodPost, "preview", url.Values{"on": {"true"}})
			require.Equal(t, "people?did=preview-on", a.header.Get("Location"))
			require.Equal(t, "preview=1; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax", a.header.Get("Set-Cookie"))
			r := httptest.NewRequest(http.MethodGet, "/console/people?did=preview-on", nil)
			r.AddCookie(&http.Cookie{Name: "preview", Value: "1"})
			require.Contains(t, serve(t, s, r).text, c.on)

			a = s.do(http.MethodPost, "preview", url.Values{"on": {"false"}})
			require.Equal(t, "preview=1; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", a.header.Get("Set-Cookie"))
		})
	}
}
