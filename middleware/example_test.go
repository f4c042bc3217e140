package middleware_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/askonce/askonce/middleware"
)

// currentUser returns the user who sent a request.
func currentUser(r *http.Request) string { return r.Header.Get("X-User") }

// visit requests a page as a browser does.
func visit(h http.Handler, user string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("X-User", user)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Body.String()
}

func ExampleMiddleware_Handler() {
	home := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>Home</title><body><p>Hello</p></body></html>")
	})
	prompt, err := middleware.New(askEveryone{}, currentUser, nil) // a *gate.Gate, in an app
	if err != nil {
		panic(err)
	}
	h := prompt.Handler(home)

	page := visit(h, "ada")
	before, _, _ := strings.Cut(page, "<aside")
	fmt.Println(before + "…" + page[len(page)-len("</body></html>"):])
	fmt.Println(visit(h, "")) // nobody to ask
	// Output:
	// <!doctype html><title>Home</title><body><p>Hello</p>…</body></html>
	// <!doctype html><title>Home</title><body><p>Hello</p></body></html>
}

// An app can render the prompt in its own template. Nothing is injected then.
func ExamplePromptFrom() {
	tmpl := template.Must(template.New("home").Parse(
		`<!doctype html><body>{{with .}}<a href="{{.StartURL}}" target="_blank" rel="noopener">Talk to us</a>{{else}}Hello{{end}}</body>` + "\n"))
	home := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data any
		if p, ok := middleware.PromptFrom(r.Context()); ok {
			data = p
		}
		_ = tmpl.Execute(w, data)
	})
	prompt, err := middleware.New(askEveryone{}, currentUser, nil)
	if err != nil {
		panic(err)
	}
	h := prompt.Handler(home)
	fmt.Print(visit(h, "ada"))
	fmt.Print(visit(h, ""))
	// Output:
	// <!doctype html><body><a href="/askonce/start?study=study-1&amp;from=template" target="_blank" rel="noopener">Talk to us</a></body>
	// <!doctype html><body>Hello</body>
}

// A single-page app renders the prompt itself, from the answer of the decision
// endpoint.
func ExampleMiddleware_Endpoints() {
	prompt, err := middleware.New(askEveryone{}, currentUser, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/askonce/", prompt.Endpoints())

	r := httptest.NewRequest(http.MethodGet, "/askonce/decision", nil)
	r.Header.Set("X-User", "ada")
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	var indented bytes.Buffer
	if err := json.Indent(&indented, rec.Body.Bytes(), "", "  "); err != nil {
		panic(err)
	}
	fmt.Print(indented.String())
	// Output:
	// {
	//   "ask": true,
	//   "reason": "eligible",
	//   "study": "study-1",
	//   "language": "en",
	//   "direction": "ltr",
	//   "texts": {
	//     "kind": "Voice interview",
	//     "title": "Do you have a few minutes for us?",
	//     "text": "We would love to hear, in your own words, what works well for you and what does not.",
	//     "facts": [
	//       "About 10 minutes",
	//       "Microphone needed"
	//     ],
	//     "start": "Start the interview",
	//     "newTab": "opens in a new tab",
	//     "later": "Ask me later",
	//     "decline": "No thanks",
	//     "thanks": "Thanks, we won’t ask again.",
	//     "undo": "Undo",
	//     "never": "Never ask me",
	//     "optedOut": "Done. We won’t ask you for any interview again.",
	//     "notRecorded": "Your answer could not be saved.",
	//     "tryAgain": "Try again"
	//   },
	//   "links": {
	//     "start": "/askonce/start?study=study-1\u0026from=app",
	//     "shown": "/askonce/shown?study=study-1\u0026from=app",
	//     "later": "/askonce/later?study=study-1\u0026from=app",
	//     "decline": "/askonce/decline?study=study-1\u0026from=app",
	//     "undo": "/askonce/undo?study=study-1\u0026from=app",
	//     "optOut": "/askonce/optout?from=app"
	//   }
	// }
}

// OnPrompt reports why a page has no prompt. The outcomes are few enough to label a
// counter.
func ExampleOptions_onPrompt() {
	prompt, err := middleware.New(askEveryone{}, currentUser, &middleware.Options{
		OnPrompt: func(_ *http.Request, _ string, o middleware.Outcome) { fmt.Println(o) },
	})
	if err != nil {
		panic(err)
	}
	for _, body := range []string{
		"<!doctype html><p>A page</p></body></html>",
		"<!doctype html><html><body><p>A page that is cut in a tag<b",
		`{"not": "HTML"}`,
	} {
		visit(prompt.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if strings.HasPrefix(body, "<") {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
			}
			fmt.Fprint(w, body)
		})), "ada")
	}
	// Output:
	// injected
	// unfinished
	// not_html
}

// The wrong way is a compressor inside the middleware: the page is already compressed
// when it arrives, and the middleware leaves it as it is. Mount the middleware inside
// the compressor.
func ExampleMiddleware_Handler_insideOut() {
	prompt, err := middleware.New(askEveryone{}, currentUser, &middleware.Options{
		OnPrompt: func(_ *http.Request, _ string, o middleware.Outcome) { fmt.Println(o) },
	})
	if err != nil {
		panic(err)
	}
	home := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><p>Hello</p></body></html>")
	})
	visit(prompt.Handler(compress(home)), "ada")
	visit(compress(prompt.Handler(home)), "ada")
	// Output:
	// encoded
	// injected
}

// compress stands for any compressor.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		zip := gzip.NewWriter(w)
		defer zip.Close()
		w.Header().Set("Content-Encoding", "gzip")
		r = r.Clone(r.Context())
		r.Header.Del("Accept-Encoding")
		next.ServeHTTP(compressed{w, zip}, r)
	})
}

type compressed struct {
	http.ResponseWriter
	zip *gzip.Writer
}

func (c compressed) Write(b []byte) (int, error) { return c.zip.Write(b) }

// Texts gets the built-in words, so those that it does not replace stay in the
// visitor's language.
func ExampleTexts() {
	prompt, err := middleware.New(askEveryone{}, currentUser, &middleware.Options{
		Texts: func(_, language string, words middleware.Texts) middleware.Texts {
			if strings.HasPrefix(language, "en") {
				words.Title = "Ten minutes to tell us what you think?"
			}
			return words
		},
	})
	if err != nil {
		panic(err)
	}
	page := visit(prompt.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><p>Hello</p></body></html>")
	})), "ada")
	fmt.Println(strings.Contains(page, "Ten minutes to tell us what you think?"), strings.Contains(page, "No thanks"))
	// Output: true true
}

// A template renders the inside of the prompt.
func ExampleContent() {
	prompt, err := middleware.New(askEveryone{}, currentUser, &middleware.Options{
		Template: template.Must(template.New("prompt").Parse(
			`<a href="{{.StartURL}}" target="_blank" rel="noopener">{{.StudyName}}: {{.Texts.Start}}</a>`)),
	})
	if err != nil {
		panic(err)
	}
	page := visit(prompt.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><p>Hello</p></body></html>")
	})), "ada")
	_, link, _ := strings.Cut(page, "<a ")
	link, _, _ = strings.Cut(link, "</a>")
	fmt.Println(link)
	// Output: href="/askonce/start?study=study-1" target="_blank" rel="noopener">Onboarding: Start the interview
}

// An adapter for a framework passes the framework's writer and request, and the next
// handler.
func ExampleMiddleware_Serve() {
	prompt, err := middleware.New(askEveryone{}, currentUser, nil)
	if err != nil {
		panic(err)
	}
	adapted := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = prompt.Serve(w, r, nil, func(w http.ResponseWriter, r *http.Request) error {
				next.ServeHTTP(w, r)
				return nil
			})
		})
	}
	h := adapted(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><p>Hello</p></body></html>")
	}))
	fmt.Println(strings.Contains(visit(h, "ada"), `class="askonce"`), strings.Contains(visit(h, ""), `class="askonce"`))
	// Output: true false
}
