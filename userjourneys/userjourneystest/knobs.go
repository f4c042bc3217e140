package userjourneystest

import (
	"net/http"
	"time"
)

type failure struct {
	status     int
	retryAfter string
}

// FailNext makes the next n requests to the API answer status.
func (s *Server) FailNext(n, status int) { s.FailNextRetryAfter(n, status, "") }

// FailNextRetryAfter is FailNext with a Retry-After field in the answers.
func (s *Server) FailNextRetryAfter(n, status int, retryAfter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.failures = append(s.failures, failure{status, retryAfter})
	}
}

// Recover forgets what FailNext has not used up.
func (s *Server) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = nil
}

// Hang makes requests to the API wait until Release, Close, or until the client
// gives up.
func (s *Server) Hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang == nil {
		s.hang = make(chan struct{})
	}
}

// Release lets what hangs go on.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang != nil {
		close(s.hang)
		s.hang = nil
	}
}

// SetAccepting opens or closes the study whatever its limits say.
func (s *Server) SetAccepting(studyID string, accepting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.study(studyID); st != nil {
		st.closed = !accepting
	}
}

// SetActive takes the study out of the list, as pausing it does, or puts it back.
func (s *Server) SetActive(studyID string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.study(studyID); st != nil {
		st.paused = !active
	}
}

// HideTranscripts makes an interview's detail answer 404 for so long after the
// interview has finished. Defaults to 0.
func (s *Server) HideTranscripts(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = d
}

// Fate is what becomes of one delivery. The zero value delivers once, at once.
type Fate struct {
	Drop   bool          // never delivered
	Copies int           // delivered so many times more
	Delay  time.Duration // delivered so much later
}

// NextDeliveries sets what becomes of the next deliveries, in their order; those
// after them are delivered once, at once.
func (s *Server) NextDeliveries(fates ...Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = append(s.plan, fates...)
}

// RotateSecret gives the webhook a new signing secret without telling anybody,
// and returns it; "" when there is no webhook.
func (s *Server) RotateSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook == nil {
		return ""
	}
	s.webhook.secret = s.nextSecret()
	s.created++
	return s.webhook.secret
}

// intercept applies FailNext and Hang to a request and reports whether it has
// been answered.
func (s *Server) intercept(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	hang := s.hang
	var f failure
	if hang == nil && len(s.failures) > 0 {
		f, s.failures = s.failures[0], s.failures[1:]
	}
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return true
		case <-s.ctx.Done():
			panic(http.ErrAbortHandler) // no answer, rather than an empty 200
		}
	}
	if f.status == 0 {
		return false
	}
	if f.retryAfter != "" {
		w.Header().Set("Retry-After", f.retryAfter)
	}
	writeError(w, f.status, "asked to fail")
	return true
}
