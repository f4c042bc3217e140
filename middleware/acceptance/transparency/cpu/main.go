//go:build unix

// Command cpu measures what the middleware costs a server: the processor time
// of a server process per page with the prompt, over that of the bare handler,
// over loopback, in turns.
//
//	go run ./middleware/acceptance/transparency/cpu
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

func main() {
	serve := flag.Bool("serve", false, "be the server (for the command itself)")
	rounds := flag.Int("rounds", 15, "how many turns each handler has")
	flag.Parse()
	run := func() error { return measure(os.Stdout, *rounds) }
	if *serve {
		run = beServer
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// handlers are what is measured, by name, and how many requests make a turn.
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

type measured struct {
	kind     string
	size     int
	requests int
	target   float64
}

var cases = []measured{
	{"one write", 4 << 10, 300, 1.20},
	{"one write", 64 << 10, 150, 1.15},
	{"one write", 1 << 20, 15, 1.08},
	{"64-byte writes", 64 << 10, 60, 0.95},
	{"64-byte writes", 1 << 20, 6, 0.75},
	{"FileServer", 1 << 20, 20, 1.15},
}

func (c measured) path() string {
	return "/" + strings.ReplaceAll(c.kind, " ", "-") + "/" + strconv.Itoa(c.size)
}

func pageOf(size int) []byte {
	const line = "<p class=\"x\">Lorem ipsum dolor sit amet, consectetur adipiscing elit.</p>\n"
	return []byte("<!doctype html><html><body>" + strings.Repeat(line, size/len(line)) + "</body></html>\n")
}

type askEveryone struct{}

func (askEveryone) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	return gate.Decision{Ask: true, Reason: gate.Eligible, Prompt: gate.Prompt{StudyID: "s", InterviewLink: "https://provider.example/i/a", UserID: v.UserID}}
}

func (a askEveryone) Confirm(ctx context.Context, v gate.Visitor) gate.Decision {
	return a.Decide(ctx, v)
}

// beServer serves until its standard input ends.
func beServer() error {
	m, err := middleware.New(askEveryone{}, func(*http.Request) string { return "ada" }, nil)
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
	for path, h := range all {
		mux.Handle("/bare"+path, h)
		mux.Handle("/with"+path, m.Handler(h))
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

func measure(out io.Writer, rounds int) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	server := exec.Command(exe, "-serve")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { _ = stdin.Close(); _ = server.Wait() }()
	var addr string
	if _, err := fmt.Fscan(stdout, &addr); err != nil {
		return err
	}
	base := "http://" + addr
	fmt.Fprintf(out, "%-16s %9s %12s %12s %7s %7s\n", "handler", "page", "bare", "with prompt", "ratio", "target")
	for _, c := range cases {
		var bares, withs, ratios []float64
		for range rounds + 1 {
			bare, err := turn(base, "/bare"+c.path(), c.requests)
			if err != nil {
				return err
			}
			with, err := turn(base, "/with"+c.path(), c.requests)
			if err != nil {
				return err
			}
			bares, withs, ratios = append(bares, bare), append(withs, with), append(ratios, with/bare)
		}
		fmt.Fprintf(out, "%-16s %6d KB %9.1f µs %9.1f µs %7.2f %7.2f\n", c.kind, c.size>>10,
			median(bares[1:])/1e3, median(withs[1:])/1e3, median(ratios[1:]), c.target) // the first warms up
	}
	return nil
}

// turn sends n requests and returns the server's processor time for each, in
// nanoseconds.
func turn(base, path string, n int) (float64, error) {
	before, err := cpuTime(base)
	if err != nil {
		return 0, err
	}
	for range n {
		body, err := get(base + path)
		if err != nil {
			return 0, err
		}
		if got := strings.Contains(body, "<aside"); got != strings.HasPrefix(path, "/with") {
			return 0, fmt.Errorf("cpu: %s: with prompt: %v", path, got)
		}
	}
	after, err := cpuTime(base)
	return (after - before) / float64(n), err
}

func cpuTime(base string) (float64, error) {
	body, err := get(base + "/cpu")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(body, 64)
}

func get(url string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
