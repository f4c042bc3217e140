package webhook

import "net/http"

// Reason says what became of a delivery. Its values are few, so that they can
// label a metric; a client never sees them.
type Reason uint8

// The reasons, with the status that each is answered with.
const (
	Accepted           Reason = iota // 200: recorded for the first time, the user is known
	Duplicate                        // 200: recorded before
	NoReference                      // 200: recorded; nobody's: the link had no reference
	BadReference                     // 200: recorded; nobody's: the reference was not made here
	ExpiredReference                 // 200: recorded; nobody's: the reference is too old
	UnknownUser                      // 200: recorded; nobody's: the user is gone
	UnknownEvent                     // 200: nothing done
	OtherStudy                       // 200: nothing done: not one of Options.Studies
	NotCompleted                     // 200: nothing done: the event and the status disagree
	Method                           // 405
	ContentEncoding                  // 415
	MissingSignature                 // 401
	MalformedSignature               // 401
	BadSignature                     // 401
	BodyConsumed                     // 401: something reads or changes the body before this handler does
	TooLarge                         // 413
	SlowBody                         // 408
	AbortedBody                      // the client is gone
	MalformedJSON                    // 400: authentic, but not JSON
	Schema                           // 400: authentic, but not what an event looks like
	Busy                             // 503: too many bodies at once, and this one was the slowest
	SecretsUnavailable               // 503: Options.Secrets failed
	Store                            // 503: the store failed
	ShuttingDown                     // 503: after Close
	Panic                            // 500: a func of Options panicked
)

var reasons = [...]struct {
	name   string
	status int
}{
	Accepted:           {"accepted", http.StatusOK},
	Duplicate:          {"duplicate", http.StatusOK},
	NoReference:        {"no_reference", http.StatusOK},
	BadReference:       {"bad_reference", http.StatusOK},
	ExpiredReference:   {"expired_reference", http.StatusOK},
	UnknownUser:        {"unknown_user", http.StatusOK},
	UnknownEvent:       {"unknown_event", http.StatusOK},
	OtherStudy:         {"other_study", http.StatusOK},
	NotCompleted:       {"not_completed", http.StatusOK},
	Method:             {"method", http.StatusMethodNotAllowed},
	ContentEncoding:    {"content_encoding", http.StatusUnsupportedMediaType},
	MissingSignature:   {"missing_signature", http.StatusUnauthorized},
	MalformedSignature: {"malformed_signature", http.StatusUnauthorized},
	BadSignature:       {"bad_signature", http.StatusUnauthorized},
	BodyConsumed:       {"body_consumed", http.StatusUnauthorized},
	TooLarge:           {"too_large", http.StatusRequestEntityTooLarge},
	SlowBody:           {"slow_body", http.StatusRequestTimeout},
	AbortedBody:        {"aborted_body", http.StatusBadRequest},
	MalformedJSON:      {"malformed_json", http.StatusBadRequest},
	Schema:             {"schema", http.StatusBadRequest},
	Busy:               {"busy", http.StatusServiceUnavailable},
	SecretsUnavailable: {"secrets_unavailable", http.StatusServiceUnavailable},
	Store:              {"store", http.StatusServiceUnavailable},
	ShuttingDown:       {"shutting_down", http.StatusServiceUnavailable},
	Panic:              {"panic", http.StatusInternalServerError},
}

// String returns the reason in snake case.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r].name
	}
	return "unknown"
}

// Status is the HTTP status that the delivery was answered with.
func (r Reason) Status() int {
	if int(r) < len(reasons) {
		return reasons[r].status
	}
	return http.StatusInternalServerError
}
