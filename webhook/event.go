package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// An event is a completed interview, from a delivery or from the provider's list.
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

// decode decodes a body whose signature is right. It returns ResultAccepted if e
// is an interview.completed event. Keys are compared exactly, and none may appear
// twice: no other decoder may understand the body differently.
func decode(body []byte) (e event, r Result) {
	if !json.Valid(body) {
		return e, ResultMalformedJSON
	}
	top, isObject := members(body)
	name, isText := text(top["event"])
	switch {
	case !isObject || !isText || name == "":
		return e, ResultSchema
	case name != userjourneys.EventInterviewCompleted:
		return e, ResultUnknownEvent
	}
	data, isObject := members(top["data"])
	interviewID, _ := text(data["interview_id"])
	studyID, _ := text(data["study_id"])
	status, isText := text(data["status"])
	if !isObject || !usableID(interviewID) || !usableID(studyID) || !isText {
		return e, ResultSchema
	}
	e = event{
		interviewID: userjourneys.CanonicalID(interviewID), studyID: userjourneys.CanonicalID(studyID), status: status,
		completedAt: firstTime(data["completed_at"], top["timestamp"]), quality: label(text(data["quality_score"])), language: label(text(data["language"])),
		duration: seconds(data["duration_secs"]), raw: body,
	}
	e.studyName, _ = text(data["study_name"])
	e.reference, isText = text(data["reference_id"])
	e.badReference = !isText
	return e, ResultAccepted
}

// eventOf returns the event of an item in the list of one study, and whether its
// ids are usable.
func eventOf(i userjourneys.Interview, studyID string) (event, bool) {
	e := event{
		interviewID: userjourneys.CanonicalID(i.ID), studyID: userjourneys.CanonicalID(cmp.Or(i.StudyID, studyID)), status: i.Status,
		completedAt: plausible(i.CompletedAt), quality: label(i.QualityScore, true), language: label(i.Language, true),
		duration: i.Duration, reference: i.ReferenceID, badReference: i.UnreadableReference(), raw: i.Raw,
	}
	return e, usableID(e.interviewID) && usableID(e.studyID)
}

// members returns the members of a JSON object. It fails for any other value,
// and if two members have the same key. Keys that differ only in invalid Unicode are
// the same, because encoding/json replaces it.
func members(object []byte) (map[string]json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, _ := d.Token(); t != json.Delim('{') {
		return nil, false
	}
	all := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		name := key.(string)
		if _, twice := all[name]; twice {
			return nil, false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		all[name] = value
	}
	return all, true
}

// text returns the string in raw, and "" for null or no value. It fails for any
// other value. It also refuses U+FFFD, which encoding/json substitutes for invalid
// UTF-8 and unpaired surrogates: that is not the string that was sent.
func text(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 {
		return "", true
	}
	if json.Unmarshal(raw, &s) != nil || strings.ContainsRune(s, utf8.RuneError) {
		return "", false
	}
	return s, true
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_.~:-]{1,128}$`)

// usableID accepts 1 to 128 characters that need no escaping in a URL (RFC 3986,
// section 2.3), or a colon. Ids are opaque, but they go into paths.
func usableID(s string) bool { return s != "." && s != ".." && idPattern.MatchString(s) }

// label returns s if it is a short word, or "".
func label(s string, ok bool) string {
	if ok && len(s) <= 64 && store.CheckID(s) == nil {
		return s
	}
	return ""
}

// firstTime returns the first plausible time.
func firstTime(raws ...json.RawMessage) time.Time {
	for _, raw := range raws {
		s, _ := text(raw)
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && !plausible(t).IsZero() {
			return t
		}
	}
	return time.Time{}
}

// plausible returns t, or the zero time if no interview can have taken place
// then. Not every database has the year 0, and JSON has no year 10000.
func plausible(t time.Time) time.Time {
	if year := t.UTC().Year(); year < 1970 || year >= 2200 {
		return time.Time{}
	}
	return t
}

// seconds returns a duration of up to 1e6 seconds, or 0 for any other value.
func seconds(raw json.RawMessage) time.Duration {
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n < 0 || n > 1e6 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
