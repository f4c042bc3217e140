package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const (
	secret   = "whsec_5b69ff6a12af94c6e3901a061180ca73"
	previous = "whsec_00112233445566778899aabbccddeeff"
	studyID  = webhooktest.StudyID
)

// vectors are test cases as data; the file says where they come from.
type vectors struct {
	Signature []struct {
		ID       string  `json:"id"`
		KeyB64   string  `json:"key_b64"`
		BodyB64  string  `json:"body_b64"`
		BodyGen  bodyGen `json:"body_gen"`
		BodyLen  int     `json:"body_len"`
		BodySum  string  `json:"body_sha256"`
		HMAC     string  `json:"hmac_sha256_hex"`
		Header   string  `json:"header"`
		NotUnder string  `json:"must_not_verify_under"`
	} `json:"signature_vectors"`
	Request []struct {
		request
		ID       string `json:"id"`
		Category string `json:"category"`
		Secrets  []string
		Store    string
		Expect   expectation
	} `json:"request_vectors"`
	Sequence []struct {
		ID    string
		Steps []struct {
			request
			Do          string
			N           int
			Mode        string
			Set         []string
			InterviewID string `json:"interview_id"`
			ReferenceID string `json:"reference_id"`
			Expect      expectation
		}
		Final struct {
			Interviews, Jobs int
			Complete         []string
		}
	} `json:"sequence_vectors"`
	Construction []struct {
		ID    string
		Input struct {
			Secrets []string
			MaxBody *int64 `json:"max_body"`
			Store   any
		}
		Expect string
		Note   string
	} `json:"construction_vectors"`
	Client []struct {
		ID, Area, Given, Expect string
	} `json:"client_vectors"`
}

type request struct {
	Method, Path, Framing string
	Headers               [][2]string
	BodyB64               string  `json:"body_b64"`
	BodyGen               bodyGen `json:"body_gen"`
}

type bodyGen struct {
	Kind string
	Byte byte
	N    int
}

type expectation struct {
	Status                                                int
	Effect, Reason, User, Interview, Quality, Allow, Note string
	RetryAfter                                            bool `json:"retry_after"`
	AlsoOK                                                []struct {
		Status int
		Effect string
	} `json:"also_ok"`
}

// passed counts the vectors of each kind.
var passed sync.Map // kind → *atomic.Int64

func count(t *testing.T, kind string) {
	n, _ := passed.LoadOrStore(kind, new(atomic.Int64))
	t.Cleanup(func() {
		if !t.Failed() {
			n.(*atomic.Int64).Add(1)
		}
	})
}

// TestMain prints, with -v, how many vectors of each kind have passed.
func TestMain(m *testing.M) {
	code := m.Run()
	var counts []string
	for _, kind := range []string{"signature", "request", "sequence", "construction", "client"} {
		if n, ok := passed.Load(kind); ok {
			counts = append(counts, fmt.Sprintf("%d %s", n.(*atomic.Int64).Load(), kind))
		}
	}
	if len(counts) > 0 && testing.Verbose() {
		fmt.Println("vectors passed:", strings.Join(counts, ", "))
	}
	os.Exit(code)
}

func loadVectors(t testing.TB) *vectors {
	t.Helper()
	b, err := os.ReadFile("../testdata/webhook/vectors.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(b, &v))
	return &v
}

// documented is the body of the documentation, compact.
func (v *vectors) documented(t testing.TB) []byte {
	t.Helper()
	for _, s := range v.Signature {
		if s.ID == "sig-docs-compact" {
			return unbase64(t, s.BodyB64)
		}
	}
	t.Fatal("no documented body")
	return nil
}

func (v *vectors) body(t testing.TB, b64 string, gen bodyGen) []byte {
	t.Helper()
	switch gen.Kind {
	case "":
		return unbase64(t, b64)
	case "repeat":
		return bytes.Repeat([]byte{gen.Byte}, gen.N)
	case "pad_study_name":
		doc := v.documented(t)
		from := bytes.Index(doc, []byte(`"study_name":"`)) + len(`"study_name":"`)
		to := from + bytes.IndexByte(doc[from:], '"')
		pad := gen.N - len(doc) + (to - from)
		return append(append(append([]byte{}, doc[:from]...), bytes.Repeat([]byte("n"), pad)...), doc[to:]...)
	}
	t.Fatalf("unknown body generator %q", gen.Kind)
	return nil
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestVectorsSignature(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	for _, s := range v.Signature {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "signature")
			body := v.body(t, s.BodyB64, s.BodyGen)
			require.Len(t, body, s.BodyLen)
			sum := sha256.Sum256(body)
			require.Equal(t, s.BodySum, hex.EncodeToString(sum[:]), "the body is the one that was signed")
			key := string(unbase64(t, s.KeyB64))
			require.Equal(t, s.Header, webhooktest.Sign(key, body))

			header := http.Header{"X-Webhook-Signature": {s.Header}}
			err := webhook.Verify([]string{key}, header, body)
			if strings.TrimSpace(key) != key || len(key) < 16 {
				require.ErrorIs(t, err, webhook.ErrSecret, "a key like this is refused whatever it signs")
			} else {
				require.NoError(t, err)
			}
			if s.NotUnder != "" {
				require.ErrorIs(t, webhook.Verify([]string{s.NotUnder}, header, body), webhook.ErrBadSignature)
			}
		})
	}
}

// resolver is the one that the vectors are written for.
type resolver struct{}

func (resolver) UserID(_, reference string) (string, error) {
	digits, ok := strings.CutPrefix(reference, "user_")
	switch {
	case ok && digits != "" && strings.Trim(digits, "0123456789") == "":
		return reference, nil
	case strings.HasPrefix(reference, "gone_"):
		return "", webhook.ErrUnknownUser
	case strings.HasPrefix(reference, "exp_"):
		return "", fmt.Errorf("test: %w", webhook.ErrExpiredReference)
	}
	return "", errors.New("test: forged")
}

// receiver is a handler behind a real server, and what it was told.
type receiver struct {
	*webhook.Handler
	store   *switchStore
	addr    string
	reasons chan webhook.Reason
	mu      sync.Mutex
	secrets []string
	failing bool // the source of the secrets
}

// switchStore can be down, or hang until its caller gives up.
type switchStore struct {
	*store.Memory
	mu   sync.Mutex
	mode string
}

func (s *switchStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.mu.Lock()
	mode := s.mode
	s.mu.Unlock()
	switch mode {
	case "down":
		return false, errors.New("test: the store is down")
	case "hang":
		<-ctx.Done()
		return false, ctx.Err()
	}
	return s.Memory.Record(ctx, c)
}

func (s *switchStore) set(mode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

func newReceiver(t testing.TB, opts webhook.Options) *receiver {
	t.Helper()
	r := &receiver{store: &switchStore{Memory: store.NewMemory()}, reasons: make(chan webhook.Reason, 1000), secrets: []string{secret}}
	opts.References = resolver{}
	opts.Studies = []string{studyID}
	opts.Secrets = func(context.Context) ([]string, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failing {
			return nil, errors.New("test: no secrets")
		}
		return r.secrets, nil
	}
	opts.OnDelivery = func(_ context.Context, d webhook.Delivery) { r.reasons <- d.Reason }
	opts.Logger = discard
	var err error
	r.Handler, err = webhook.NewHandler("", r.store, &opts)
	require.NoError(t, err)
	srv := httptest.NewServer(r.Handler)
	t.Cleanup(srv.Close)
	r.addr = srv.Listener.Addr().String()
	return r
}

func (r *receiver) accept(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = secrets
}

// answer is nil where the framing makes one impossible.
func (r *receiver) send(t testing.TB, req request, body []byte) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))

	var head bytes.Buffer
	proto := "HTTP/1.1"
	if req.Framing == "http10" {
		proto = "HTTP/1.0"
	}
	fmt.Fprintf(&head, "%s %s %s\r\nHost: app.example\r\n", req.Method, req.Path, proto)
	for _, h := range req.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", h[0], latin1(h[1]))
	}
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	if len(body) == 0 {
		chunked = "0\r\n\r\n"
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	payload := string(body)
	var declared int
	switch framing := req.Framing; {
	case framing == "" || framing == "content-length" || framing == "http10":
		head.WriteString(length)
	case framing == "chunked":
		head.WriteString("Transfer-Encoding: chunked\r\n")
		payload = chunked
	case framing == "cl-te":
		head.WriteString(length + "Transfer-Encoding: chunked\r\n")
		payload = chunked
	case framing == "two-cl":
		head.WriteString(length + fmt.Sprintf("Content-Length: %d\r\n", len(body)+1))
	case framing == "stall" || framing == "early-close":
		head.WriteString(length)
		payload = payload[:len(payload)/2]
	case framing == "expect-continue":
		head.WriteString(length + "Expect: 100-continue\r\n")
	default:
		_, err := fmt.Sscanf(framing, "declared:%d", &declared)
		require.NoError(t, err, "framing %q", framing)
		fmt.Fprintf(&head, "Content-Length: %d\r\n", declared)
		payload = payload[:10]
	}
	head.WriteString("\r\n")
	in := bufio.NewReader(conn)
	_, err = conn.Write(head.Bytes())
	require.NoError(t, err)
	if req.Framing == "expect-continue" {
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		if resp.StatusCode != http.StatusContinue {
			return resp
		}
	}
	_, _ = io.WriteString(conn, payload) // the server may have answered and closed already
	if req.Framing == "early-close" {
		conn.Close()
		return nil
	}
	resp, err := http.ReadResponse(in, &http.Request{Method: req.Method})
	require.NoError(t, err)
	return resp
}

// latin1 is how the vectors write bytes above 0x7f.
func latin1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

// state is what is in the store.
type state struct {
	interviews, jobs, dead int
	quality, user          string
}

func (r *receiver) state(t testing.TB) (s state) {
	t.Helper()
	for c, err := range r.store.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		s.interviews++
		s.quality, s.user = c.Quality, c.UserID
	}
	for _, err := range r.store.Jobs(t.Context(), false) {
		require.NoError(t, err)
		s.jobs++
	}
	for _, err := range r.store.DeadLetters(t.Context()) {
		require.NoError(t, err)
		s.dead++
	}
	return s
}

// effect names the difference between two states as the vectors do.
func effect(t testing.TB, before, after state) string {
	t.Helper()
	switch {
	case after == before:
		return "none"
	case after.interviews == before.interviews+1 && after.jobs == before.jobs+1 && after.user != "":
		return "complete"
	case after.interviews == before.interviews+1 && after.jobs == before.jobs+1:
		return "anonymous"
	case after.dead == before.dead+1 && after.interviews == before.interviews:
		return "quarantine"
	}
	return fmt.Sprintf("%+v", after)
}

func TestVectorsRequest(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	var mu sync.Mutex
	bodies401 := map[string]bool{}
	t.Run("cases", func(t *testing.T) {
		for _, c := range v.Request {
			t.Run(c.ID, func(t *testing.T) {
				t.Parallel()
				count(t, "request")
				opts := webhook.Options{}
				if c.Framing == "stall" || strings.HasPrefix(c.Framing, "declared:") {
					opts.ReadTimeout = 100 * time.Millisecond
				}
				if c.Store == "hook-panic" {
					opts.Policy = func(store.Completion) webhook.Verdict { panic("test") }
				}
				r := newReceiver(t, opts)
				if c.Secrets != nil {
					r.accept(c.Secrets...)
				}
				r.store.set(c.Store)
				r.failing = c.Store == "secrets-unavailable"
				if c.Store == "closed" {
					require.NoError(t, r.Close())
				}
				resp := r.send(t, c.request, v.body(t, c.BodyB64, c.BodyGen))
				if resp != nil {
					body, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					require.Equal(t, c.Expect.Status, resp.StatusCode)
					require.Equal(t, c.Expect.Allow, resp.Header.Get("Allow"))
					require.Equal(t, c.Expect.RetryAfter, resp.Header.Get("Retry-After") != "")
					if resp.StatusCode == http.StatusUnauthorized {
						mu.Lock()
						bodies401[string(body)] = true
						mu.Unlock()
					}
				}
				if c.Expect.Reason != "net_http" { // the handler never ran
					require.Equal(t, c.Expect.Reason, (<-r.reasons).String())
				}
				after := r.state(t)
				require.Equal(t, c.Expect.Effect, effect(t, state{}, after))
				require.Equal(t, c.Expect.User, after.user)
				if c.Expect.Quality != "" {
					require.Equal(t, c.Expect.Quality, after.quality)
				}
				if c.Expect.Interview != "" {
					n := 0
					for _, err := range r.store.Completions(t.Context(), store.Filter{InterviewID: c.Expect.Interview}) {
						require.NoError(t, err)
						n++
					}
					require.Equal(t, 1, n)
				}
			})
		}
	})
	require.Len(t, bodies401, 1, "every refused signature gets the same answer")
}

func TestVectorsSequence(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	for _, c := range v.Sequence {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "sequence")
			source := &fakeInterviews{}
			r := newReceiver(t, webhook.Options{Interviews: source})
			for _, s := range c.Steps {
				switch s.Do {
				case "post", "post-concurrent":
					s.request.Method, s.request.Path = http.MethodPost, "/webhooks/userjourneys"
					before := r.state(t)
					var wg sync.WaitGroup
					for range max(1, s.N) {
						wg.Go(func() {
							resp := r.send(t, s.request, v.body(t, s.BodyB64, s.BodyGen))
							require.Equal(t, s.Expect.Status, resp.StatusCode)
						})
					}
					wg.Wait()
					after := r.state(t)
					reason := <-r.reasons
					switch s.Expect.Effect {
					case "":
					case "duplicate":
						require.Equal(t, webhook.Duplicate, reason)
						require.Equal(t, before.interviews, after.interviews)
						require.Equal(t, before.user, after.user)
					case "complete": // a second interview of the same user shows in the count alone
						require.Equal(t, webhook.Accepted, reason)
						require.Equal(t, before.interviews+1, after.interviews)
						require.Equal(t, before.jobs+1, after.jobs)
					default:
						require.Equal(t, s.Expect.Effect, effect(t, before, after))
					}
				case "store":
					r.store.set(s.Mode)
				case "secrets":
					r.accept(s.Set...)
				case "reconcile":
					source.add(completed(s.InterviewID, s.ReferenceID))
					require.NoError(t, r.Reconcile(t.Context()))
				default:
					t.Fatalf("unknown step %q", s.Do)
				}
			}
			final := r.state(t)
			require.Equal(t, c.Final.Interviews, final.interviews)
			require.Equal(t, c.Final.Jobs, final.jobs)
			for _, user := range c.Final.Complete {
				done, err := r.store.Completed(t.Context(), store.Key{StudyID: studyID, UserID: user})
				require.NoError(t, err)
				require.True(t, done)
			}
			if c.ID == "K09-quality-update" {
				require.Equal(t, "insightful", final.quality)
			}
		})
	}
}

func TestVectorsConstruction(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	raw := struct {
		Vectors []struct {
			Input map[string]any
		} `json:"construction_vectors"`
	}{}
	b, err := os.ReadFile("../testdata/webhook/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &raw))
	for i, c := range v.Construction {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "construction")
			opts := &webhook.Options{}
			first := ""
			if len(c.Input.Secrets) > 0 {
				first = c.Input.Secrets[0]
				opts.PreviousSecrets = c.Input.Secrets[1:]
			}
			if c.Input.MaxBody != nil {
				opts.MaxBody = *c.Input.MaxBody
			}
			var s store.Store = store.NewMemory()
			if _, given := raw.Vectors[i].Input["store"]; given {
				s = nil
			}
			h, err := webhook.NewHandler(first, s, opts)
			if c.Expect == "ok" {
				require.NoError(t, err, c.Note)
				require.NotNil(t, h)
				return
			}
			require.Error(t, err, c.Note)
			for _, s := range c.Input.Secrets {
				if len(s) > 8 {
					require.NotContains(t, err.Error(), s, "an error that shows the secret")
				}
			}
		})
	}
}
