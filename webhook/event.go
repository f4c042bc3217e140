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
	var few, fewMore [16]member // of a documented event, without the heap
	top, ok := members(body, few[:0])
	if !ok {
		return e, ResultSchema
	}
	name, ok := str(top.value("event"))
	switch {
	case !ok || name == "":
		return e, ResultSchema
	case name != userjourneys.EventInterviewCompleted:
		return e, ResultUnknownEvent
	}
	data, ok := members(top.value("data"), fewMore[:0])
	if !ok {
		return e, ResultSchema
	}
	interviewID, hasInterview := str(data.value("interview_id"))
	studyID, hasStudy := str(data.value("study_id"))
	status, hasStatus := str(data.value("status"))
	if !hasInterview || !usableID(interviewID) || !hasStudy || !usableID(studyID) || !hasStatus && !isNull(data.value("status")) {
		return e, ResultSchema
	}
	e = event{interviewID: userjourneys.CanonicalID(interviewID), studyID: userjourneys.CanonicalID(studyID), status: status, raw: body}
	e.studyName, _ = str(data.value("study_name"))
	e.completedAt = firstTime(data.value("completed_at"), top.value("timestamp"))
	e.quality, e.language = label(str(data.value("quality_score"))), label(str(data.value("language")))
	e.duration = seconds(data.value("duration_secs"))
	if ref := data.value("reference_id"); !isNull(ref) {
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
		duration: i.Duration, reference: i.ReferenceID, badReference: i.UnreadableReference(), raw: i.Raw,
	}
	return e, usableID(e.interviewID) && usableID(e.studyID)
}

// An object is a JSON object, as its members in their order.
type object []member

type member struct {
	key   []byte
	value []byte // raw
}

// value returns the raw value of the key, or nil.
func (o object) value(key string) []byte {
	for _, m := range o {
		if string(m.key) == key {
			return m.value
		}
	}
	return nil
}

// members appends the members of an object to o, if raw is one. The JSON is known
// to be valid. It fails for anything but an object, and for one in which a key
// appears twice.
//
// encoding/json cannot do that cheaply: its Decoder shows every key but is several
// times slower, and Unmarshal keeps the last of two equal keys and, for a struct,
// matches keys in another case.
func members(raw []byte, o object) (object, bool) {
	raw = bytes.TrimLeft(raw, blanks)
	if len(raw) == 0 || raw[0] != '{' {
		return nil, false
	}
	for rest := bytes.TrimLeft(raw[1:], blanks); rest[0] != '}'; rest = bytes.TrimLeft(rest, blanks+",") {
		end := valueLen(rest)
		key := rest[1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			if s, ok := str(rest[:end]); ok {
				key = []byte(s)
			}
		}
		if o.value(string(key)) != nil {
			return nil, false
		}
		rest = bytes.TrimLeft(rest[end:], blanks+":")
		end = valueLen(rest)
		o = append(o, member{key, rest[:end]})
		rest = rest[end:]
	}
	return o, true
}

const blanks = " \t\r\n"

// valueLen returns the length of the JSON value that raw begins with.
func valueLen(raw []byte) int {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // behind a number, true, false or null
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(raw)
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// str returns the string that raw is, if it is one. It refuses U+FFFD, which
// encoding/json writes in the place of bytes that are not UTF-8 and of half a
// surrogate pair: such a string is not the one that was sent.
func str(raw []byte) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	if s = string(raw[1 : len(raw)-1]); strings.IndexByte(s, '\\') >= 0 && json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError)
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

func firstTime(raws ...[]byte) time.Time {
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
