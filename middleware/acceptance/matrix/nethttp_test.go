package matrix

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"github.com/stretchr/testify/require"
)

type stdMiddleware = func(http.Handler) http.Handler

type stdUserKey struct{}

// stdAuth knows the user, as the app's own session would.
func stdAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), stdUserKey{}, r.Header.Get("X-User"))))
	})
}

// stdLogger notes what an access log would say.
func stdLogger(name string) stdMiddleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ww := chimw.NewWrapResponseWriter(w, r.ProtoMajor)
			defer func() {
				note(r, name+" status", strconv.Itoa(ww.Status()))
				note(r, name+" size", strconv.Itoa(ww.BytesWritten()))
			}()
			next.ServeHTTP(ww, r)
		})
	}
}

func stdRecover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v) // which is for the server
			default:
				http.Error(w, "recovered", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// stdChain is the order of an app: what comes first stands outside.
func stdChain(t *testing.T, s setup, compress stdMiddleware) []stdMiddleware {
	chain := []stdMiddleware{stdLogger("outer"), stdRecover, stdAuth}
	if s.compressor == outside {
		chain = append(chain, compress)
	}
	if s.in(hiding) {
		chain = append(chain, hide)
	}
	if s.in(asking) {
		m, err := middleware.New(decider{}, func(r *http.Request) string { id, _ := r.Context().Value(stdUserKey{}).(string); return id }, nil)
		require.NoError(t, err)
		chain = append(chain, m.Handler)
		if s.again() {
			chain = append(chain, m.Handler)
		}
	}
	if s.compressor == inside {
		chain = append(chain, compress)
	}
	return append(chain, stdLogger("inner"))
}

func netHTTP(t *testing.T, s setup) http.Handler {
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1))
	require.NoError(t, err)
	mux := http.NewServeMux()
	var h http.Handler = mux
	chain := stdChain(t, s, func(next http.Handler) http.Handler { return compress(next) })
	for i := len(chain) - 1; i >= 0; i-- {
		h = chain[i](h)
	}
	for pattern, f := range stdRoutes(s.site, func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }) {
		mux.HandleFunc("GET "+pattern, f)
	}
	mux.HandleFunc("POST /post-only", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServer(http.Dir(s.site.dir))))
	mux.Handle("GET /proxy/", s.site.proxy)
	mux.HandleFunc("GET /spa/", servePage)
	return h
}

func chiApp(t *testing.T, s setup) http.Handler {
	r := chi.NewRouter()
	r.Use(stdChain(t, s, chimw.Compress(5))...)
	for pattern, f := range stdRoutes(s.site, r.ServeHTTP) {
		r.Get(pattern, f)
		r.Head(pattern, f)
	}
	r.Post("/post-only", func(http.ResponseWriter, *http.Request) {})
	r.Mount("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir(s.site.dir))))
	r.Mount("/proxy/", s.site.proxy)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/spa/") {
			servePage(w, r)
			return
		}
		http.NotFound(w, r)
	})
	return r
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", htmlType)
	_, _ = io.WriteString(w, smallPage)
}

// stdRoutes are the handlers that net/http and chi share.
func stdRoutes(s *site, again http.HandlerFunc) map[string]http.HandlerFunc {
	html := func(w http.ResponseWriter) { w.Header().Set("Content-Type", htmlType) }
	return map[string]http.HandlerFunc{
		"/template": func(w http.ResponseWriter, r *http.Request) { html(w); _ = pageTmpl.Execute(w, "template") },
		"/length": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.Header().Set("Content-Length", strconv.Itoa(len(largePage)))
			_, _ = io.WriteString(w, largePage)
		},
		"/string": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, smallPage)
		},
		"/json": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"html":"</body>"}`)
		},
		"/file": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, s.file("page.html")) },
		"/stream": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			for i, p := range pieces {
				_, _ = io.WriteString(w, p)
				if i < len(markers) {
					_ = http.NewResponseController(w).Flush()
					await(r, markers[i])
				}
			}
		},
		"/events": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, m := range []string{"data: 1\n\n", "data: 2\n\n"} {
				_, _ = io.WriteString(w, m)
				w.(http.Flusher).Flush()
				await(r, m)
			}
		},
		"/flush-first": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, smallPage)
		},
		"/head-first": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("X-Late", "1")
			_, _ = io.WriteString(w, smallPage)
		},
		"/redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/template", http.StatusFound) },
		"/no-content": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"/created":    func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusCreated) },
		"/nothing":    func(w http.ResponseWriter, r *http.Request) {},
		"/empty":      func(w http.ResponseWriter, r *http.Request) { html(w); _, _ = w.Write(nil) },
		"/panic":      func(w http.ResponseWriter, r *http.Request) { panic("early") },
		"/panic-late": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			_, _ = io.WriteString(w, pieces[0])
			panic("late")
		},
		"/abort": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			_, _ = io.WriteString(w, pieces[0])
			_ = http.NewResponseController(w).Flush()
			await(r, markers[0])
			panic(http.ErrAbortHandler)
		},
		"/denied": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, smallPage)
		},
		"/error": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, smallPage)
		},
		"/error-late": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			_, _ = io.WriteString(w, smallPage)
			w.WriteHeader(http.StatusInternalServerError)
		},
		"/group/{id}": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.Header().Set("X-Group", "1")
			_ = pageTmpl.Execute(w, r.PathValue("id"))
		},
		"/status-then-type": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			html(w)
			_, _ = io.WriteString(w, smallPage)
		},
		"/again": func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.Path = "/template"
			again(w, r)
		},
		"/sniffed": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, smallPage) },
		"/sniffed-status": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, largePage)
		},
		"/hints": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</app.js>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			html(w)
			_, _ = io.WriteString(w, smallPage)
		},
		"/gzipped": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(compressed(smallPage))
		},
		"/hijack":     hijack,
		"/controller": func(w http.ResponseWriter, r *http.Request) { note(r, "controls", controls(w)); servePage(w, r) },
		"/own": func(w http.ResponseWriter, r *http.Request) {
			html(w)
			p, ok := middleware.PromptFrom(r.Context())
			_, _ = fmt.Fprint(w, ownPage(p, ok))
		},
	}
}
