package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
)

// firefox is a Firefox that is driven by WebDriver BiDi, for one test at a time.
type firefox struct {
	conn    *websocket.Conn
	context string // of the test's tab
	id      int
	stop    func()
}

// idle are the ones that no test uses: to start one takes longer than most tests.
var idle struct {
	sync.Mutex
	all []*firefox
}

var listening = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

var errNoFirefox = errors.New("no firefox: set ASKONCE_TEST_FIREFOX to its path")

func startFirefox(ctx context.Context) (*firefox, error) {
	path := os.Getenv("ASKONCE_TEST_FIREFOX")
	for _, name := range []string{"firefox-esr", "firefox"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		return nil, errNoFirefox
	}
	profile, err := os.MkdirTemp("", "askonce-firefox-")
	if err != nil {
		return nil, err
	}
	process := exec.Command(path, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile)
	stderr, err := process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	f := &firefox{stop: sync.OnceFunc(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		_ = os.RemoveAll(profile)
	})}
	var found []string
	for lines := bufio.NewReader(stderr); found == nil; {
		line, err := lines.ReadString('\n')
		if found = listening.FindStringSubmatch(line); found == nil && err != nil {
			f.stop()
			return nil, fmt.Errorf("firefox: exited before it listened: %w", err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }() // a full pipe would block it; ends with the process
	if err := f.connect(ctx, found[1]); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *firefox) connect(ctx context.Context, url string) (err error) {
	if f.conn, _, err = websocket.Dial(ctx, url+"/session", nil); err != nil {
		return fmt.Errorf("firefox: %w", err)
	}
	f.conn.SetReadLimit(64 << 20)
	return f.call(ctx, "session.new", map[string]any{"capabilities": map[string]any{}}, nil)
}

// open opens a tab in a fresh profile and returns what closes both.
func (f *firefox) open(ctx context.Context) (forget func() error, err error) {
	var profile struct{ UserContext string }
	if err := f.call(ctx, "browser.createUserContext", map[string]any{}, &profile); err != nil {
		return nil, err
	}
	var created struct{ Context string }
	err = f.call(ctx, "browsingContext.create", map[string]any{"type": "tab", "userContext": profile.UserContext}, &created)
	f.context = created.Context
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return f.call(ctx, "browser.removeUserContext", map[string]any{"userContext": profile.UserContext}, nil)
	}, err
}

// call sends one command and waits for its result. Events are not subscribed to.
func (f *firefox) call(ctx context.Context, method string, params map[string]any, result any) error {
	f.id++
	if err := wsjson.Write(ctx, f.conn, map[string]any{"id": f.id, "method": method, "params": params}); err != nil {
		return err
	}
	for {
		var answer struct {
			ID             int
			Error, Message string
			Result         json.RawMessage
		}
		if err := wsjson.Read(ctx, f.conn, &answer); err != nil {
			return err
		}
		if answer.ID != f.id {
			continue
		}
		if answer.Error != "" {
			return fmt.Errorf("firefox: %s: %s: %s", method, answer.Error, answer.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer.Result, result)
	}
}

// firefoxWindow is the window for one test.
type firefoxWindow struct {
	t testing.TB
	*firefox
}

// newFirefox opens a tab in a Firefox that no other test uses.
func newFirefox(t testing.TB) firefoxWindow {
	t.Helper()
	f, err := idleFirefox()
	if errors.Is(err, errNoFirefox) {
		skip(t, "%v", err)
	}
	require.NoError(t, err)
	forget, err := f.open(t.Context())
	t.Cleanup(func() {
		if t.Failed() || forget() != nil {
			f.stop()
			return
		}
		idle.Lock()
		defer idle.Unlock()
		idle.all = append(idle.all, f)
	})
	require.NoError(t, err)
	w := firefoxWindow{t, f}
	w.do("browsingContext.activate", map[string]any{}, nil) // a tab behind another one shows nobody anything
	return w
}

func idleFirefox() (*firefox, error) {
	idle.Lock()
	if last := len(idle.all) - 1; last >= 0 {
		defer idle.Unlock()
		f := idle.all[last]
		idle.all = idle.all[:last]
		return f, nil
	}
	idle.Unlock()
	return startFirefox(context.Background())
}

func (w firefoxWindow) do(method string, params map[string]any, result any) {
	w.t.Helper()
	params["context"] = w.context
	require.NoError(w.t, w.call(w.t.Context(), method, params, result))
}

func (w firefoxWindow) visit(url string) {
	w.t.Helper()
	w.do("browsingContext.navigate", map[string]any{"url": url, "wait": "complete"}, nil)
}

func (w firefoxWindow) resize(width, height int64) {
	w.t.Helper()
	w.do("browsingContext.setViewport", map[string]any{"viewport": map[string]any{"width": width, "height": height}}, nil)
}

func (w firefoxWindow) json(expression string, v any) {
	w.t.Helper()
	text, err := w.evaluate(expression)
	require.NoError(w.t, err)
	require.NoError(w.t, json.Unmarshal([]byte(text), v))
}

// evaluate returns as JSON what an expression, or the promise that it is, gives.
func (w firefoxWindow) evaluate(expression string) (string, error) {
	var got struct {
		Result           struct{ Value string }
		ExceptionDetails *struct{ Text string }
	}
	err := w.call(w.t.Context(), "script.evaluate", map[string]any{
		"expression":   `Promise.resolve(` + expression + `).then(JSON.stringify)`,
		"awaitPromise": true, "target": map[string]any{"context": w.context},
	}, &got)
	if err == nil && got.ExceptionDetails != nil {
		err = fmt.Errorf("firefox: %s", got.ExceptionDetails.Text)
	}
	return got.Result.Value, err
}

func (w firefoxWindow) eventually(expression string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		is, err := w.evaluate(expression) // an error while a page gives way to the next
		if err == nil && is == "true" {
			return
		}
		require.True(w.t, time.Now().Before(deadline), "not within %v: %s, but %s, %v", patience, expression, is, err)
	}
}

func (w firefoxWindow) picture() []byte {
	w.t.Helper()
	var got struct{ Data string }
	w.do("browsingContext.captureScreenshot", map[string]any{}, &got)
	png, err := base64.StdEncoding.DecodeString(got.Data)
	require.NoError(w.t, err)
	return png
}
