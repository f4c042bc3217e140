package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/askonce/askonce/examples/bench/report"
)

// servedSizes are the pages that are served over loopback.
var servedSizes = map[string]int{"4KB": 4 << 10, "64KB": 64 << 10, "1MB": 1 << 20}

// served are the servers by name. Each runs in a process of its own. A piece is the size
// of one Write, 0 for the whole page.
var served = map[string]func(body []byte, piece int) (http.Handler, error){
	"bare":      func(body []byte, piece int) (http.Handler, error) { return writePage(body, piece), nil },
	"completed": func(body []byte, piece int) (http.Handler, error) { return wrap(writePage(body, piece), "bob") },
	"asked":     func(body []byte, piece int) (http.Handler, error) { return wrap(writePage(body, piece), "ada") },
	"byhand":    writePrompt,
	"LastIndex": func(body []byte, piece int) (http.Handler, error) {
		return buffered(writePage(body, piece), lastIndex), nil
	},
	"parse": func(body []byte, piece int) (http.Handler, error) {
		return buffered(writePage(body, piece), parse), nil
	},
}

func writePage(body []byte, piece int) http.Handler {
	if piece == 0 {
		return writeWhole(body)
	}
	return writePieces(body, piece)
}

// server compares the processor time that a whole server spends on a request.
func server(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "A page with the prompt",
		Text: "Processor time of the server's process for one request over loopback, keep-alive. Each server has one processor, and the client another. By hand\n" +
			"is a handler that writes the page and the same prompt itself, without deciding anything: that is the lower limit. LastIndex is what most\n" +
			"hand-written injectors do: collect the page and search it for `</body>`, which it also finds in a user's text. x/net/html parses and renders the\n" +
			"page. nginx's `sub_filter` is compared with the same nginx without it.",
	}
	defer pin(os.Getpid(), "1")()
	for _, size := range []string{"4KB", "64KB", "1MB"} {
		if e.quick && size != "4KB" {
			continue
		}
		for _, piece := range []int{0, 64} {
			groups, err := serveSize(ctx, e, size, piece)
			p.Groups = append(p.Groups, groups...)
			if err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

func serveSize(ctx context.Context, e effort, size string, piece int) ([]report.Group, error) {
	var all []*process
	defer func() {
		for _, s := range all {
			s.stop()
		}
	}()
	for _, c := range []struct {
		name, serve string
		ours        bool
	}{
		{"by hand", "byhand", false}, {"askonce", "asked", true}, {"askonce, user has completed: no prompt", "completed", true},
		{"the page alone", "bare", false}, {"buffer and LastIndex", "LastIndex", false}, {"x/net/html Parse and Render", "parse", false},
	} {
		s, err := startChild(ctx, c.serve, size, piece)
		if err != nil {
			return nil, err
		}
		s.name, s.ours = c.name, c.ours
		all = append(all, s)
	}
	writes := "one Write"
	if piece > 0 {
		writes = fmt.Sprintf("%d-byte Writes", piece)
	}
	g, err := cpu(e, size+" page, "+writes, all)
	g.Chart = size == "64KB"
	groups := []report.Group{g}
	if err != nil || piece > 0 {
		return groups, err
	}
	g, ok, err := nginx(ctx, e, size)
	if ok {
		groups = append(groups, g)
	}
	return groups, err
}

// process is a server that runs beside this program.
type process struct {
	name string
	url  string
	pid  int
	ours bool
	stop func()
}

// pin binds the threads of a process to a processor and returns a func that undoes it:
// a server whose threads move costs twice as much in one round as in the next. The
// servers get the first processor, and the client the second. Without a second one, or
// without taskset, pin does nothing, and the spread is larger.
func pin(pid int, processor string) (undo func()) {
	id := strconv.Itoa(pid)
	now, err := exec.Command("taskset", "-cp", id).Output() // "pid 7's current affinity list: 0,1"
	_, before, found := strings.Cut(strings.TrimSpace(string(now)), ": ")
	if runtime.NumCPU() == 1 || err != nil || !found {
		return func() {}
	}
	set := func(processors string) { _ = exec.Command("taskset", "-acp", processors, id).Run() }
	set(processor)
	return func() { set(before) }
}

const cpuTime = 100 * time.Millisecond // of one server in one round

// cpu sends requests to the servers in turn and reads the processor time that each used.
// The first round warms up and does not count.
func cpu(e effort, what string, servers []*process) (report.Group, error) {
	times, counts := make([][]float64, len(servers)), make([]int, len(servers))
	for i, s := range servers {
		t, err := s.serve(20)
		if err != nil {
			return report.Group{}, err
		}
		counts[i] = min(max(10, int(float64(cpuTime)/t)), 5000)
	}
	for range e.rounds + 1 {
		for i, s := range servers {
			t, err := s.serve(counts[i])
			if err != nil {
				return report.Group{}, err
			}
			times[i] = append(times[i], t)
		}
	}
	g := report.Group{What: what}
	for i, s := range servers {
		r := row(times[i][1:], times[0][1:])
		r.Name, r.Ours, r.Allocs = s.name, s.ours, -1
		g.Rows = append(g.Rows, r)
	}
	return g, nil
}

// serve sends n requests and returns the processor time of one in nanoseconds.
func (s *process) serve(n int) (float64, error) {
	before, err := used(s.pid)
	if err != nil {
		return 0, err
	}
	if err := load(s, n); err != nil {
		return 0, err
	}
	after, err := used(s.pid)
	return float64(after-before) / float64(n), err
}

// load sends n requests on one connection and reads every byte.
func load(s *process, n int) error {
	r := request()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	head := fmt.Sprintf("GET / HTTP/1.1\r\nHost: bench\r\nAccept: %s\r\nSec-Fetch-Dest: document\r\n\r\n", r.Header.Get("Accept"))
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

// used returns the processor time that all threads of a process have used so far.
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
func startChild(ctx context.Context, name, size string, piece int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", // no threads that look for work
		fmt.Sprintf("%s=%s %s %d", childVariable, name, size, piece))
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
	pin(cmd.Process.Pid, "0")
	return &process{url: strings.TrimSpace(url), pid: cmd.Process.Pid, stop: stop}, nil
}

// serveChild serves until the parent is gone if this process is a child. Otherwise it
// returns false.
func serveChild() bool {
	var name, size string
	var piece int
	if _, err := fmt.Sscan(os.Getenv(childVariable), &name, &size, &piece); err != nil {
		return false
	}
	h, err := served[name](page(servedSizes[size]), piece)
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

// nginx compares nginx's sub_filter with plain nginx, if nginx is installed.
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
	if err := os.WriteFile(filepath.Join(dir, "index.html"), page(servedSizes[size]), 0o644); err != nil {
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
	g, err = cpu(e, "nginx, "+size+" page", both)
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
	pin(s.pid, "0")
	for range 200 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return s, conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("nginx does not come up on %s", addr)
}

// snippet has about the length of a prompt.
var snippet = bytes.Repeat([]byte("<p>prompt</p>"), 200)

// buffered collects the page and sends it on through change.
func buffered(next http.Handler, change func(w io.Writer, page *bytes.Buffer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &collector{ResponseWriter: w}
		next.ServeHTTP(c, r)
		w.Header().Del("Content-Length")
		change(w, &c.page)
	})
}

type collector struct {
	http.ResponseWriter
	page bytes.Buffer
}

func (c *collector) Write(p []byte) (int, error) { return c.page.Write(p) }

func lastIndex(w io.Writer, page *bytes.Buffer) {
	b := page.Bytes()
	at := bytes.LastIndex(b, []byte("</body>"))
	if at < 0 {
		at = len(b)
	}
	for _, part := range [][]byte{b[:at], snippet, b[at:]} {
		_, _ = w.Write(part)
	}
}

func parse(w io.Writer, page *bytes.Buffer) {
	doc, err := html.Parse(page)
	if err != nil {
		return
	}
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Body {
			n.AppendChild(&html.Node{Type: html.RawNode, Data: string(snippet)})
			break
		}
	}
	_ = html.Render(w, doc)
}
