//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

// server is this program once more, so that the processor time of the client is
// not counted, and the connections to it.
type server struct {
	conns  []*connection
	pinned bool
	stop   func()
}

func startServer(conns int) (s *server, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-serve")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // no threads that look for work
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
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
	s = &server{stop: func() { _ = stdin.Close(); _ = cmd.Wait() }}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	var addr string
	if _, err := fmt.Fscan(stdout, &addr); err != nil {
		return nil, err
	}
	s.pinned = runtime.NumCPU() > 1 && pin(cmd.Process.Pid, 0) == nil && pin(os.Getpid(), 1) == nil
	for range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		s.conns = append(s.conns, &connection{Conn: conn, r: bufio.NewReaderSize(conn, 64<<10)})
	}
	return s, nil
}

func pin(pid, cpu int) error {
	return exec.Command("taskset", "-acp", strconv.Itoa(cpu), strconv.Itoa(pid)).Run()
}

// turn sends a turn's requests and returns the server's processor time for each,
// in nanoseconds.
func (s *server) turn(v variant, c measured) (float64, error) {
	before, err := s.cpuTime()
	if err != nil {
		return 0, err
	}
	errs := make(chan error, len(s.conns))
	each := (c.requests + len(s.conns) - 1) / len(s.conns)
	for _, conn := range s.conns {
		go func() { errs <- conn.ask(v, c, each) }()
	}
	for range s.conns {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	after, err := s.cpuTime()
	return (after - before) / float64(each*len(s.conns)), err
}

// cpuTime is what the server has used so far. The kernel has it to the
// nanosecond: only how it divides between user and system goes by ticks.
func (s *server) cpuTime() (float64, error) {
	body, err := s.conns[0].get("/cpu")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(body), 64)
}

// connection is a client that costs little, for it shares the machine with the
// server.
type connection struct {
	net.Conn
	r    *bufio.Reader
	body bytes.Buffer
}

func (c *connection) ask(v variant, page measured, times int) error {
	for range times {
		body, err := c.get(v.path + page.path())
		if err != nil {
			return err
		}
		if bytes.Contains(body[max(0, len(body)-16<<10):], []byte("<aside")) != v.prompt {
			return fmt.Errorf("cpu: %s%s: with prompt: %v", v.path, page.path(), !v.prompt)
		}
	}
	return nil
}

// get returns a body that is good until the next call.
func (c *connection) get(path string) ([]byte, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n", path); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c.body.Reset()
	_, err = io.Copy(&c.body, resp.Body)
	return c.body.Bytes(), err
}
