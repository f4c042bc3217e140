//go:build unix

// Command cpu measures what the middleware costs a server: the processor time
// of a server process per page, over that of the bare handler, over loopback, in
// turns, as medians. It prints three ratios of each kind of page and what we want
// the second one to be at most:
//
//	not asked   the user gets no prompt
//	prompt      the prompt is placed
//	counted     and the showing is noted in a sealed cookie, as it is with the
//	            first page that shows it; by default that is one in a day
//
// The command is its own server and needs nothing else:
//
//	go run ./middleware/acceptance/transparency/cpu
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
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

type measured struct {
	kind     string
	size     int
	requests int // of one turn
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

type askNobody struct{ askEveryone }

func (askNobody) Decide(context.Context, gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.NotSampled}
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

// variants are what is compared with the bare handler: the beginning of the path
// and the request's header.
var variants = []variant{
	{"/not-asked", nil, false},
	{"/asked", http.Header{"Sec-Purpose": {"prefetch"}}, true}, // what is not looked at is not counted
	{"/asked", nil, true},
}

type variant struct {
	path   string
	header http.Header
	prompt bool
}

func measure(out io.Writer, rounds int) error {
	base, stop, err := startServer()
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(out, "%-14s %8s %12s   %9s %7s %8s %7s\n", "handler", "page", "bare", "not asked", "prompt", "counted", "target")
	for _, c := range cases {
		var bares []float64
		ratios := make([][]float64, len(variants))
		for round := range rounds + 1 {
			bare, err := turn(base, variant{path: "/bare"}, c)
			if err != nil {
				return err
			}
			for n, v := range variants {
				with, err := turn(base, v, c)
				if err != nil {
					return err
				}
				if round > 0 { // the first warms up
					ratios[n] = append(ratios[n], with/bare)
				}
			}
			bares = append(bares, bare)
		}
		fmt.Fprintf(out, "%-14s %5d KB %9.1f µs   %9.2f %7.2f %8.2f %7.2f\n", c.kind, c.size>>10,
			median(bares[1:])/1e3, median(ratios[0]), median(ratios[1]), median(ratios[2]), c.target)
	}
	return nil
}

// startServer runs this program once more, so that the processor time of the
// client is not counted.
func startServer() (base string, stop func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	server := exec.Command(exe, "-serve")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = stdin.Close(); _ = server.Wait() }
	var addr string
	if _, err := fmt.Fscan(stdout, &addr); err != nil {
		stop()
		return "", nil, err
	}
	return "http://" + addr, stop, nil
}

// turn sends a turn's requests and returns the server's processor time for each,
// in nanoseconds.
func turn(base string, v variant, c measured) (float64, error) {
	before, err := cpuTime(base)
	if err != nil {
		return 0, err
	}
	for range c.requests {
		body, err := get(base+v.path+c.path(), v.header)
		if err != nil {
			return 0, err
		}
		if bytes.Contains(body, []byte("<aside")) != v.prompt {
			return 0, fmt.Errorf("cpu: %s%s: with prompt: %v", v.path, c.path(), !v.prompt)
		}
	}
	after, err := cpuTime(base)
	return (after - before) / float64(c.requests), err
}

func cpuTime(base string) (float64, error) {
	body, err := get(base+"/cpu", nil)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(body), 64)
}

func get(url string, header http.Header) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
