package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// An event is what is read from a delivery, or from an item of the provider's list.
type event struct {
	interviewID  string
	studyID      string
	studyName    string
	status       string // "" if there is none
	completedAt  time.Time
	quality      string
	language     string
	duration     time.Duration
	reference    string
	badReference bool // the reference is not a string of Unicode characters
	raw          []byte
}

// decode reads a body whose signature is right. It returns ResultAccepted if e
// is an interview.completed. Keys are compared exactly, and none may appear
// twice: two readers of one body must not see two different things.
func decode(body []byte) (e event, r Result) {
	if !json.Valid(body) {
		return e, ResultMalformedJSON
	}
	top, ok := fields(body)
	if !ok {
		return e, ResultSchema
	}
	name, ok := str(top["event"])
	switch {
	case !ok || name == "":
		return e, ResultSchema
	case name != userjourneys.EventInterviewCompleted:
		return e, ResultUnknownEvent
	}
	data, ok := fields(top["data"])
	if !ok {
		return e, ResultSchema
	}
	e.raw = body
	interviewID, hasInterview := str(data["interview_id"])
	studyID, hasStudy := str(data["study_id"])
	status, hasStatus := str(data["status"])
	if !hasInterview || !usableID(interviewID) || !hasStudy || !usableID(studyID) || !hasStatus && !isNull(data["status"]) {
		return e, ResultSchema
	}
	e.interviewID, e.studyID, e.status = userjourneys.CanonicalID(interviewID), userjourneys.CanonicalID(studyID), status
	e.studyName, _ = str(data["study_name"])
	e.completedAt = firstTime(data["completed_at"], top["timestamp"])
	e.quality, e.language = label(str(data["quality_score"])), label(str(data["language"]))
	e.duration = seconds(data["duration_secs"])
	if ref := data["reference_id"]; !isNull(ref) {
		e.reference, ok = str(ref)
		e.badReference = !ok
	}
	return e, ResultAccepted
}

// eventOf reads an item of the provider's list of one study the same way.
func eventOf(i userjourneys.Interview, studyID string) (event, bool) {
	e := event{
		interviewID: userjourneys.CanonicalID(i.ID), studyID: userjourneys.CanonicalID(cmp.Or(i.StudyID, studyID)), status: i.Status,
		completedAt: plausible(i.CompletedAt), quality: label(i.QualityScore, true), language: label(i.Language, true),
		duration: i.Duration, reference: i.ReferenceID, raw: i.Raw,
	}
	return e, usableID(e.interviewID) && usableID(e.studyID)
}

// fields returns the members of a JSON object. It fails for anything else, and
// for an object in which a key appears twice.
func fields(raw []byte) (map[string]json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		if _, twice := members[name]; twice {
			return nil, false
		}
		members[name] = value
	}
	return members, true
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// str returns the string that raw is, if it is one. It refuses U+FFFD, which
// encoding/json writes in the place of bytes that are not UTF-8 and of half a
// surrogate pair: such a string is not the one that was sent.
func str(raw []byte) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil || strings.ContainsRune(s, utf8.RuneError) {
		return "", false
	}
	return s, true
}

// usableID accepts 1 to 128 characters that need no escaping in a URL (RFC 3986,
// section 2.3), or a colon. Ids are opaque, but they go into paths.
func usableID(s string) bool {
	if s == "" || len(s) > 128 || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("-_.~:", c) < 0 {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' }

// label returns s if it is a short word, or "".
func label(s string, ok bool) string {
	if ok && len(s) <= 64 && store.CheckID(s) == nil {
		return s
	}
	return ""
}

func firstTime(raws ...json.RawMessage) time.Time {
	for _, raw := range raws {
		if s, ok := str(raw); ok {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil && !plausible(t).IsZero() {
				return t
			}
		}
	}
	return time.Time{}
}

// plausible returns t, or the zero time if nobody can have been interviewed
// then. Not every database has the year 0, and JSON has no year 10000.
func plausible(t time.Time) time.Time {
	if year := t.UTC().Year(); year < 1970 || year >= 2200 {
		return time.Time{}
	}
	return t
}

func seconds(raw []byte) time.Duration {
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n < 0 || n > 1e6 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
