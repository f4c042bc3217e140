package webhook

import "net/http"

// Reason says what became of a delivery. Its values are few, so that they can
// label a metric; a client never sees them.
type Result uint8

// The reasons, with the status that each is answered with.
const (
	ResultAccepted           Result = iota // 200: recorded for the first time, the user is known
	ResultDuplicate                        // 200: recorded before
	ResultNoReference                      // 200: recorded; nobody's: the link had no reference
	ResultBadReference                     // 200: recorded; nobody's: the reference was not made here
	ResultExpiredReference                 // 200: recorded; nobody's: the reference is too old
	ResultUnknownUser                      // 200: recorded; nobody's: the user is gone
	ResultUnknownEvent                     // 200: nothing done
	ResultOtherStudy                       // 200: nothing done: not one of Options.Studies
	ResultNotCompleted                     // 200: nothing done: the event and the status disagree
	ResultMethod                           // 405
	ResultContentEncoding                  // 415
	ResultMissingSignature                 // 401
	ResultMalformedSignature               // 401
	ResultBadSignature                     // 401
	ResultBodyConsumed                     // 401: something reads or changes the body before this handler does
	ResultTooLarge                         // 413
	ResultSlowBody                         // 408
	ResultAbortedBody                      // the client is gone
	ResultMalformedJSON                    // 400: authentic, but not JSON
	ResultSchema                           // 400: authentic, but not what an event looks like
	ResultBusy                             // 503: too many bodies at once, and this one was the slowest
	ResultSecretsUnavailable               // 503: Options.Secrets failed
	ResultStore                            // 503: the store failed
	ResultShuttingDown                     // 503: after Close
	ResultPanic                            // 500: a func of Options panicked
)

var reasons = [...]struct {
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

// String returns the reason in snake case.
func (r Result) String() string {
	if int(r) < len(reasons) {
		return reasons[r].name
	}
	return "unknown"
}

// Status is the HTTP status that the delivery was answered with.
func (r Result) Status() int {
	if int(r) < len(reasons) {
		return reasons[r].status
	}
	return http.StatusInternalServerError
}
