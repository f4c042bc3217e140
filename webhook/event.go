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

// event is what is read of a delivery, or of an item of the provider's list.
type event struct {
	interviewID  string
	studyID      string
	studyName    string // "" when there is none
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
func decode(body []byte) (e event, r Result) {
	if !json.Valid(body) {
		return e, ResultMalformedJSON
	}
	var top [3]json.RawMessage
	if !fields(body, top[:], "event", "timestamp", "data") {
		return e, ResultSchema
	}
	name, ok := str(top[0])
	switch {
	case !ok || name == "":
		return e, ResultSchema
	case name != userjourneys.EventInterviewCompleted:
		return e, ResultUnknownEvent
	}
	var data [9]json.RawMessage
	if !fields(top[2], data[:], "interview_id", "study_id", "status", "completed_at", "quality_score", "language", "duration_secs", "reference_id", "study_name") {
		return e, ResultSchema
	}
	if e.interviewID, ok = id(data[0]); !ok {
		return e, ResultSchema
	}
	if e.studyID, ok = id(data[1]); !ok {
		return e, ResultSchema
	}
	if e.status, ok = str(data[2]); !ok && !isNull(data[2]) {
		return e, ResultSchema
	}
	e.studyName, _ = str(data[8])
	e.completedAt = firstTime(data[3], top[1])
	e.quality, e.language = label(str(data[4])), label(str(data[5]))
	e.duration = seconds(data[6])
	if !isNull(data[7]) {
		e.reference, ok = str(data[7])
		e.badReference = !ok
	}
	return e, ResultAccepted
}

// eventOf reads an item of the provider's list of one study the same way.
func eventOf(i userjourneys.Interview, studyID string) (event, bool) {
	e := event{
		interviewID: userjourneys.CanonicalID(i.ID), studyID: userjourneys.CanonicalID(cmp.Or(i.StudyID, studyID)), status: i.Status,
		completedAt: plausible(i.CompletedAt), quality: label(i.QualityScore, true), language: label(i.Language, true),
		duration: i.Duration, reference: i.ReferenceID,
	}
	return e, usableID(e.interviewID) && usableID(e.studyID)
}

// fields finds the raw values of the named keys of an object; those that are
// missing stay nil. It fails for anything but an object and for an object in
// which a key stands twice. The JSON is known to be valid.
func fields(raw []byte, values []json.RawMessage, names ...string) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 || raw[0] != '{' {
		return false
	}
	var seen keySet
	for i := 1; ; {
		i = skipSpace(raw, i)
		if raw[i] == '}' {
			return true
		}
		if raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
		end := skipValue(raw, i)
		key := raw[i+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			if s, ok := str(raw[i:end]); ok {
				key = []byte(s)
			}
		}
		if !seen.add(key) {
			return false
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

// keySet is a list of keys as long as they are few, as they always are: then it
// needs no memory but the stack.
type keySet struct {
	few  [24][]byte
	n    int // of few
	many map[string]bool
}

// add reports whether the key is new.
func (s *keySet) add(key []byte) bool {
	for _, k := range s.few[:s.n] {
		if bytes.Equal(k, key) {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = key
		s.n++
		return true
	}
	if s.many == nil {
		s.many = map[string]bool{}
	}
	known := s.many[string(key)]
	s.many[string(key)] = true
	return !known
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

// str is the string that raw is, if it is one, and one of Unicode characters:
// neither of bytes that are not UTF-8 nor with half of a surrogate pair.
func str(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || !utf8.Valid(raw) {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	return unescape(raw)
}

func unescape(raw []byte) (s string, ok bool) {
	return s, paired(raw) && json.Unmarshal(raw, &s) == nil
}

// paired reports whether the escapes of a valid JSON string name surrogates
// only in pairs. encoding/json would make U+FFFD of any other.
func paired(raw []byte) bool {
	high := -1 // where the escape before, of a high surrogate, ended
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		r, _ := strconv.ParseUint(string(raw[i+1:i+5]), 16, 16) // valid, as the JSON is
		low := 0xdc00 <= r && r <= 0xdfff
		if low != (high == i-1) {
			return false
		}
		i += 4
		if high = -1; 0xd800 <= r && r < 0xdc00 {
			if high = i + 1; high+1 >= len(raw) || raw[high] != '\\' || raw[high+1] != 'u' {
				return false
			}
		}
	}
	return true
}

func id(raw []byte) (string, bool) {
	s, ok := str(raw)
	return userjourneys.CanonicalID(s), ok && usableID(s)
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

// label is a short word of the provider's, or "" if it is not one.
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

// plausible is t, or zero if nobody can have been interviewed then: not every
// database has the year 0, nor JSON the year 10000.
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
