package userjourneys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Errors of this package, matched with errors.Is.
var (
	ErrUnauthorized = errors.New("userjourneys: the API key is not accepted") // an *Error, 401
	ErrNotFound     = errors.New("userjourneys: not found")                   // an *Error, 404, or nothing that fits
	ErrRateLimited  = errors.New("userjourneys: rate limited")                // an *Error, 429

	// ErrAmbiguous comes from FindStudy: use the study's id instead.
	ErrAmbiguous = errors.New("userjourneys: more than one study has this name")

	// ErrTooLarge is an answer of which no more than 16 MiB were read.
	ErrTooLarge = errors.New("userjourneys: the answer is larger than 16 MiB")

	// ErrBadAnswer is a 2xx that is not what the API documents: a page of HTML,
	// as captive portals serve it, JSON that is cut short, an object without an
	// id, a list that never ends.
	ErrBadAnswer = errors.New("userjourneys: the answer makes no sense")
)

// Error is an answer of the provider other than 2xx. It matches
// ErrUnauthorized (401), ErrNotFound (404) and ErrRateLimited (429).
type Error struct {
	StatusCode int
	Message    string        // the provider's own words, at most 200 bytes; "" when it gave none
	RetryAfter time.Duration // from Retry-After, 0 to 24 h; 0 when it gave none
}

// Error describes the answer without the key, and without more of the body
// than Message.
func (e *Error) Error() string {
	s := fmt.Sprintf("userjourneys: the provider answered %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Is reports whether target is the sentinel for e's status code.
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

func newError(resp *http.Response, words string) *Error {
	return &Error{
		StatusCode: resp.StatusCode,
		Message:    cut(words),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// message finds the provider's words in the shapes that APIs commonly use:
// {"error":"…"}, {"error":{"message":"…"}} and {"message":"…"}.
func message(body []byte) string {
	var o struct{ Error, Message json.RawMessage }
	if json.Unmarshal(body, &o) != nil {
		return ""
	}
	var inner struct{ Message string }
	var s string
	switch {
	case json.Unmarshal(o.Error, &s) == nil && s != "":
	case json.Unmarshal(o.Error, &inner) == nil && inner.Message != "":
		s = inner.Message
	default:
		_ = json.Unmarshal(o.Message, &s)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }

// longestRetryAfter is the most that a Retry-After is believed.
const longestRetryAfter = 24 * time.Hour

// retryAfter reads both forms of RFC 9110, section 10.2.3.
func retryAfter(v string, now time.Time) time.Duration {
	// Out of range, ParseInt gives the nearest number.
	if secs, err := strconv.ParseInt(v, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(max(0, time.Duration(secs)*time.Second), longestRetryAfter)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, at.Sub(now)), longestRetryAfter)
	}
	return 0
}

// transportError is a request that got no answer, or not all of one.
type transportError struct {
	method, path string
	err          error
}

func (e *transportError) Error() string {
	return "userjourneys: " + strings.TrimSpace(e.method+" "+e.path) + ": " + e.err.Error()
}

func (e *transportError) Unwrap() error { return e.err }

// withoutURL takes the URL out of what net/http reports: its query holds
// reference ids, which are user ids.
func withoutURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
