package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// wire is the provider's API for the real client, as far as a bubble of
// synctest allows: everything but TCP.
type wire struct {
	mu       sync.Mutex
	list     []map[string]any // what GET /interviews lists
	script   []answer         // for the next requests
	requests []*http.Request
	hint     int // where the last page ended
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

// asked are the requests so far, and forgets them.
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
	return listAnswer(len(rest) > len(page), page...)(r)
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

// interviewJSON is an interview as the provider shows it, changed by pairs.
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

// interviewList is n interviews, newest first, step apart.
func interviewList(n int, step time.Duration) (list []map[string]any) {
	for i := range n {
		at := time.Now().UTC().Add(-time.Duration(i) * step).Format(time.RFC3339Nano)
		list = append(list, interviewJSON(fmt.Sprintf("int-%05d", n-i), fmt.Sprintf("user_%d", n-i), "created_at", at))
	}
	return list
}

// clientBubble is a bubble whose provider is the real client over a wire.
type clientBubble struct {
	*bubble
	wire *wire
}

func withClient(opts webhook.Options, test func(b *clientBubble)) func(t *testing.T) {
	return func(t *testing.T) {
		w := &wire{}
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: w}, MaxRetries: -1, Logger: discard})
		require.NoError(t, err)
		opts.Interviews = client
		inBubble(t, opts, func(b *bubble) { test(&clientBubble{b, w}) })
	}
}

// transcriptCase receives one webhook while Run runs, lets the provider answer
// as scripted and then well, and says when there was nothing yet and when the
// transcript was there.
func transcriptCase(reason string, attempts int, early, late time.Duration, script ...answer) func(t *testing.T) {
	return withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "ada"))
		b.wire.next(script...)
		b.run()
		b.receive(interviewID, "ada")
		b.wait(early)
		require.False(b.t, b.stored(), "stored too early")
		if jobs := b.jobs(false); reason != "" {
			require.Len(b.t, jobs, 1)
			require.Equal(b.t, reason, jobs[0].Reason)
			require.Equal(b.t, attempts, jobs[0].Attempts)
		}
		b.wait(late - early)
		require.True(b.t, b.stored(), "stored too late")
		require.Empty(b.t, b.jobs(false))
	})
}

func (b *clientBubble) reconcile() { require.NoError(b.t, b.Reconcile(b.t.Context())) }

// cursors are the starting_after of the requests so far.
func (b *clientBubble) cursors() (list []string) {
	for _, r := range b.wire.asked() {
		list = append(list, r.URL.Query().Get("starting_after"))
	}
	return list
}

// clientVectors are the tests of the vectors that are told in words.
var clientVectors = map[string]func(t *testing.T){
	"M01": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		want := interviewJSON(interviewID, "ada")
		b.wire.add(want)
		b.run()
		b.receive(interviewID, "ada")
		b.receive(interviewID, "ada")
		b.wait(time.Minute)
		got, err := b.store.Transcript(b.t.Context(), interviewID)
		require.NoError(b.t, err)
		raw, err := json.Marshal(want)
		require.NoError(b.t, err)
		require.Equal(b.t, string(raw), string(got.Body), "byte for byte")
		require.Empty(b.t, b.jobs(false))
		require.Len(b.t, b.wire.asked(), 1)
	}),
	"M02": func(t *testing.T) {
		transcriptCase("not_ready", 1, time.Second/2, 20*time.Second, jsonAnswer(200, interviewJSON(interviewID, "ada", "status", "processing")))(t)
	},
	"M04": func(t *testing.T) {
		t.Run("twice", transcriptCase("not_found", 1, time.Second/2, time.Minute, jsonAnswer(404, nil), jsonAnswer(404, nil)))
		t.Run("for a day", withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
			b.run()
			b.receive(interviewID, "ada")
			b.wait(23 * time.Hour)
			require.Len(b.t, b.jobs(false), 1)
			b.wait(3 * time.Hour)
			require.Empty(b.t, b.jobs(false))
			require.Len(b.t, b.jobs(true), 1)
			require.Equal(b.t, "not_found", b.jobs(true)[0].Reason)
		}))
	},
	"M05": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		for range 20 {
			b.wire.next(jsonAnswer(401, nil))
		}
		b.run()
		b.receive(interviewID, "ada")
		b.receive("int-2", "bob")
		b.wait(30 * time.Minute)
		require.Less(b.t, len(b.wire.asked()), 10, "paused")
		require.Equal(b.t, 1, strings.Count(b.log.String(), "refuses the API key"))
		for _, j := range b.jobs(false) {
			require.Zero(b.t, j.Attempts)
		}
		b.receive("int-3", "eve")
		require.Equal(b.t, 3, b.recorded())
	}),
	"M06": transcriptCase("rate_limited", 0, 17*time.Second-1, 45*time.Second, jsonAnswer(429, nil, "Retry-After", "17")),
	"M07": func(t *testing.T) {
		transcriptCase("rate_limited", 0, 59*time.Second, 90*time.Second, func(r *http.Request) (*http.Response, error) {
			return jsonAnswer(429, nil, "Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))(r)
		})(t)
	},
	"M09": transcriptCase("unavailable", 1, time.Second/2, 3*time.Minute, jsonAnswer(500, nil), jsonAnswer(502, nil), jsonAnswer(503, nil), jsonAnswer(504, nil)),
	"M10": func(t *testing.T) {
		t.Run("gives up at ten seconds", transcriptCase("unavailable", 1, 10*time.Second+1, 40*time.Second, noAnswer))
		t.Run("and not before", transcriptCase("", 0, 10*time.Second-1, 40*time.Second, noAnswer))
	},
	"M11": transcriptCase("bad_answer", 1, time.Second/2, 20*time.Second, textAnswer(200, "text/html", "<!doctype html><title>Log in</title>")),
	"M12": transcriptCase("bad_answer", 1, time.Second/2, 20*time.Second, textAnswer(200, "application/json", `{"id":"`+interviewID)),
	"M13": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		body := &countingReader{left: 50 << 20}
		b.wire.next(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
		})
		b.run()
		b.receive(interviewID, "ada")
		synctest.Wait()
		require.Len(b.t, b.jobs(true), 1)
		require.Equal(b.t, "too_large", b.jobs(true)[0].Reason)
		require.LessOrEqual(b.t, body.read, 16<<20+1)
	}),
	"M15": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.next(textAnswer(302, "text/plain", "", "Location", "https://evil.example/steal"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Second / 2)
		for _, r := range b.wire.asked() {
			require.Equal(b.t, "app.userjourneys.ai", r.URL.Host)
		}
		require.False(b.t, b.stored())
		require.Len(b.t, b.jobs(false), 1)
	}),
	"M17": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "ada"))
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: b.wire}, Logger: discard})
		require.NoError(b.t, err)
		other, err := webhook.NewHandler(secret, b.store, &webhook.Options{Interviews: client, ReconcileEvery: -1, Logger: discard})
		require.NoError(b.t, err)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		go func() { _ = other.Run(ctx) }()
		b.receive(interviewID, "ada")
		b.run()
		b.wait(time.Hour)
		require.True(b.t, b.stored())
		require.Len(b.t, b.wire.asked(), 1)
	}),
	"M18": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "bob"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Minute)
		require.True(b.t, b.stored())
		require.Equal(b.t, "ada", b.completion(interviewID).UserID)
		require.Contains(b.t, b.log.String(), "names another user")
		require.NotContains(b.t, b.log.String(), "ada")
		require.NotContains(b.t, b.log.String(), "bob")
	}),
	"M19": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "ada"))
		b.run()
		e := webhooktest.Completed("ada")
		e.Data.InterviewID, e.Data.QualityScore = interviewID, nil
		b.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
		require.Empty(b.t, b.completion(interviewID).Quality)
		b.wait(time.Minute)
		require.Equal(b.t, "insightful", b.completion(interviewID).Quality)
	}),
	"M20": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.next(func(r *http.Request) (*http.Response, error) {
			require.NoError(b.t, b.store.Erase(b.t.Context(), "ada"))
			return jsonAnswer(200, interviewJSON(interviewID, "ada"))(r)
		})
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Hour)
		require.False(b.t, b.stored())
		require.Empty(b.t, b.jobs(false))
		require.Empty(b.t, b.jobs(true))
	}),

	"N01": withClient(webhook.Options{References: resolver{}}, func(b *clientBubble) {
		b.wire.add(interviewJSON("int-1", "user_1"), interviewJSON("int-2", "forged"), interviewJSON("int-3", "user_3"))
		b.reconcile()
		require.Equal(b.t, 3, b.recorded())
		require.Equal(b.t, "user_1", b.completion("int-1").UserID)
		require.Empty(b.t, b.completion("int-2").UserID, "the references are read as in a webhook")
		require.Len(b.t, b.jobs(false), 3)
	}),
	"N02": withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(250, time.Minute)
		b.wire.add(list...)
		b.reconcile()
		require.Equal(b.t, []string{"", list[99]["id"].(string), list[199]["id"].(string)}, b.cursors())
		require.Equal(b.t, 250, b.recorded())
	}),
	"N03": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.next(listAnswer(true, interviewJSON("int-1", "ada")), listAnswer(true))
		require.ErrorIs(b.t, b.Reconcile(b.t.Context()), userjourneys.ErrBadAnswer)
		require.Len(b.t, b.wire.asked(), 2)
		b.wire.add(interviewList(200, 10*time.Hour)...)
		b.reconcile()
		require.Equal(b.t, 201, b.recorded(), "the watermark did not move: the next run sees all")
	}),
	"N05": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewList(1000, time.Hour)...)
		b.reconcile()
		require.Len(b.t, b.cursors(), 10, "the first run sees everything")
		b.reconcile()
		require.Len(b.t, b.cursors(), 1, "then 72 hours are enough")
	}),
	"N08": func(t *testing.T) {
		statuses := []int{400, 404}
		if testing.Short() {
			statuses = statuses[:1]
		}
		for _, status := range statuses {
			t.Run(strconv.Itoa(status), withClient(webhook.Options{}, func(b *clientBubble) {
				list := interviewList(5100, time.Minute)
				b.wire.add(list...)
				b.reconcile()
				b.wire.asked()
				b.wire.next(jsonAnswer(status, nil))
				b.reconcile()
				cursors := b.cursors()
				require.Equal(b.t, []string{list[4999]["id"].(string), ""}, cursors[:2])
				b.reconcile()
				require.Equal(b.t, 5100, b.recorded())
				b.wire.asked()
				b.wire.next(jsonAnswer(status, nil))
				require.Error(b.t, b.Reconcile(b.t.Context()), "from the top it is a failure")
			}))
		}
	},
	"N09": withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(250, time.Minute)
		b.wire.add(list...)
		b.wire.next(b.wire.serve, func(r *http.Request) (*http.Response, error) {
			b.wire.mu.Lock()
			b.wire.list = slices.Insert(b.wire.list, 0, interviewJSON("new", "zoe"))
			b.wire.mu.Unlock()
			return listAnswer(true, append(list[99:100:100], list[100:199]...)...)(r) // pages that are cut by number repeat one
		})
		b.reconcile()
		require.Equal(b.t, 250, b.recorded())
		b.reconcile()
		require.Equal(b.t, 251, b.recorded(), "the next run sees what came meanwhile")
	}),
	"N10": withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(250, time.Minute)
		b.wire.add(list...)
		b.wire.next(b.wire.serve, jsonAnswer(429, nil, "Retry-After", "20"))
		begun := time.Now()
		b.reconcile()
		require.Equal(b.t, 20*time.Second, time.Since(begun))
		require.Equal(b.t, []string{"", list[99]["id"].(string), list[99]["id"].(string), list[199]["id"].(string)}, b.cursors())
		require.Equal(b.t, 250, b.recorded())
	}),
	"N11": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewList(250, time.Hour)...)
		ctx, crash := context.WithCancel(b.t.Context())
		b.wire.next(b.wire.serve, func(*http.Request) (*http.Response, error) {
			crash()
			return nil, errors.New("test: the process is gone")
		})
		require.Error(b.t, b.Reconcile(ctx))
		require.Equal(b.t, 100, b.recorded())
		b.wire.asked()
		b.reconcile()
		require.Len(b.t, b.cursors(), 3, "from the top, to the end")
		require.Equal(b.t, 250, b.recorded())
	}),
	"N12": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewJSON("int-1", "ada", "status", "started"), interviewJSON("int-2", "bob"))
		b.reconcile()
		require.Equal(b.t, 1, b.recorded())
	}),
	"N14": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewList(250, time.Minute)...)
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: b.wire}, Logger: discard})
		require.NoError(b.t, err)
		other, err := webhook.NewHandler(secret, b.store, &webhook.Options{Interviews: client, Studies: []string{studyID}, Logger: discard})
		require.NoError(b.t, err)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		go func() { _ = other.Run(ctx) }()
		b.run()
		b.wait(5 * time.Minute)
		require.Equal(b.t, 250, b.recorded())
		lists := slices.DeleteFunc(b.wire.asked(), func(r *http.Request) bool { return r.URL.Path != "/api/v1/interviews" })
		require.LessOrEqual(b.t, len(lists), 6, "three pages each at most, at start")
		b.wait(time.Hour)
		lists = slices.DeleteFunc(b.wire.asked(), func(r *http.Request) bool { return r.URL.Path != "/api/v1/interviews" })
		require.InDelta(b.t, 6*3, len(lists), 6, "then one of the two")
	}),
	"N15": func(t *testing.T) {
		for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute, -100 * time.Hour} {
			t.Run(off.String(), withClient(webhook.Options{}, func(b *clientBubble) {
				list := interviewList(300, time.Hour)
				for _, i := range list {
					at, err := time.Parse(time.RFC3339Nano, i["created_at"].(string))
					require.NoError(b.t, err)
					i["created_at"] = at.Add(off).Format(time.RFC3339Nano)
				}
				b.wire.add(list...)
				b.reconcile()
				b.wire.asked()
				b.reconcile()
				require.Len(b.t, b.cursors(), 1, "the look-back is by the provider's clock")
			}))
		}
	},
	"N16": func(t *testing.T) {
		w := &wire{}
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: w}})
		require.NoError(t, err)
		for range client.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: studyID, PageSize: 500}) {
			t.Fatal("the list is empty")
		}
		require.Equal(t, "100", w.asked()[0].URL.Query().Get("limit"))
	},
	"N17": func(t *testing.T) {
		_, err := webhook.NewHandler(secret, store.NewMemory(), &webhook.Options{Interviews: &fakeInterviews{}})
		require.ErrorContains(t, err, "Studies")
	},
	"N18": withClient(webhook.Options{ReconcileEvery: time.Hour}, func(b *clientBubble) {
		const n = 50_000
		b.wire.add(interviewList(n, time.Second)...)
		b.reconcile()
		require.Len(b.t, b.cursors(), 50, "bounded")
		require.Equal(b.t, 5000, b.recorded())
		b.reconcile()
		require.Equal(b.t, "int-45001", b.cursors()[0], "resumed")
	}),

	"O01": func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := &registrar{fails: []error{nil, errors.New("test: network"), errors.New("test: network"), status(503, 0)}, exists: true}
			h, log := rotating(t)
			var saved string
			begun := time.Now()
			require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
			require.Equal(t, r.secret, saved)
			require.Equal(t, []string{"delete", "put", "put", "put", "put"}, r.calls)
			require.Less(t, time.Since(begun), 10*time.Second)
			require.Equal(t, 1, strings.Count(log.String(), "no webhook exists"))
		})
		synctest.Test(t, func(t *testing.T) { // for ever
			r := &registrar{always: errors.New("test: network")}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			h, _ := rotating(t)
			r.fails = []error{nil}
			err := h.Rotate(ctx, r, hookURL, neverSaved(t))
			require.ErrorContains(t, err, "no webhook exists now")
		})
	},
	"O02": func(t *testing.T) {
		h, _ := rotating(t)
		r := &registrar{created: func(r *registrar) { r.exists = true }} // somebody else creates it first
		require.ErrorIs(t, h.Rotate(t.Context(), r, hookURL, neverSaved(t)), webhook.ErrNotRotated)
		require.Equal(t, http.StatusOK, post(h, []byte(`{"event":"x"}`), webhooktest.Sign(secret, []byte(`{"event":"x"}`))), "the old secret stays")
	},
	"O04": withClient(webhook.Options{}, func(b *clientBubble) {
		e := webhooktest.Completed("ada")
		e.Data.InterviewID = interviewID
		b.run()
		rec := httptest.NewRecorder()
		b.ServeHTTP(rec, webhooktest.NewRequest(previous, e)) // it stands for the new one here
		require.Equal(b.t, http.StatusUnauthorized, rec.Code)
		require.Zero(b.t, b.recorded())
		b.wire.add(interviewJSON(interviewID, "ada"))
		require.NoError(b.t, b.Rotate(b.t.Context(), &registrar{exists: true}, hookURL, func(context.Context, string) error { return nil }))
		b.wait(time.Minute + time.Second)
		require.Equal(b.t, 1, b.recorded(), "Run reconciles soon after a rotation")
	}),
	"O05": func(t *testing.T) { oldSecretAfter(t, 24*time.Hour-time.Second, http.StatusOK) },
	"O06": func(t *testing.T) { oldSecretAfter(t, 24*time.Hour+time.Second, http.StatusUnauthorized) },
	"O08": func(t *testing.T) {
		s := store.NewMemory()
		a, err := webhook.NewHandler(secret, s, &webhook.Options{Logger: discard})
		require.NoError(t, err)
		b, err := webhook.NewHandler(secret, s, &webhook.Options{Logger: discard})
		require.NoError(t, err)
		r := &registrar{exists: true}
		saving := func(ctx context.Context, _ string) error {
			require.ErrorIs(t, b.Rotate(ctx, r, hookURL, neverSaved(t)), webhook.ErrRotating)
			return nil
		}
		require.NoError(t, a.Rotate(t.Context(), r, hookURL, saving))
		require.Equal(t, []string{"delete", "put"}, r.calls)
		require.NoError(t, b.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return nil }), "the lease is given back")
	},
}

const hookURL = "https://app.example/webhooks/userjourneys"

type countingReader struct{ left, read int }

func (c *countingReader) Read(p []byte) (int, error) {
	n := min(len(p), c.left)
	if n == 0 {
		return 0, io.EOF
	}
	c.left, c.read = c.left-n, c.read+n
	return n, nil
}

// registrar is the provider's side of a rotation.
type registrar struct {
	exists  bool
	secret  string
	fails   []error // of the next calls; nil: it works
	always  error   // of those after
	lost    bool    // a failing creation has worked all the same
	created func(r *registrar)
	calls   []string
}

func (r *registrar) fail() (err error) {
	if err = r.always; len(r.fails) > 0 {
		err, r.fails = r.fails[0], r.fails[1:]
	}
	return err
}

func (r *registrar) DeleteWebhook(context.Context) error {
	r.calls = append(r.calls, "delete")
	if err := r.fail(); err != nil {
		return err
	}
	if !r.exists {
		return status(404, 0)
	}
	r.exists = false
	return nil
}

func (r *registrar) PutWebhook(_ context.Context, w userjourneys.Webhook) (userjourneys.Webhook, error) {
	r.calls = append(r.calls, "put")
	if err := r.fail(); err != nil {
		r.exists = r.exists || r.lost
		return userjourneys.Webhook{}, err
	}
	if r.created != nil {
		r.created(r)
	}
	if r.exists {
		return w, nil
	}
	r.exists = true
	r.secret = fmt.Sprintf("whsec_%032d", len(r.calls))
	w.SigningSecret = r.secret
	return w, nil
}

func rotating(t *testing.T) (*webhook.Handler, *bytes.Buffer) {
	log, logger := newLog()
	h, err := webhook.NewHandler(secret, store.NewMemory(), &webhook.Options{Logger: logger})
	require.NoError(t, err)
	return h, log
}

func neverSaved(t *testing.T) func(context.Context, string) error {
	return func(context.Context, string) error {
		t.Error("there is no secret to save")
		return nil
	}
}

// oldSecretAfter rotates, and sends what was signed with the old secret later.
func oldSecretAfter(t *testing.T, d time.Duration, want int) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := rotating(t)
		r := &registrar{exists: true}
		require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return nil }))
		time.Sleep(d)
		body := []byte(`{"event":"other"}`)
		require.Equal(t, want, post(h, body, webhooktest.Sign(secret, body)))
		require.Equal(t, http.StatusOK, post(h, body, webhooktest.Sign(r.secret, body)), "the new one counts at once and for good")
	})
}

func TestVectorsClient(t *testing.T) {
	t.Parallel()
	for _, c := range loadVectors(t).Client {
		if c.Area == "seal" {
			continue // of sealed references, which the gate makes and reads
		}
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "client")
			test := clientVectors[c.ID]
			require.NotNil(t, test, "no test for: %s -> %s", c.Given, c.Expect)
			test(t)
		})
	}
}
