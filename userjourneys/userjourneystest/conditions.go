package userjourneystest

import (
	"net/http"
	"strconv"
	"time"
)

// Conditions are how the provider behaves. The zero value behaves as documented.
type Conditions struct {
	Down bool          // every API request is answered with 503
	Slow time.Duration // every API request waits this long first

	// RateLimit is the number of API requests per minute. Any more are answered
	// with 429 and a Retry-After. 0 means no limit.
	RateLimit int

	// Lying makes responses odd: flags are strings, has_more stays true until an
	// empty page, each page begins with items that are null, lack an id or have
	// a numeric one, and transcripts are empty.
	Lying bool

	Full   bool // no study accepts responses
	Paused bool // no study is active

	Quality    string // score of interviews that do not set one; "" means insightful
	Deliveries Fate   // of each delivery for which NextDeliveries set nothing
}

// SetConditions changes how the provider behaves from now on.
func (s *Server) SetConditions(c Conditions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conditions = c
}

// Conditions returns how the provider behaves now.
func (s *Server) Conditions() Conditions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conditions
}

// SetAccepting opens or closes the study. A closed study accepts nothing, whatever its
// limits are.
func (s *Server) SetAccepting(studyID string, accepting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.study(studyID); st != nil {
		st.closed = !accepting
	}
}

// SetActive pauses the study, which removes it from the list, or resumes it.
func (s *Server) SetActive(studyID string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.study(studyID); st != nil {
		st.paused = !active
	}
}

// HideTranscripts makes requests for an interview fail with 404 until d after it has
// finished. The default is 0.
func (s *Server) HideTranscripts(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = d
}

type failure struct {
	status     int
	retryAfter string
}

// FailNext makes the next n API requests fail with this status.
func (s *Server) FailNext(n, status int) { s.FailNextRetryAfter(n, status, "") }

// FailNextRetryAfter is like [Server.FailNext] with a Retry-After field in the
// responses.
func (s *Server) FailNextRetryAfter(n, status int, retryAfter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.failures = append(s.failures, failure{status, retryAfter})
	}
}

// Recover cancels the remaining failures of [Server.FailNext].
func (s *Server) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = nil
}

// Hang makes API requests wait until [Server.Release] or [Server.Close], or
// until the client gives up.
func (s *Server) Hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang == nil {
		s.hang = make(chan struct{})
	}
}

// Release lets requests that hang continue.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang != nil {
		close(s.hang)
		s.hang = nil
	}
}

// intercept makes an API request wait or fail as the conditions say. It reports whether
// the request has been answered.
func (s *Server) intercept(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	hang, slow := s.hang, s.conditions.Slow
	var f failure
	if hang == nil {
		f = s.nextFailure()
	}
	s.mu.Unlock()
	if (hang != nil || slow > 0) && !s.wait(r, hang, slow) {
		return true
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

// wait waits for hang if it is not nil, or else for d. It reports whether the
// client is still there.
func (s *Server) wait(r *http.Request, hang chan struct{}, d time.Duration) bool {
	var timer <-chan time.Time
	if hang == nil {
		timer = time.After(d)
	}
	select {
	case <-hang:
	case <-timer:
	case <-r.Context().Done():
		return false
	case <-s.ctx.Done():
		panic(http.ErrAbortHandler) // no response, rather than an empty 200
	}
	return true
}

func (s *Server) nextFailure() failure {
	switch {
	case len(s.failures) > 0:
		f := s.failures[0]
		s.failures = s.failures[1:]
		return f
	case s.conditions.Down:
		return failure{status: http.StatusServiceUnavailable}
	case s.conditions.RateLimit > 0:
		if wait := s.limiter.take(s.now(), s.conditions.RateLimit); wait > 0 {
			seconds := int((wait + time.Second - 1) / time.Second)
			return failure{http.StatusTooManyRequests, strconv.Itoa(seconds)}
		}
	}
	return failure{}
}

// limiter counts requests in windows of a minute.
type limiter struct {
	start time.Time
	count int
}

// take counts a request. It returns how long to wait if the limit is exceeded, or 0.
func (l *limiter) take(now time.Time, limit int) time.Duration {
	if now.Sub(l.start) >= time.Minute {
		*l = limiter{start: now}
	}
	if l.count >= limit {
		return l.start.Add(time.Minute).Sub(now)
	}
	l.count++
	return 0
}
