//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// handlers are what is measured, by path.
func handlers(dir string) (map[string]http.Handler, error) {
	all := map[string]http.Handler{}
	for _, c := range cases {
		page := pageOf(c.size)
		switch c.kind {
		case "one write":
			all[c.path()] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.Header().Set("Content-Length", strconv.Itoa(len(page)))
				_, _ = w.Write(page) // the client may go
			})
		case "64-byte writes":
			all[c.path()] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				for p := range slices.Chunk(page, 64) {
					_, _ = w.Write(p)
				}
			})
		case "FileServer":
			name := strconv.Itoa(c.size) + ".html"
			if err := os.WriteFile(filepath.Join(dir, name), page, 0o600); err != nil {
				return nil, err
			}
			files := http.FileServer(http.Dir(dir))
			all[c.path()] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.URL.Path = "/" + name
				files.ServeHTTP(w, r)
			})
		}
	}
	return all, nil
}

func pageOf(size int) []byte {
	const line = "<p class=\"x\">Lorem ipsum dolor sit amet, consectetur adipiscing elit.</p>\n"
	return []byte("<!doctype html><html><body>" + strings.Repeat(line, size/len(line)) + end)
}

const end = "</body></html>\n"

// promptOf returns the prompt as m puts it into a page.
func promptOf(m *middleware.Middleware) string {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/html")
	const begin = "<!doctype html>"
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, begin+end)
	})).ServeHTTP(w, r)
	return strings.TrimSuffix(strings.TrimPrefix(w.Body.String(), begin), end)
}

// byHandOf is how an app would put the same prompt into its pages by itself.
func byHandOf(c measured, dir, prompt string) http.HandlerFunc {
	body, last := bytes.TrimSuffix(pageOf(c.size), []byte(end)), []byte(prompt+end)
	switch c.kind {
	case "one write":
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)+len(last)))
			_, _ = w.Write(body)
			_, _ = w.Write(last)
		}
	case "64-byte writes":
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			for p := range slices.Chunk(body, 64) {
				_, _ = w.Write(p)
			}
			_, _ = w.Write(last)
		}
	default:
		return func(w http.ResponseWriter, _ *http.Request) {
			f, err := os.Open(filepath.Join(dir, strconv.Itoa(c.size)+".html"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			length := info.Size() - int64(len(end))
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Length", strconv.Itoa(int(length)+len(last)))
			_, _ = io.CopyN(w, f, length) // by sendfile, as FileServer does
			_, _ = w.Write(last)
		}
	}
}

type askEveryone struct{}

func (askEveryone) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{StudyID: "s", InterviewLink: "https://provider.example/i/a", UserID: v.UserID}}
}

func (a askEveryone) Confirm(ctx context.Context, v gate.Visitor) gate.Decision {
	return a.Decide(ctx, v)
}

type askNobody struct{ askEveryone }

func (askNobody) Decide(context.Context, gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.ReasonHeldOut}
}

// beServer serves until its standard input ends.
func beServer() error {
	user := func(*http.Request) string { return "ada" }
	opts := &middleware.Options{CookieKeys: [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}}
	asked, err := middleware.New(askEveryone{}, user, opts)
	if err != nil {
		return err
	}
	notAsked, err := middleware.New(askNobody{}, user, opts)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "askonce-cpu-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	all, err := handlers(dir)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	prompt := promptOf(asked)
	for _, c := range cases {
		mux.Handle("/by-hand"+c.path(), byHandOf(c, dir, prompt))
	}
	for path, h := range all {
		mux.Handle("/bare"+path, h)
		mux.Handle("/asked"+path, asked.Handler(h))
		mux.Handle("/not-asked"+path, notAsked.Handler(h))
	}
	mux.HandleFunc("/cpu", func(w http.ResponseWriter, _ *http.Request) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, u.Utime.Nano()+u.Stime.Nano())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
