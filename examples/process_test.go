package examples_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs are the examples that share package site.
var programs = []string{"nethttp", "gin", "echo", "spa"}

var binaries string // a folder

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "askonce-examples-")
	if err != nil {
		panic(err)
	}
	binaries = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build builds all programs once. The tests restart processes because that is what
// users run.
var build = sync.OnceValues(func() (output []byte, err error) {
	args := []string{"build", "-ldflags=-s -w", "-o", binaries + string(os.PathSeparator)}
	if raceEnabled {
		args = append(args, "-race")
	}
	for _, name := range append([]string{"quickstart"}, programs...) {
		args = append(args, "./"+name)
	}
	return exec.Command("go", args...).CombinedOutput()
})

// process is a running example.
type process struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	out     bytes.Buffer // after the first line, which has the url
	logs    bytes.Buffer
	read    sync.WaitGroup
}

// startProcess starts an example with only env in its environment, and waits for
// the line with its URL.
func startProcess(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	output, err := build()
	require.NoError(t, err, "%s", output)
	p := &process{t: t, command: exec.Command(filepath.Join(binaries, program), args...)}
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	p.command.Dir = t.TempDir()
	p.command.Stderr = &p.logs
	out, err := p.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	t.Cleanup(func() { _ = p.command.Process.Kill() }) // it may have ended
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		_ = p.command.Wait()
		require.NoError(t, err, "%s", p.logs.String())
	}
	p.read.Go(func() { _, _ = p.out.ReadFrom(lines) })
	require.Regexp(t, `^open http://127\.0\.0\.1:\d+ `, first)
	p.url = strings.Fields(first)[1]
	require.Equal(t, http.StatusOK, newBrowser(t).get(p.url+"/healthz").status)
	return p
}

// stop interrupts the process and checks its log.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.command.Process.Signal(os.Interrupt))
	stuck := time.AfterFunc(30*time.Second, func() { _ = p.command.Process.Kill() })
	p.read.Wait()
	err := p.command.Wait()
	stuck.Stop()
	require.NoError(p.t, err, "%s", p.logs.String())
	requireDiscreet(p.t, p.logs.String())
	require.NotRegexp(p.t, `(ada|bob)-`, p.out.String(), "traces name no users")
}

// notDurable depends on the configuration of the Redis at hand.
const notDurable = "Redis is not configured to keep what is acknowledged"

// requireDiscreet checks that the logs of an undisturbed run are JSON, have the
// two lines of the server and one at the first success of each kind, nothing at
// Info per request, and at no level who the users are or what they have said.
func requireDiscreet(t *testing.T, logs string) {
	t.Helper()
	var told, firsts []string
	for line := range strings.Lines(logs) {
		var entry struct{ Level, Msg string }
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		switch {
		case entry.Level == "DEBUG", entry.Msg == notDurable:
		case strings.HasSuffix(entry.Msg, " in the console"): // the admin did it
		case strings.HasPrefix(entry.Msg, "askonce: first "):
			require.NotContains(t, firsts, entry.Msg, "a first time came twice")
			firsts = append(firsts, entry.Msg)
		default:
			told = append(told, entry.Level+" "+entry.Msg)
		}
	}
	require.Equal(t, []string{"INFO serving", "INFO stopping"}, told)
	require.NotRegexp(t, `(ada|bob)-|whsec_|uj_live_|sha256=|A friend told me`, logs)
}
