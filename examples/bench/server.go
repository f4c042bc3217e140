package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/askonce/askonce/examples/bench/report"
)

// serverSizes are the pages that are served over loopback.
var serverSizes = map[string]int{"4KB": 4 << 10, "64KB": 64 << 10, "1MB": 1 << 20}

// served are the servers, each a process of its own, by the name that the
// child is given.
var served = map[string]func(h http.Handler) (http.Handler, error){
	"bare":      func(h http.Handler) (http.Handler, error) { return h, nil },
	"completed": func(h http.Handler) (http.Handler, error) { return wrap(h, "bob") },
	"asked":     func(h http.Handler) (http.Handler, error) { return wrap(h, "ada") },
	"gzhttp":    func(h http.Handler) (http.Handler, error) { return gzhttp.GzipHandler(h), nil },
	"LastIndex": func(h http.Handler) (http.Handler, error) { return buffered(h, lastIndex), nil },
	"parse":     func(h http.Handler) (http.Handler, error) { return buffered(h, parse), nil },
}

// server compares the processor time that a whole server spends on a request.
func server(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "A page server",
		Text: "Processor time of the server's process for one request over loopback, keep-alive: net/http with one Write and a Content-Length. gzhttp compresses,\n" +
			"which is another job: it is here to show what a middleware that one does not think twice about costs. nginx's `sub_filter` is compared with the same\n" +
			"nginx without it.",
	}
	for _, size := range []string{"4KB", "64KB", "1MB"} {
		var all []*process
		stop := func() {
			for _, s := range all {
				s.stop()
			}
		}
		for _, c := range []struct {
			name, serve string
			ours, gzip  bool
		}{
			{"net/http alone", "bare", false, false}, {"askonce, user has completed", "completed", true, false}, {"askonce, user is asked", "asked", true, false},
			{"buffer and LastIndex", "LastIndex", false, false}, {"x/net/html Parse and Render", "parse", false, false}, {"gzhttp", "gzhttp", false, true},
		} {
			s, err := startChild(ctx, c.serve, size)
			if err != nil {
				stop()
				return p, err
			}
			s.name, s.ours, s.gzip = c.name, c.ours, c.gzip
			all = append(all, s)
		}
		g, err := cpu(e, size, all)
		stop()
		if err != nil {
			return p, err
		}
		g.Chart = true
		p.Groups = append(p.Groups, g)
		if g, ok, err := nginx(ctx, e, size); err != nil {
			return p, err
		} else if ok {
			g.Chart = true
			p.Groups = append(p.Groups, g)
		}
	}
	return p, nil
}

// process is a server that runs beside this program.
type process struct {
	name       string
	url        string
	pid        int
	ours, gzip bool
	stop       func()
}

// cpu sends requests to the servers in turn and reads what each has used.
func cpu(e effort, what string, servers []*process) (report.Group, error) {
	times, ratios := make([][]float64, len(servers)), make([][]float64, len(servers))
	requests := max(50, (40<<20)/serverSizes[what]/8)
	for range max(e.rounds/3, 2) {
		for i, s := range servers {
			before, err := used(s.pid)
			if err != nil {
				return report.Group{}, err
			}
			if err := load(s, requests); err != nil {
				return report.Group{}, err
			}
			after, err := used(s.pid)
			if err != nil {
				return report.Group{}, err
			}
			t := float64(after-before) / float64(requests)
			times[i] = append(times[i], t)
			ratios[i] = append(ratios[i], t/times[0][len(times[i])-1])
		}
	}
	g := report.Group{What: what + " page"}
	for i, s := range servers {
		g.Rows = append(g.Rows, report.Row{Name: s.name, Time: time.Duration(median(times[i])), Ratio: median(ratios[i]), Allocs: -1, Ours: s.ours})
	}
	return g, nil
}

// load sends n requests on one connection and reads every byte.
func load(s *process, n int) error {
	r := request()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	encoding := ""
	if s.gzip {
		encoding = "Accept-Encoding: gzip\r\n"
	}
	head := fmt.Sprintf("GET / HTTP/1.1\r\nHost: bench\r\nAccept: %s\r\nSec-Fetch-Dest: document\r\n%s\r\n", r.Header.Get("Accept"), encoding)
	in := bufio.NewReaderSize(conn, 64<<10)
	for range n {
		if _, err := io.WriteString(conn, head); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", s.name, resp.Status)
		}
	}
	return nil
}

// used is the processor time that all threads of a process have had so far.
func used(pid int) (time.Duration, error) {
	if tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)); err == nil && len(tasks) > 0 {
		var sum time.Duration
		for _, t := range tasks {
			if b, err := os.ReadFile(t); err == nil { // a thread may end
				ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
				if err != nil {
					return 0, err
				}
				sum += time.Duration(ns)
			}
		}
		if sum > 0 {
			return sum, nil
		}
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+2:])
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime of proc(5), in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

const childVariable = "ASKONCE_BENCH_SERVE"

// startChild starts this program again as a server.
func startChild(ctx context.Context, name, size string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"="+name+" "+size)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // the child ends when it is closed
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		stdin.Close()
		_ = cmd.Wait()
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		return nil, fmt.Errorf("the server %s does not come up: %w", name, err)
	}
	return &process{url: strings.TrimSpace(url), pid: cmd.Process.Pid, stop: stop}, nil
}

// serveChild serves if this process is a child, until its parent is gone.
func serveChild() bool {
	name, size, ok := strings.Cut(os.Getenv(childVariable), " ")
	if !ok {
		return false
	}
	h, err := served[name](writeWhole(page(serverSizes[size])))
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	go func() { _ = http.Serve(l, h) }() // until the process ends
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true
}

// nginx compares nginx's sub_filter with plain nginx, where there is one.
func nginx(ctx context.Context, e effort, size string) (g report.Group, ok bool, err error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return g, false, nil
	}
	dir, err := os.MkdirTemp("", "askonce-bench")
	if err != nil {
		return g, false, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the worker is another user
		return g, false, err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), page(serverSizes[size]), 0o644); err != nil {
		return g, false, err
	}
	var both []*process
	defer func() {
		for _, s := range both {
			s.stop()
		}
	}()
	for name, filter := range map[string]string{"nginx": "", "nginx sub_filter": "sub_filter '</body>' '" + string(snippet) + "</body>';"} {
		s, err := startNginx(ctx, path, dir, filter)
		if err != nil {
			return g, false, err
		}
		s.name = name
		both = append(both, s)
	}
	if both[0].name != "nginx" {
		both[0], both[1] = both[1], both[0]
	}
	g, err = cpu(e, size, both)
	g.What = "nginx, " + g.What
	return g, err == nil, err
}

func startNginx(ctx context.Context, path, dir, filter string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	config, err := os.CreateTemp(dir, "nginx*.conf")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(config, `daemon off; master_process off; pid %[1]s.pid; error_log stderr crit;
events {}
http { access_log off; keepalive_requests 1000000; sendfile on; types { text/html html; }
client_body_temp_path %[2]s/b; proxy_temp_path %[2]s/p; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
server { listen %[3]s; root %[2]s; %[4]s } }
`, config.Name(), dir, addr, filter)
	if err := config.Close(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-c", config.Name())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &process{url: "http://" + addr, pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}}
	for range 200 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return s, conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("nginx does not come up on %s", addr)
}
