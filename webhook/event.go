package webhook

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// event is what is read of a delivery, or of an item of the provider's list.
type event struct {
	interviewID  string
	studyID      string
	status       string // "" when there is none
	completedAt  time.Time
	quality      string
	language     string
	duration     time.Duration
	reference    string
	badReference bool // there is a reference, but not one that can be used
}

// decode reads an authentic body. Keys are compared exactly and none may stand
// twice: two readers of one body must not see two different things. It returns
// Accepted when e is an interview.completed.
func decode(body []byte) (e event, r Reason) {
	if !json.Valid(body) {
		return e, MalformedJSON
	}
	top, ok := fields(body, "event", "timestamp", "data")
	if !ok {
		return e, Schema
	}
	name, ok := str(top[0])
	switch {
	case !ok:
		return e, Schema
	case name != userjourneys.EventInterviewCompleted:
		return e, UnknownEvent
	}
	data, ok := fields(top[2], "interview_id", "study_id", "status", "completed_at", "quality_score", "language", "duration_secs", "reference_id")
	if !ok {
		return e, Schema
	}
	e.interviewID, ok = id(data[0])
	if !ok {
		return e, Schema
	}
	if e.studyID, ok = id(data[1]); !ok {
		return e, Schema
	}
	if e.status, ok = str(data[2]); !ok && !isNull(data[2]) {
		return e, Schema
	}
	e.completedAt = firstTime(data[3], top[1])
	e.quality, e.language = label(data[4]), label(data[5])
	e.duration = seconds(data[6])
	if !isNull(data[7]) {
		e.reference, ok = str(data[7])
		e.badReference = !ok || strings.ContainsRune(e.reference, utf8.RuneError)
	}
	return e, Accepted
}

// eventOf reads an item of the provider's list the same way.
func eventOf(i userjourneys.Interview) (event, bool) {
	e := event{
		interviewID: i.ID, studyID: i.StudyID, status: i.Status, completedAt: i.CompletedAt,
		quality: i.QualityScore, language: i.Language, duration: i.Duration, reference: i.ReferenceID,
	}
	e.interviewID = canonical(e.interviewID)
	return e, usableID(i.ID) && usableID(i.StudyID)
}

// fields returns the raw values of the named keys of an object, nil for those
// that are missing. It fails for anything but an object and for an object in
// which a key stands twice. The JSON is known to be valid.
func fields(raw []byte, names ...string) (values [][]byte, ok bool) {
	const maxKeys = 256
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 || raw[0] != '{' {
		return nil, false
	}
	values = make([][]byte, len(names))
	var keys [][]byte
	for i := 1; ; {
		i = skipSpace(raw, i)
		if raw[i] == '}' {
			return values, true
		}
		if raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
		end := skipValue(raw, i)
		key := raw[i+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			var s string
			if json.Unmarshal(raw[i:end], &s) != nil {
				return nil, false
			}
			key = []byte(s)
		}
		for _, other := range keys {
			if bytes.Equal(key, other) {
				return nil, false
			}
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, false
		}
		i = skipSpace(raw, skipSpace(raw, end)+1) // behind the colon
		end = skipValue(raw, i)
		for n, name := range names {
			if string(key) == name {
				values[n] = raw[i:end]
			}
		}
		i = end
	}
}

func skipSpace(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\r' || raw[i] == '\n' {
		i++
	}
	return i
}

// skipValue returns where the value that begins at i ends.
func skipValue(raw []byte, i int) int {
	depth := 0
	for ; i < len(raw); i++ {
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
			if depth--; depth <= 0 {
				return i + 1 + min(depth, 0)
			}
		case ',', ' ', '\t', '\r', '\n', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// str is the string that raw is, if it is one of valid UTF-8.
func str(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || !utf8.Valid(raw) {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	return s, json.Unmarshal(raw, &s) == nil
}

func id(raw []byte) (string, bool) {
	s, ok := str(raw)
	return canonical(s), ok && usableID(s)
}

// usableID accepts 1 to 128 characters that stand for themselves in a URL (RFC
// 3986, section 2.3), or a colon. Ids are opaque, but they go into paths.
func usableID(s string) bool {
	if s == "" || len(s) > 128 || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~:", c) >= 0) {
			return false
		}
	}
	return true
}

// canonical makes one spelling of the two that a UUID has (RFC 9562, section
// 4). Any other id is left as it is.
func canonical(s string) string {
	if len(s) != 36 {
		return s
	}
	for i := range len(s) {
		c := s[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hexadecimal := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
		if dash != (c == '-') || !dash && !hexadecimal {
			return s
		}
	}
	return strings.ToLower(s)
}

// label is a short word of the provider's, or "" if it is not one.
func label(raw []byte) string {
	if s, ok := str(raw); ok && len(s) <= 64 && store.CheckID(s) == nil {
		return s
	}
	return ""
}

func firstTime(raws ...[]byte) time.Time {
	for _, raw := range raws {
		if s, ok := str(raw); ok {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

func seconds(raw []byte) time.Duration {
	var n float64
	if json.Unmarshal(raw, &n) != nil || n < 0 || n > 1e6 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
