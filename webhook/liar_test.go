package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// kind is what goes wrong with an interview, at the provider or in the app.
type kind string

const (
	plain         kind = "plain"
	emptyAtFirst  kind = "the transcript is empty at first"
	readyLate     kind = "the transcript is ready after 26 hours"
	scoredLate    kind = "unsuccessful, which the provider says an hour later"
	unsuccessful  kind = "unsuccessful"
	numbered      kind = "the reference is a number"
	fromTomorrow  kind = "created three days from now"
	forbiddenOne  kind = "the detail answers 403"
	oddQuality    kind = "the policy panics for its quality"
	oddReference  kind = "the references panic for its reference"
	refusedByDB   kind = "the store refuses it"
	panickingHook kind = "the hook panics for it"
	slowHook      kind = "the hook takes ten minutes"
)

var kinds = []kind{plain, emptyAtFirst, readyLate, scoredLate, unsuccessful, numbered, fromTomorrow, forbiddenOne, oddQuality, oddReference, refusedByDB, panickingHook, slowHook}

// lied is an interview of the liar.
type lied struct {
	id, study, user string
	kind            kind
	at              time.Time
}

func (l lied) quality(now time.Time) any {
	switch l.kind {
	case oddQuality:
		return "excellent"
	case unsuccessful:
		return "unsuccessful"
	case scoredLate:
		if now.Sub(l.at) < time.Hour {
			return nil
		}
		return "unsuccessful"
	}
	return "insightful"
}

func (l lied) reference() any {
	if l.kind == numbered {
		return 31337
	}
	return l.user
}

// item returns the interview as the provider shows it now.
func (l lied) item(now time.Time, detail bool) map[string]any {
	created := l.at.Add(-10 * time.Minute)
	if l.kind == fromTomorrow {
		created = l.at.Add(72 * time.Hour)
	}
	out := map[string]any{
		"id": l.id, "study_id": l.study, "status": "completed", "reference_id": l.reference(), "quality_score": l.quality(now), "language": "en",
		"completed_at": l.at.Format(time.RFC3339Nano), "created_at": created.Format(time.RFC3339Nano),
	}
	if detail {
		out["transcript"] = []any{map[string]any{"role": "user", "text": "hello"}}
		switch age := now.Sub(l.at); {
		case l.kind == emptyAtFirst && age < 5*time.Minute:
			out["transcript"] = []any{nil, []any{}, "", map[string]any{}, map[string]any{"turns": []any{}}}[len(l.id)%5]
		case l.kind == readyLate && age < 26*time.Hour:
			out["status"] = "processing"
		}
	}
	return out
}

// liar is a provider that lies, over HTTP without TCP. It has a quota of ten pages
// in fifteen minutes, odd items, flags that are missing or strings, empty pages that
// claim more, rows that are deleted during a walk, failing requests, and hours in
// which it refuses the key.
type liar struct {
	mu      sync.Mutex
	rng     *rand.Rand
	list    []lied // newest first
	paused  map[string]bool
	refuses bool // the key
	honest  bool

	window time.Time
	pages  int
	lies   int // told
}

func (l *liar) add(i lied) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.Insert(l.list, 0, i)
}

func (l *liar) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// lie reports whether to lie now, one time in n.
func (l *liar) lie(n int) bool {
	if l.honest || l.rng.IntN(n) > 0 {
		return false
	}
	l.lies++
	return true
}

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reply := func(status int, v any, header ...string) (*http.Response, error) {
		return jsonAnswer(status, v, header...)(r)
	}
	switch {
	case l.refuses:
		return reply(401, nil)
	case l.lie(20):
		switch l.rng.IntN(4) {
		case 0:
			return nil, io.ErrUnexpectedEOF
		case 1:
			return reply(503, nil)
		case 2:
			return textAnswer(200, "text/html", "<title>Log in</title>")(r)
		}
		return reply(404, nil)
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	switch {
	case path == "/studies":
		var items []any
		for _, id := range []string{onboarding, staging} {
			if !l.paused[id] {
				items = append(items, map[string]any{"id": id, "name": "Study " + id[35:], "accepting_responses": true})
			}
		}
		return reply(200, map[string]any{"object": "list", "data": items, "has_more": false})
	case path == "/interviews":
		return l.page(r, reply)
	case strings.HasPrefix(path, "/interviews/"):
		id := strings.TrimPrefix(path, "/interviews/")
		n := slices.IndexFunc(l.list, func(i lied) bool { return i.id == id })
		if n < 0 {
			return reply(404, nil)
		}
		if l.list[n].kind == forbiddenOne {
			return reply(403, nil)
		}
		return reply(200, l.list[n].item(time.Now(), true))
	}
	return reply(404, nil)
}

func (l *liar) page(r *http.Request, reply func(int, any, ...string) (*http.Response, error)) (*http.Response, error) {
	if now := time.Now(); now.Sub(l.window) >= 15*time.Minute {
		l.window, l.pages = now, 0
	}
	if l.pages++; l.pages > 10 && !l.honest {
		if l.rng.IntN(2) == 0 {
			return reply(429, nil)
		}
		return reply(429, nil, "Retry-After", strconv.Itoa(int(time.Until(l.window.Add(15*time.Minute)).Seconds())+1))
	}
	q := r.URL.Query()
	var rest []lied
	for _, i := range l.list {
		if i.study == q.Get("study_id") {
			rest = append(rest, i)
		}
	}
	if after := q.Get("starting_after"); after != "" {
		n := slices.IndexFunc(rest, func(i lied) bool { return i.id == after })
		switch {
		case n >= 0:
			rest = rest[n+1:]
		case l.rng.IntN(2) == 0:
			return reply(400, nil)
		default:
			rest = nil
		}
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	limit = min(limit, 10) // so that there are many pages
	more := len(rest) > limit
	var items []any
	for _, i := range rest[:min(limit, len(rest))] {
		if l.lie(50) {
			items = append(items, []any{nil, map[string]any{"status": "completed"}, map[string]any{"id": 7}, "x"}[l.rng.IntN(4)])
		}
		items = append(items, i.item(time.Now(), false))
	}
	out := map[string]any{"object": "list", "data": items, "has_more": more}
	switch {
	case len(items) > 0 && !more && l.lie(3):
		out["has_more"] = true // but the next page is empty
	case l.lie(5):
		out["has_more"] = fmt.Sprint(more)
	case l.lie(5):
		delete(out, "data")
		out["interviews"] = items
	}
	return reply(200, out)
}

// delivery returns the body of the interview's delivery.
func (l lied) delivery() []byte {
	b, err := json.Marshal(map[string]any{"event": "interview.completed", "timestamp": l.at.Format(time.RFC3339Nano), "data": map[string]any{
		"interview_id": l.id, "study_id": l.study, "status": "completed", "completed_at": l.at.Format(time.RFC3339Nano),
		"quality_score": l.quality(l.at), "language": "en", "reference_id": l.reference(),
	}})
	if err != nil {
		panic(err)
	}
	return b
}
