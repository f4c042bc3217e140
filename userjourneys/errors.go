package userjourneys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Errors of this package, to be matched with [errors.Is].
var (
	// ErrUnauthorized is matched by an [*Error] with status 401.
	ErrUnauthorized = errors.New("userjourneys: the API key is not accepted")

	// ErrNotFound is matched by an [*Error] with status 404, and is returned if
	// no study fits.
	ErrNotFound = errors.New("userjourneys: not found")

	// ErrRateLimited is matched by an [*Error] with status 429.
	ErrRateLimited = errors.New("userjourneys: rate limited")

	// ErrAmbiguous is returned by [Client.FindStudy]. Use the study's id instead.
	ErrAmbiguous = errors.New("userjourneys: more than one study has this name")

	// ErrTooLarge means that a response is larger than 16 MiB. The rest is not read.
	ErrTooLarge = errors.New("userjourneys: the response is larger than 16 MiB")

	// ErrUnexpectedResponse means that a response with a 2xx status is not what the
	// API documents: an HTML page, as captive portals serve it, truncated JSON, an
	// object without an id, or a list that never ends.
	ErrUnexpectedResponse = errors.New("userjourneys: unexpected response")
)

// Error is a response with a status other than 2xx. It matches [ErrUnauthorized]
// (401), [ErrNotFound] (404) and [ErrRateLimited] (429).
type Error struct {
	StatusCode int
	Message    string        // the provider's own words, at most 200 bytes; "" if it gave none
	RetryAfter time.Duration // from Retry-After, at most 24 h; 0 if there was none
}

// Error returns the status and the Message. It contains neither the API key nor
// more of the body.
func (e *Error) Error() string {
	s := fmt.Sprintf("userjourneys: unexpected status %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Is reports whether target is the error for e's status.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	}
	return false
}

// message finds the provider's error message in the shapes that APIs commonly use:
// {"error":"…"}, {"error":{"message":"…"}} and {"message":"…"}.
func message(body []byte) string {
	var o object
	_ = json.Unmarshal(body, &o) // anything else has no fields
	text := o.str("error")
	if text == "" {
		text = field[object](o, "error").str("message")
	}
	if text == "" {
		text = o.str("message")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// truncated keeps a message short enough for a log line.
func truncated(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }

// longestRetryAfter caps what a Retry-After may ask for.
const longestRetryAfter = 24 * time.Hour

// retryAfter parses both forms of RFC 9110, section 10.2.3.
func retryAfter(v string, now time.Time) time.Duration {
	var wait time.Duration
	// Out of range, ParseInt returns the nearest number.
	if secs, err := strconv.ParseInt(v, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		wait = time.Duration(secs) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		wait = at.Sub(now)
	}
	return min(max(0, wait), longestRetryAfter)
}
