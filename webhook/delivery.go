package webhook

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Delivery is a request that the [Handler] has answered.
type Delivery struct {
	ReceivedAt time.Time     `json:"received_at"`
	Duration   time.Duration `json:"duration"`
	Result     Result        `json:"result"`
	Size       int           `json:"size"` // bytes of the body that were read

	// InterviewID and StudyID are "" unless the signature is right and the body
	// is an interview.completed event.
	InterviewID string `json:"interview_id,omitempty"`
	StudyID     string `json:"study_id,omitempty"`

	// Inspection shows what was sent. It is nil unless [Options.Inspect] is set.
	Inspection *Inspection `json:"-"`
}

const keptDeliveries = 100

// recorder keeps the last deliveries.
type recorder struct {
	mu   sync.Mutex
	ring [keptDeliveries]Delivery
	n    int // ever
}

func (r *recorder) add(d Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.n%keptDeliveries] = d
	r.n++
}

// Deliveries returns the last 100 requests that this process has answered, the
// newest first. They hold no references, and no bodies except in an [Inspection].
func (h *Handler) Deliveries() []Delivery {
	r := &h.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Delivery
	for i := max(0, r.n-keptDeliveries); i < r.n; i++ {
		out = append(out, r.ring[i%keptDeliveries])
	}
	slices.Reverse(out)
	return out
}

// A Result is the outcome of a delivery. The set is small and fixed, so a Result can
// label a metric. The sender sees only the status.
type Result uint8

// The results, with the HTTP status of each.
const (
	ResultAccepted           Result = iota // 200: recorded for the first time, the user is known
	ResultDuplicate                        // 200: recorded before
	ResultNoReference                      // 200: recorded without a user: the link had no reference
	ResultBadReference                     // 200: recorded without a user: the reference is not one of the app's
	ResultExpiredReference                 // 200: recorded without a user: the reference is too old
	ResultUnknownUser                      // 200: recorded without a user: the user no longer exists
	ResultUnknownEvent                     // 200: ignored: not an interview.completed event
	ResultOtherStudy                       // 200: ignored: not one of Options.Studies
	ResultNotCompleted                     // 200: ignored: the interview has another status than completed
	ResultMethod                           // 405
	ResultContentEncoding                  // 415
	ResultMissingSignature                 // 401
	ResultMalformedSignature               // 401
	ResultBadSignature                     // 401
	ResultBodyConsumed                     // 401: a middleware has read or changed the body
	ResultTooLarge                         // 413: the body is larger than 64 KiB
	ResultSlowBody                         // 408
	ResultAbortedBody                      // 400: the sender hung up
	ResultMalformedJSON                    // 400: the signature is right, the body is not JSON
	ResultSchema                           // 400: the signature is right, the body is not an event that can be recorded
	ResultBusy                             // 503: too many bodies in flight, and this one was the slowest
	ResultSecretsUnavailable               // 503: Options.Secrets failed
	ResultStore                            // 503: the store failed, or took longer than 5 s
	ResultShuttingDown                     // 503: after Close
	ResultPanic                            // 500: Options.Policy, Options.References or Options.Secrets panicked
)

var results = [...]struct {
	name   string
	status int
}{
	ResultAccepted:           {"accepted", http.StatusOK},
	ResultDuplicate:          {"duplicate", http.StatusOK},
	ResultNoReference:        {"no_reference", http.StatusOK},
	ResultBadReference:       {"bad_reference", http.StatusOK},
	ResultExpiredReference:   {"expired_reference", http.StatusOK},
	ResultUnknownUser:        {"unknown_user", http.StatusOK},
	ResultUnknownEvent:       {"unknown_event", http.StatusOK},
	ResultOtherStudy:         {"other_study", http.StatusOK},
	ResultNotCompleted:       {"not_completed", http.StatusOK},
	ResultMethod:             {"method", http.StatusMethodNotAllowed},
	ResultContentEncoding:    {"content_encoding", http.StatusUnsupportedMediaType},
	ResultMissingSignature:   {"missing_signature", http.StatusUnauthorized},
	ResultMalformedSignature: {"malformed_signature", http.StatusUnauthorized},
	ResultBadSignature:       {"bad_signature", http.StatusUnauthorized},
	ResultBodyConsumed:       {"body_consumed", http.StatusUnauthorized},
	ResultTooLarge:           {"too_large", http.StatusRequestEntityTooLarge},
	ResultSlowBody:           {"slow_body", http.StatusRequestTimeout},
	ResultAbortedBody:        {"aborted_body", http.StatusBadRequest},
	ResultMalformedJSON:      {"malformed_json", http.StatusBadRequest},
	ResultSchema:             {"schema", http.StatusBadRequest},
	ResultBusy:               {"busy", http.StatusServiceUnavailable},
	ResultSecretsUnavailable: {"secrets_unavailable", http.StatusServiceUnavailable},
	ResultStore:              {"store", http.StatusServiceUnavailable},
	ResultShuttingDown:       {"shutting_down", http.StatusServiceUnavailable},
	ResultPanic:              {"panic", http.StatusInternalServerError},
}

// String returns the result in snake case, such as "bad_signature".
func (r Result) String() string {
	if int(r) < len(results) {
		return results[r].name
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler]. It returns what String does.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Status returns the HTTP status of the response.
func (r Result) Status() int {
	if int(r) < len(results) {
		return results[r].status
	}
	return http.StatusInternalServerError
}
