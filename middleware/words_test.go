package middleware_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"html/template"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func gzippedSize(t testing.TB, s string) int {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(t, err)
	_, err = z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Len()
}

// promptIn returns the prompt of a new visitor with these headers.
func promptIn(t testing.TB, m *middleware.Middleware, headers ...string) string {
	t.Helper()
	page := newBrowser(t, m).do(http.MethodGet, "/", headers...).body
	begin, end := strings.Index(page, "<aside"), strings.Index(page, "</body>")
	require.Positive(t, begin, page)
	return page[begin:end] + "\n"
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file string
		opts middleware.Options
		want string // Accept-Language
	}{
		{"en", middleware.Options{}, "en-GB,en;q=0.9"},
		{"es", middleware.Options{}, "es-MX"},
		{"de", middleware.Options{}, "de-AT,de;q=0.9,en;q=0.8"},
		{"fr", middleware.Options{}, "fr"},
		{"it", middleware.Options{}, "sv;q=0.1,it;q=0.7"},
		{"pt", middleware.Options{}, "pt-BR"},
		{"nb", middleware.Options{}, "nn,nb;q=0.9,en;q=0.5"},
		{"banner", middleware.Options{Position: middleware.PositionBanner, Origin: "https://app.example.com"}, "*"},
		{"rtl", middleware.Options{Texts: hebrew}, "he"},
		{"sender", middleware.Options{Sender: middleware.Sender{Name: "Acme & Co", Logo: "/logo.svg"}, Position: middleware.PositionTopStart, Delay: 1500 * time.Millisecond}, "en"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			got := promptIn(t, newPrompt(t, newGate(t, nil), &tt.opts), "Accept-Language", tt.want)
			for _, r := range got {
				require.Less(t, r, rune(0x80), "it must be ASCII")
			}
			got = assetName.ReplaceAllStringFunc(got, func(s string) string { return "/askonce/prompt-HASH" + filepath.Ext(s) })
			file := filepath.Join("..", "testdata", "prompt", tt.file+".html")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "go test ./middleware -run Golden -update writes it")
			require.Equal(t, string(want), got)
		})
	}
}

func hebrew(_, _ string, t middleware.Texts) middleware.Texts {
	t.Language, t.Kind, t.Title, t.Text = "he", "ריאיון קולי", "יש לכם כמה דקות בשבילנו?", "נשמח לשמוע מכם, במילים שלכם, מה עובד טוב בשבילכם ומה פחות."
	t.Facts = []string{"כ־10 דקות", "דרוש מיקרופון"}
	t.Start, t.Later, t.Decline = "התחלת הריאיון", "אחר כך", "לא, תודה"
	return t
}

func TestTextsAreReplaced(t *testing.T) {
	t.Parallel()
	calls := 0
	m := newPrompt(t, newGate(t, nil), &middleware.Options{Texts: func(study, language string, builtIn middleware.Texts) middleware.Texts {
		if study != "study-1" {
			return builtIn // tried by New
		}
		calls++
		require.Equal(t, "de", language)
		require.Equal(t, "Interview starten", builtIn.Start)
		builtIn.Title = `<b>"Kaffee" & Kuchen?</b>`
		builtIn.Facts = nil
		return builtIn
	}})
	for range 3 {
		p := promptIn(t, m, "Accept-Language", "de")
		require.Contains(t, p, `<h2 class="askonce-title">&lt;b&gt;&#34;Kaffee&#34; &amp; Kuchen?&lt;/b&gt;</h2>`)
		require.Contains(t, p, `aria-label="&lt;b&gt;&#34;Kaffee&#34; &amp; Kuchen?&lt;/b&gt;"`)
	}
	require.Equal(t, 1, calls, "kept for each study and language")
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	const link = `<a href="{{.StartURL}}" target="_blank" rel="noopener">{{.Texts.Start}}</a>`
	for _, tt := range []struct{ name, template, fault string }{
		{"own", `<h2>{{.Texts.Title}} – für {{.StudyName}}</h2>` + link + `<br><img src="/a.png" alt=""><svg viewBox="0 0 1 1"><path d="M0 0"/></svg>`, ""},
		{"script", link + `<script>alert(1)</script>`, "a <script> element"},
		{"style", link + `<style>p{}</style>`, "a <style> element"},
		{"style attribute", `<p style="color:red">` + link + `</p>`, "a style attribute on <p>"},
		{"handler", `<p onclick="x()">` + link + `</p>`, "a onclick attribute on <p>"},
		{"unclosed", `<div><p>` + link, "<div> <p> is not closed"},
		{"crossed", `<b><i></b></i>` + link, "</b> closes nothing"},
		{"closes the prompt", link + `</aside><p>outside</p>`, "</aside> closes nothing"},
		{"ends in a tag", link + `<p class="x`, "Template"},
		{"textarea", link + `<textarea></textarea>`, "a <textarea> element"},
		{"no link", `<p>{{.Texts.Title}}</p>`, "no link to StartURL"},
		{"unknown field", link + `{{.Nothing}}`, "Nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := &middleware.Options{CookieKeys: testKeys, Template: template.Must(template.New("").Parse(tt.template))}
			m, err := middleware.New(newGate(t, nil), func(*http.Request) string { return "ada" }, opts)
			if tt.fault != "" {
				require.ErrorContains(t, err, tt.fault)
				require.Nil(t, m)
				return
			}
			require.NoError(t, err)
			require.Contains(t, promptIn(t, m), `Do you have a few minutes for us? &#8211; f&#252;r Onboarding`)
		})
	}
}

func TestFaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := middleware.New(askEveryone{}, func(*http.Request) string { return "" }, &middleware.Options{
		Path: "askonce", Origin: "app.example.com", Position: 7, Delay: -1, Sender: middleware.Sender{Logo: "//cdn.example/logo.svg"}, CookieKeys: [][]byte{{1}, {2}, make([]byte, 32)},
		Template: template.Must(template.New("").Parse("<b>")),
	})
	for _, fault := range []string{"Path must", "Origin is", "Position is 7", "Delay is -1ns", "Sender.Logo is", "has 3 keys", "CookieKeys[0]", "CookieKeys[1]", "<b> is not closed"} {
		require.ErrorContains(t, err, fault)
	}
	require.NotContains(t, err.Error(), "CookieKeys[2]")
	for _, origin := range []string{"https://a.example/", "https://a.example/x", "ftp://a.example", "https://u@a.example", "https://a.example?x", `https://a"b`} {
		_, err := middleware.New(askEveryone{}, func(*http.Request) string { return "" }, &middleware.Options{CookieKeys: testKeys, Origin: origin})
		require.ErrorContains(t, err, "Origin", origin)
	}
}

func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	keys := [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)}
	opts := &middleware.Options{CookieKeys: keys}
	m := newPrompt(t, newGate(t, nil), opts)
	b := newBrowser(t, m)
	require.True(t, b.asked())
	for i := range keys {
		clear(keys[i])
	}
	opts.Path = "/other/"
	require.False(t, b.asked())
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/later?study=study-1", "Accept", "*/*").StatusCode)
}

func TestNonce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, policy, own string
		want              []string
	}{
		{"none", "", "", nil},
		{"the app's", "", "abc123==", []string{"abc123==", "abc123==", "abc123=="}},
		{"no nonce at all", "", `"><script>`, nil},
		{"the policy's", "script-src 'nonce-fromHeader'; style-src 'self'", "", []string{"fromHeader"}},
		{"both", "script-src 'nonce-fromHeader'; style-src 'self'", "own", []string{"own", "own", "fromHeader"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newPrompt(t, askEveryone{}, &middleware.Options{Nonce: func(*http.Request) string { return tt.own }})
			rec := bodyOf(m, func(w http.ResponseWriter, _ *http.Request) {
				if tt.policy != "" {
					w.Header().Set("Content-Security-Policy", tt.policy)
				}
				respond("<!doctype html><p>x</p></html>")(w, nil)
			})
			var got []string
			for _, part := range strings.Split(rec, ` nonce="`)[1:] {
				n, _, _ := strings.Cut(part, `"`)
				got = append(got, n)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestSnippetIsTheSameForEverybody(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, &gate.Options{MaxShowings: -1, ShowingPause: -1}), nil)
	var seen []string
	for _, user := range []string{"ada", "bob"} {
		b := newBrowser(t, m)
		b.user = user
		seen = append(seen, b.do(http.MethodGet, "/").body)
	}
	require.Equal(t, seen[0], seen[1])
}

func TestLogoIsLeftOutWhereThePolicyForbidsIt(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, askEveryone{}, &middleware.Options{Sender: middleware.Sender{Name: "Acme", Logo: "/logo.svg"}})
	for policy, want := range map[string]int{"default-src 'self'": 1, "default-src 'self'; img-src https://cdn.example": 0} {
		page := bodyOf(m, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			respond("<!doctype html><p>x</p></html>")(w, nil)
		})
		require.Equal(t, want, strings.Count(page, `src="/logo.svg"`), policy)
		require.Contains(t, page, "<b>Acme</b>")
	}
}

func TestTheAppsLanguageGoesFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		language func(*http.Request) string
		want     string
	}{
		"one of the app's":       {func(*http.Request) string { return "de-CH" }, "Interview starten"},
		"none of the app's":      {func(*http.Request) string { return "" }, "Commencer"},
		"one without a match":    {func(*http.Request) string { return "nl-NL" }, "Commencer"},
		"a func that panics":     {func(*http.Request) string { panic("x") }, "Commencer"},
		"no func, as by default": {nil, "Commencer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newPrompt(t, newGate(t, nil), &middleware.Options{Language: tt.language})
			require.Contains(t, promptIn(t, m, "Accept-Language", "fr"), tt.want)
		})
	}
}

func TestThePagesLanguageGoesBeforeTheBrowsers(t *testing.T) {
	t.Parallel()
	const german, french = "Interview starten", "Commencer"
	whole := func(html string) []string { return []string{"<!doctype html>" + html + "<p>x</p></body></html>"} }
	long := strings.Repeat("<p>line</p>", 2000)
	for name, tt := range map[string]struct {
		writes []string // nil is a flush
		want   string
	}{
		"quoted":                   {whole(`<html class="a" lang="de" dir=ltr><body>`), german},
		"unquoted, in capitals":    {whole(`<HTML LANG=DE-at><body>`), german},
		"single quotes, spaces":    {whole(`<html data-x='lang="it"' hidden lang = 'de'><body>`), german},
		"behind a comment":         {whole(`<!-- <html lang="it"> --><html lang="de"><body>`), german},
		"the first one counts":     {whole(`<html lang="de" lang="it"><body>`), german},
		"none":                     {whole(`<html><body>`), french},
		"empty":                    {whole(`<html lang=""><body>`), french},
		"no value":                 {whole(`<html lang><body>`), french},
		"an angle bracket before":  {whole(`<html data-x="a>b" lang="de"><body>`), german},
		"of another element":       {whole(`<html><body lang="de">`), french},
		"another attribute":        {whole(`<html xml:lang="de" hreflang="de" language="de"><body>`), french},
		"one without a match":      {whole(`<html lang="nl"><body>`), french},
		"a long page at once":      {whole(`<html lang="de"><body>` + long), german},
		"a long page bit by bit":   {append([]string{"<!doctype", " html>", "<html la", `ng="de"`, "><body>"}, strings.SplitAfter(long, "/")...), german},
		"a tag, then a long rest":  {[]string{"<!", `doctype html><html lang="de"><body>` + long + "</body></html>"}, german},
		"flushed behind the tag":   {[]string{`<!doctype html><html lang="de">`, "", "<body>" + long + "</body></html>"}, german},
		"flushed in front of it":   {[]string{`<!doctype html>`, "", `<html lang="de"><body></body></html>`}, french},
		"with a declared length":   {[]string{"length", `<!doctype html><html lang="de"><body>` + long + "</body></html>"}, german},
		"a short page with length": {[]string{"length", `<!doctype html><html lang="de"><body></body></html>`}, german},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newPrompt(t, newGate(t, nil), nil)
			b := newBrowserOn(t, m, func(w http.ResponseWriter, _ *http.Request) {
				writes := tt.writes
				if writes[0] == "length" {
					writes = writes[1:]
					w.Header().Set("Content-Length", strconv.Itoa(len(writes[0])))
				}
				w.Header().Set("Content-Type", "text/html")
				for _, s := range writes {
					if s == "" {
						require.NoError(t, http.NewResponseController(w).Flush())
					}
					_, err := io.WriteString(w, s)
					require.NoError(t, err)
				}
			})
			require.Contains(t, b.do(http.MethodGet, "/", "Accept-Language", "fr").body, tt.want)
		})
	}
}

// The app's own decider chooses the language itself.
func TestThePagesLanguageChangesNoPromptThatNoGateMade(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, reasoner{gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{StudyID: "study-1", UserID: "ada", Language: "de"}}}, nil)
	b := newBrowserOn(t, m, respond(`<!doctype html><html lang="en"><body></body></html>`))
	require.Contains(t, b.do(http.MethodGet, "/").body, "Interview starten")
}

func TestTheAppsLanguageGoesBeforeThePages(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]string{"it": "Inizia", "nl": "Interview starten", "": "Interview starten"} {
		m := newPrompt(t, newGate(t, nil), &middleware.Options{Language: func(*http.Request) string { return own }})
		b := newBrowserOn(t, m, respond(`<!doctype html><html lang="de"><body></body></html>`))
		require.Contains(t, b.do(http.MethodGet, "/", "Accept-Language", "fr").body, want, own)
	}
}

func TestPositionsAreText(t *testing.T) {
	t.Parallel()
	for p, want := range map[middleware.Position]string{middleware.PositionBottomEnd: "bottom-end", middleware.PositionBanner: "banner", 9: "Position(9)"} {
		text, err := p.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
}
