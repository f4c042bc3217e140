package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
)

// resolver is the References that the vectors assume.
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

// receiver is a handler behind a real server, and what its callbacks were given.
type receiver struct {
	*webhook.Handler
	store   *switchStore
	addr    string
	reasons chan webhook.Result
	mu      sync.Mutex
	secrets []string
	failing bool // the source of the secrets
}

// switchStore can be down, or hang until its caller gives up.
type switchStore struct {
	*memstore.Store
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
	return s.Store.Record(ctx, c)
}

func (s *switchStore) set(mode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

func newReceiver(t testing.TB, opts webhook.Options) *receiver {
	t.Helper()
	r := &receiver{store: &switchStore{Store: memstore.New()}, reasons: make(chan webhook.Result, 1000), secrets: []string{secret}}
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
	opts.OnDelivery = func(_ context.Context, d webhook.Delivery) { r.reasons <- d.Result }
	opts.Logger = discard
	var err error
	r.Handler, err = webhook.New("", r.store, &opts)
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

// answer is nil if the framing makes a response impossible.
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

// latin1 encodes bytes above 0x7f as the vectors do.
func latin1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

// state is the content of the store.
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
	for _, err := range r.store.PendingJobs(t.Context()) {
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
