package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// wire is the provider's API for the real client in a synctest bubble: everything but
// TCP.
type wire struct {
	mu       sync.Mutex
	list     []map[string]any // what GET /interviews lists
	script   []answer         // for the next requests
	requests []*http.Request
	hint     int // where the last page ended

	claimsMore bool // every page says that there is more
}

type answer func(r *http.Request) (*http.Response, error)

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.requests = append(w.requests, r)
	var next answer
	if len(w.script) > 0 {
		next, w.script = w.script[0], w.script[1:]
	}
	w.mu.Unlock()
	if next == nil {
		next = w.serve
	}
	return next(r)
}

func (w *wire) next(script ...answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.script = append(w.script, script...)
}

func (w *wire) add(items ...map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, items...)
}

// asked returns the requests so far and forgets them.
func (w *wire) asked() []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.requests
	w.requests = nil
	return asked
}

// serve answers both GETs as the provider documents them.
func (w *wire) serve(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := func(id string) int {
		if w.hint >= 0 && w.hint < len(w.list) && w.list[w.hint]["id"] == id {
			return w.hint
		}
		return slices.IndexFunc(w.list, func(i map[string]any) bool { return i["id"] == id })
	}
	id, one := strings.CutPrefix(r.URL.Path, "/api/v1/interviews/")
	if one {
		if n := at(id); n >= 0 {
			return jsonAnswer(200, w.list[n])(r)
		}
		return jsonAnswer(404, nil)(r)
	}
	q := r.URL.Query()
	rest := w.list
	if after := q.Get("starting_after"); after != "" {
		n := at(after)
		if n < 0 {
			return jsonAnswer(400, nil)(r)
		}
		rest = rest[n+1:]
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	page := rest[:min(limit, len(rest))]
	w.hint = len(w.list) - len(rest) + len(page) - 1
	return listAnswer(len(rest) > len(page) || w.claimsMore, page...)(r)
}

func textAnswer(status int, contentType, body string, header ...string) answer {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {contentType}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func jsonAnswer(status int, v any, header ...string) answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return textAnswer(status, "application/json", string(b), header...)
}

func listAnswer(more bool, items ...map[string]any) answer {
	return jsonAnswer(200, map[string]any{"object": "list", "data": append([]map[string]any{}, items...), "has_more": more})
}

func noAnswer(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// interviewJSON returns an interview as the provider shows it, with fields replaced by
// the pairs.
func interviewJSON(id, reference string, changes ...any) map[string]any {
	now := time.Now().UTC()
	i := map[string]any{
		"id": id, "object": "interview", "study_id": studyID, "status": "completed", "reference_id": reference, "quality_score": "insightful",
		"completed_at": now.Format(time.RFC3339Nano), "created_at": now.Add(-10 * time.Minute).Format(time.RFC3339Nano),
		"transcript": []any{map[string]any{"role": "user", "text": "hello"}},
	}
	for n := 0; n < len(changes); n += 2 {
		i[changes[n].(string)] = changes[n+1]
	}
	return i
}

// interviewList returns n interviews, newest first, step apart.
func interviewList(n int, step time.Duration) (list []map[string]any) {
	for i := range n {
		at := time.Now().UTC().Add(-time.Duration(i) * step).Format(time.RFC3339Nano)
		list = append(list, interviewJSON(fmt.Sprintf("int-%05d", n-i), fmt.Sprintf("user_%d", n-i), "created_at", at))
	}
	return list
}

// clientBubble is a bubble that uses the real client over a wire.
type clientBubble struct {
	*bubble
	wire *wire
}

func withClient(opts webhook.Options, test func(b *clientBubble)) func(t *testing.T) {
	return func(t *testing.T) {
		w := &wire{}
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: w}, MaxRetries: -1, Logger: discard})
		require.NoError(t, err)
		opts.Client = client
		inBubble(t, opts, func(b *bubble) { test(&clientBubble{b, w}) })
	}
}

func (b *clientBubble) reconcile() { require.NoError(b.t, b.Reconcile(b.t.Context())) }

// cursors returns the starting_after of the requests so far.
func (b *clientBubble) cursors() (list []string) {
	for _, r := range b.wire.asked() {
		list = append(list, r.URL.Query().Get("starting_after"))
	}
	return list
}
