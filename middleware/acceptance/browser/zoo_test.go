package browser

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

//go:embed zoo_check.js
var zooCheck string

var sheet = flag.String("sheet", "", "render thumbnails of the zoo into this PNG file")

// window is a browser's window, whichever browser it is.
type window interface {
	visit(url string)
	resize(width, height int64)
	json(expression string, v any) // of what the expression, or the promise that it is, gives
	eventually(expression string)  // waits until it is true, over whatever pages
	picture() []byte
}

type chromiumWindow struct{ *tab }

func (w chromiumWindow) visit(url string) { w.t.Helper(); w.open(url) }
func (w chromiumWindow) resize(width, height int64) {
	w.t.Helper()
	w.run(w.look.viewport(width, height))
}
func (w chromiumWindow) json(expression string, v any) {
	w.t.Helper()
	text := eval[string](w.tab, `Promise.resolve(`+expression+`).then(JSON.stringify)`)
	require.NoError(w.t, json.Unmarshal([]byte(text), v))
}
func (w chromiumWindow) picture() (png []byte) {
	w.t.Helper()
	w.run(chromedp.CaptureScreenshot(&png))
	return png
}

type size struct{ width, height int64 }

var (
	zooSizes     = []size{{280, 653}, {320, 568}, {375, 667}, {768, 1024}, {1280, 720}, {1920, 1080}, {320, 256}} // the last one is 1280 by 1024 at 400 %
	zooFonts     = []string{"DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono"}
	zooLanguages = []string{"en", "de", "fr", "es", "it", "pt", "nb", "he"}
)

// zooServer serves /n with the n-th page, and /empty.
func zooServer(t *testing.T) string {
	t.Helper()
	opts := middleware.Options{
		Texts: func(study, language string, t middleware.Texts) middleware.Texts {
			if language == "he" {
				return hebrew(study, language, t)
			}
			return t
		},
		Language: func(r *http.Request) string { return r.URL.Query().Get("lang") }, Logger: slog.New(slog.DiscardHandler),
		CookieKeys: [][]byte{make([]byte, 32), make([]byte, 16)},
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		a := animal{name: "empty"}
		if n, err := strconv.Atoi(r.URL.Path[1:]); err == nil {
			a = zoo[n]
		}
		theme, link := "light", ""
		if q.Has("dark") {
			theme = "dark"
		}
		if a.sheet != nil {
			link = `<link rel="stylesheet" href="/sheet.css?` + r.URL.Path[1:] + `">`
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html %s data-theme="%s" data-bs-theme="%[2]s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>%s</title>%s
<style>@layer theme{html[data-theme=dark]{color-scheme:dark;background:#101216;color:#eee}}body{font-family:"%s",sans-serif!important}</style><style>%s</style></head><body>%s</body></html>`,
			cmp.Or(a.html, `lang="en"`), theme, html.EscapeString(a.name), link, q.Get("font"), a.css, a.body)
	})
	pages := map[string]http.Handler{}
	for position := middleware.PositionBottomEnd; position <= middleware.PositionBanner; position++ {
		opts.Position = position
		m, err := middleware.New(everybody{}, func(*http.Request) string { return "ada" }, &opts)
		require.NoError(t, err)
		pages[position.String()] = m.Handler(page)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		case "/sheet.css":
			n, err := strconv.Atoi(r.URL.RawQuery)
			require.NoError(t, err)
			css, err := zoo[n].sheet.source()
			require.NoError(t, err)
			w.Header().Set("Content-Type", "text/css")
			w.Header().Set("Cache-Control", "max-age=600")
			fmt.Fprint(w, css)
		default:
			pages[cmp.Or(r.URL.Query().Get("position"), middleware.PositionBottomEnd.String())].ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestZoo looks at the prompt in every page of the zoo. Each browser takes each page
// once, in another size than the other browser; ASKONCE_ZOO=all takes every page in
// every font, theme and size.
func TestZoo(t *testing.T) {
	t.Parallel()
	long(t)
	for _, a := range zoo {
		if a.sheet != nil {
			a.sheet.need(t)
		}
	}
	axe := axeCore.need(t)
	site := zooServer(t)
	t.Run("chromium", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{noMotion: true, patience: 20 * time.Minute})
		visitZoo(t, site, axe, 0, func(t testing.TB) window { return chromiumWindow{b.on(t)} })
	})
	t.Run("firefox", func(t *testing.T) {
		t.Parallel()
		f := newFirefox(t).firefox
		visitZoo(t, site, axe, 3, func(t testing.TB) window { return firefoxWindow{t, f} })
	})
}

// visitZoo looks at each page in the window that open returns for its test: in the size
// at first, and then in the next one for each page.
func visitZoo(t *testing.T, site, axe string, first int, open func(testing.TB) window) {
	all := os.Getenv("ASKONCE_ZOO") == "all"
	var views, audits atomic.Int32
	var pictures thumbnails
	for i, a := range zoo {
		t.Run(a.name, func(t *testing.T) {
			w := open(t)
			for f, font := range zooFonts {
				for dark := range 2 {
					if !all && (f != i%3 || dark != i/3%2) {
						continue
					}
					language := zooLanguages[(i+f+dark)%len(zooLanguages)]
					query := url.Values{"font": {font}, "lang": {language}}
					if dark == 1 {
						query.Set("dark", "")
					}
					for s, size := range zooSizes {
						if !all && s != (i+first)%len(zooSizes) {
							continue
						}
						where := fmt.Sprintf("%s, %s, dark %d, %s, %d by %d", a.name, font, dark, language, size.width, size.height)
						w.resize(size.width, size.height)
						want := map[string]any{"waits": false, "styles": true}
						w.visit(site + "/empty?" + query.Encode())
						var reference any
						w.json(looksAt(want), &reference)
						w.visit(site + "/" + strconv.Itoa(i) + "?" + query.Encode())
						want = map[string]any{"waits": a.waits, "mayWait": a.crowds(size), "reference": reference}
						var faults []string
						w.json(looksAt(want), &faults)
						require.Empty(t, strings.Join(faults, "\n"), where)
						views.Add(1)
						if *sheet != "" && (s == 4 || s == 2) {
							pictures.add(t, w.picture())
						}
						if !a.waits && !a.crowds(size) && s%3 == f%3 {
							w.json(`(() => { (0, eval)(`+strconv.Quote(axe)+`); return true })()`, new(bool))
							w.json(`axe.run("aside.askonce", { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
								.then((r) => r.violations.map((v) => v.id + " " + v.nodes.map((n) => n.html + n.failureSummary)))`, &faults)
							require.Empty(t, strings.Join(faults, "\n"), "axe: "+where)
							audits.Add(1)
						}
					}
				}
			}
		})
	}
	t.Logf("%d views without a fault, %d of them with axe", views.Load(), audits.Load())
	pictures.write(t)
}

// TestZooInOtherPlaces looks at the prompt in every page of the zoo in a place that is
// not the usual one, or in two of them if all are wanted.
func TestZooInOtherPlaces(t *testing.T) {
	t.Parallel()
	long(t)
	site := zooServer(t)
	places := 1
	if os.Getenv("ASKONCE_ZOO") == "all" {
		places = 2
	}
	w := chromiumWindow{newTab(t, look{noMotion: true, patience: 20 * time.Minute})}
	for i, a := range zoo {
		if a.sheet != nil {
			a.sheet.need(t)
		}
		for k := range places {
			position := middleware.Position(1 + (i+2*k)%4)
			size := zooSizes[(i+3*k)%(len(zooSizes)-1)] // at 400 % these places have no room
			where := fmt.Sprintf("%s, %s, %d by %d", a.name, position, size.width, size.height)
			w.resize(size.width, size.height)
			w.visit(site + "/" + strconv.Itoa(i) + "?" + url.Values{"font": {zooFonts[i%len(zooFonts)]}, "lang": {zooLanguages[i%len(zooLanguages)]}, "position": {position.String()}}.Encode())
			var faults []string
			mayWait := strings.Contains(a.body, "autofocus") // on what is in the prompt's corner
			w.json(looksAt(map[string]any{"waits": a.waits, "mayWait": mayWait}), &faults)
			require.Empty(t, strings.Join(faults, "\n"), where)
		}
	}
}

// crowds reports whether what the page has fixed, or what it gives the focus to, may
// leave the prompt no room.
func (a animal) crowds(s size) bool {
	return s.height < 300 && (strings.Contains(a.body, "position:fixed;inset:auto 0 0") || strings.Contains(a.body, "autofocus"))
}

func looksAt(want map[string]any) string {
	b, err := json.Marshal(want)
	if err != nil {
		panic(err) // it is made of plain values
	}
	return strings.TrimSpace(zooCheck) + "(" + string(b) + ")"
}
