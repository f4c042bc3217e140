package browser

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/stretchr/testify/require"
)

// app is an app that asks everybody, with one user and the fake provider.
type app struct {
	url   string
	study string
	store *memstore.Store

	outside atomic.Pointer[http.HandlerFunc] // answers every POST before the middleware sees it, if it is set

	mu       sync.Mutex
	recorded map[store.InteractionKind]int // what the user has seen and answered
}

// count returns how often an interaction has been recorded.
func (a *app) count(kind store.InteractionKind) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.recorded[kind]
}

func (a *app) hasRecorded(kind store.InteractionKind) bool { return a.count(kind) > 0 }

func newApp(t testing.TB, opts *middleware.Options, gateOpts *gate.Options) *app {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	provider := userjourneystest.NewServer(t, nil)
	study := provider.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
	uj, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL(), Logger: quiet})
	require.NoError(t, err)
	if gateOpts == nil {
		gateOpts = &gate.Options{}
	}
	gateOpts.Logger = quiet
	interactions := memstore.New()
	g, err := gate.New(uj, study.ID, interactions, gateOpts)
	require.NoError(t, err)
	require.NoError(t, g.Warm(t.Context()))
	o := middleware.Options{}
	if opts != nil {
		o = *opts
	}
	a := &app{study: study.ID, store: interactions, recorded: map[store.InteractionKind]int{}}
	o.Logger, o.Interactions = quiet, interactions
	o.OnInteraction = func(_ context.Context, i middleware.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.recorded[i.Kind]++
	}
	m, err := middleware.New(g, func(r *http.Request) string {
		if c, err := r.Cookie("user"); err == nil {
			return c.Value
		}
		return "ada"
	}, &o)
	require.NoError(t, err)
	pages := m.Handler(http.HandlerFunc(servePage))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if outside := a.outside.Load(); outside != nil && r.Method == http.MethodPost {
			(*outside)(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

// always shows the prompt with every page.
func always() *gate.Options { return &gate.Options{MaxShowings: -1, ShowingPause: -1} }

const article = `<header><h1 id="top">Quarterly report</h1></header>
<main><p>Revenue grew by a quarter. <a id="first" href="/other%s">Read on</a> about it.</p>
<p><button id="second" type="button">Share</button></p>%s</main>`

// servePage serves a page as its query wants it: header, fields of the response; csp and referrer, policies; rtl; light, whatever
// the system would like; lang, in this language; here, with a place for the prompt; open, with unclosed elements
// at the end; library, with Turbo or htmx, which swap the body by script.
func servePage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch r.URL.Path {
	case "/favicon.ico":
		w.WriteHeader(http.StatusNoContent)
		return
	case "/report":
		report(w, r)
		return
	case "/react":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-transform") // the app renders the prompt itself
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/library.js?library=react"></script></html>`)
		return
	case "/library.js":
		library(w, r)
		return
	case "/worker.js":
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, staleWhileRevalidate)
		return
	case "/app.css":
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, pageStyle)
		return
	}
	for _, field := range q["header"] {
		name, value, _ := strings.Cut(field, ": ")
		w.Header().Set(name, value)
	}
	if tag := w.Header().Get("Etag"); tag != "" && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if csp := q.Get("csp"); csp != "" {
		w.Header().Set("Content-Security-Policy", csp)
	}
	if policy := q.Get("referrer"); policy != "" {
		w.Header().Set("Referrer-Policy", policy)
	}
	dir, lang := "ltr", cmp.Or(q.Get("lang"), "en")
	if q.Has("rtl") {
		dir, lang = "rtl", "he"
	}
	inner := ""
	if q.Has("here") {
		inner = `<div data-askonce-here></div><p>After it.</p>`
	}
	script, body, query := "", "<body>", ""
	if l := q.Get("library"); l != "" {
		query = "?library=" + url.QueryEscape(l)
		script, body = `<script src="/library.js`+html.EscapeString(query)+`" defer></script>`, `<body hx-boost="true">`
	}
	scheme := `<meta name="color-scheme" content="light dark">`
	if q.Has("light") {
		scheme = `<style>body{background:#fff!important;color:#222!important}</style>`
	}
	if accent := q.Get("accent"); accent != "" {
		scheme = `<style>:root{--askonce-accent:` + accent + `}</style>`
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="%s" dir="%s"><head><meta charset="utf-8">%s<meta name="viewport" content="width=device-width, initial-scale=1"><title>%s</title><link rel="stylesheet" href="/app.css">%s</head>%s`,
		lang, dir, scheme, html.EscapeString("Report "+r.URL.Path), script, body)
	fmt.Fprintf(w, article, html.EscapeString(query), inner)
	if open := q.Get("open"); open != "" {
		fmt.Fprint(w, map[string]string{"hidden": "<div hidden><p>", "form": `<form action="/elsewhere" method="get"><p>`}[open])
	}
	fmt.Fprint(w, strings.Repeat("\n", 3)+"</body></html>")
}

func library(w http.ResponseWriter, r *http.Request) {
	source, err := map[string]func() (string, error){"turbo": turbo.source, "htmx": htmx.source, "react": reactApp}[r.URL.Query().Get("library")]()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	fmt.Fprint(w, source)
}

// pageStyle is hostile in the way that many style sheets are: it says how every
// paragraph, list and button shall look.
const pageStyle = `body{margin:0 auto;max-width:44rem;padding:2rem;font:1rem/1.6 Georgia,serif}
p{margin:2em 0;text-align:justify}ul{border-left:3px solid red}li{float:left}
button{width:100%;text-transform:uppercase;background:#eee;border:2px solid #999}a{color:#a30}form{padding:3rem}
@media(prefers-color-scheme:dark){body{background:#14161a;color:#e4e6ea}a{color:#f0a070}button{background:#333;color:#eee}}`

// report is a page to take pictures of.
func report(w http.ResponseWriter, r *http.Request) {
	dir, lang, place := "ltr", cmp.Or(r.URL.Query().Get("lang"), "en"), ""
	if r.URL.Query().Has("rtl") {
		dir, lang = "rtl", "he"
	}
	if r.URL.Query().Has("here") {
		place = `<div data-askonce-here></div>`
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="%s" dir="%s"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Ledger</title><style>%s</style></head>
<body><header><b>Ledger</b><nav><a href="#">Overview</a><a href="#">Invoices</a><a href="#">Customers</a></nav></header><main><h1>Overview</h1>%s
<section><div><small>Revenue</small><strong>48,210</strong></div><div><small>Open invoices</small><strong>12</strong></div><div><small>New customers</small><strong>37</strong></div></section>
<table><tr><th>Invoice<th>Customer<th>Amount<tr><td>2041<td>Northwind<td>1,280<tr><td>2040<td>Contoso<td>940<tr><td>2039<td>Fabrikam<td>2,115<tr><td>2038<td>Tailspin<td>310<tr><td>2037<td>Adventure Works<td>765</table></main></body></html>`,
		lang, dir, reportStyle, place)
}

const reportStyle = `:root{color-scheme:light dark;--line:light-dark(#e3e6eb,#2f333c);--quiet:light-dark(#667085,#98a0ae)}
body{margin:0;font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;background:light-dark(#f6f7f9,#14161a);color:light-dark(#1b1f27,#e6e8ec)}
header{display:flex;flex-wrap:wrap;gap:4px 28px;padding:14px 28px;background:light-dark(#fff,#1a1d23);border-bottom:1px solid var(--line)}nav{display:flex;gap:20px}nav a{color:var(--quiet);text-decoration:none}
main{max-width:860px;margin:0 auto;padding:20px 28px}h1{font-size:22px;margin:0 0 16px}[data-askonce-here]{margin:0 0 20px}
section{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:14px;margin-bottom:20px}section div,table{background:light-dark(#fff,#1a1d23);border:1px solid var(--line);border-radius:10px}
section div{padding:14px 16px}small{display:block;color:var(--quiet)}strong{font-size:24px}table{width:100%;border-spacing:0}th,td{text-align:start;padding:9px 16px;border-bottom:1px solid var(--line)}th{font-weight:500;color:var(--quiet)}`

// everybody decides to ask in the first language that is wanted.
type everybody struct{}

func (everybody) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	p := gate.Prompt{StudyID: "study-1", StudyName: "Onboarding", InterviewLink: "https://interview.example/i/1", UserID: v.UserID}
	if len(v.Languages) > 0 {
		p.Language = v.Languages[0]
	}
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: p}
}

func (e everybody) Confirm(ctx context.Context, v gate.Visitor) gate.Decision {
	return e.Decide(ctx, v)
}
