package webhook

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/webhook/webhooktest"
)

// The decoder is tested from inside: what it takes for what shows in the store
// only in part.

func TestDecodeKeys(t *testing.T) {
	t.Parallel()
	const good = `"interview_id":"i1","study_id":"s1","reference_id":"ada"`
	wrap := func(data string) string { return `{"event":"interview.completed","data":{` + data + `}}` }
	for name, c := range map[string]struct {
		body      string
		want      Result
		reference string
	}{
		"plain":                           {wrap(good), ResultAccepted, "ada"},
		"another case is another key":     {wrap(`"interview_id":"i1","study_id":"s1","Reference_ID":"eve"`), ResultAccepted, ""},
		"both cases":                      {wrap(good + `,"REFERENCE_ID":"eve"`), ResultAccepted, "ada"},
		"an escaped key is the same key":  {wrap(`"interview_id":"i1","study_id":"s1","reference\u005fid":"ada"`), ResultAccepted, "ada"},
		"twice":                           {wrap(good + `,"reference_id":"eve"`), ResultSchema, ""},
		"twice, once escaped":             {wrap(good + `,"reference\u005fid":"eve"`), ResultSchema, ""},
		"an unknown key twice":            {wrap(good + `,"x":1,"x":2`), ResultSchema, ""},
		"data twice":                      {`{"event":"interview.completed","data":{` + good + `},"data":{}}`, ResultSchema, ""},
		"event only in data":              {`{"data":{"event":"interview.completed",` + good + `}}`, ResultSchema, ""},
		"a key inside of another value":   {wrap(`"x":{"interview_id":"no"},"y":[{"reference_id":"eve"}],` + good), ResultAccepted, "ada"},
		"white space everywhere":          {"\n{ \"event\" :\t\"interview.completed\" , \"data\" : { \"interview_id\" : \"i1\" ,\r\n \"study_id\":\"s1\" , \"reference_id\" : \"ada\" } } \n", ResultAccepted, "ada"},
		"braces and quotes in strings":    {wrap(`"x":"}{\"][\\","study_name":"\\",` + good), ResultAccepted, "ada"},
		"two values":                      {wrap(good) + wrap(good), ResultMalformedJSON, ""},
		"a comma too many":                {wrap(good + ","), ResultMalformedJSON, ""},
		"empty object":                    {`{}`, ResultSchema, ""},
		"a lone surrogate in the user id": {wrap(`"interview_id":"i1","study_id":"s1","reference_id":"\ud800"`), ResultAccepted, "bad"},
		"dots for an id":                  {wrap(`"interview_id":"..","study_id":"s1"`), ResultSchema, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, r := decode([]byte(c.body))
			require.Equal(t, c.want, r)
			require.Equal(t, c.reference == "bad", e.badReference)
			if !e.badReference {
				require.Equal(t, c.reference, e.reference)
			}
		})
	}
}

// object reads an object with nothing but encoding/json's tokens. It fails for
// anything else and for a key that stands twice. doubtful is set where
// encoding/json changes what it reads: then the two need not agree.
func object(raw []byte) (fields map[string]json.RawMessage, doubtful, ok bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false, false
	}
	fields, ok = map[string]json.RawMessage{}, true
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, doubtful, false
		}
		name := key.(string)
		doubtful = doubtful || strings.ContainsRune(name, utf8.RuneError)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, doubtful, false
		}
		if _, twice := fields[name]; twice {
			ok = false
		}
		fields[name] = value
	}
	return fields, doubtful, ok
}

// text is a string by encoding/json.
func text(raw json.RawMessage) (s string, doubtful, ok bool) {
	var p *string
	if json.Unmarshal(raw, &p) != nil || p == nil {
		return "", false, false
	}
	return *p, strings.ContainsRune(*p, utf8.RuneError), true
}

// expected is what decode must say, by encoding/json alone. known is false where
// that cannot tell.
func expected(body []byte) (e event, r Result, known bool) {
	if !json.Valid(body) {
		return e, ResultMalformedJSON, true
	}
	top, doubtful, ok := object(body)
	if doubtful || !ok {
		return e, ResultSchema, !doubtful
	}
	name, doubtful, ok := text(top["event"])
	switch {
	case doubtful:
		return e, 0, false
	case !ok || name == "":
		return e, ResultSchema, true
	case name != "interview.completed":
		return e, ResultUnknownEvent, true
	}
	data, doubtful, ok := object(top["data"])
	if doubtful || !ok {
		return e, ResultSchema, !doubtful
	}
	for _, f := range []struct {
		into     *string
		name     string
		required bool
	}{{&e.interviewID, "interview_id", true}, {&e.studyID, "study_id", true}, {&e.status, "status", false}, {&e.reference, "reference_id", false}} {
		raw := data[f.name]
		absent := len(raw) == 0 || string(raw) == "null"
		s, doubtful, ok := text(raw)
		switch {
		case doubtful:
			return e, 0, false
		case f.name == "reference_id":
			e.badReference = !absent && !ok
		case f.required && !regexp.MustCompile(`^[A-Za-z0-9._~:-]{1,128}$`).MatchString(s), f.required && strings.Trim(s, ".") == "" && len(s) < 3, !ok && !absent:
			return e, ResultSchema, true
		}
		*f.into = s
	}
	return e, ResultAccepted, true
}

// FuzzDecode holds the decoder against encoding/json: it never panics, it
// accepts exactly what that finds well-formed, and takes no field of another
// spelling.
func FuzzDecode(f *testing.F) {
	b, err := json.Marshal(webhooktest.Completed("user_1"))
	require.NoError(f, err)
	f.Add(b)
	for _, s := range []string{
		`{"event":"interview.completed","data":{"interview_id":"a","study_id":"b","x":[{"y":"]}"}]}}`,
		`{"event":"interview.completed","data":{"interview_id":"a","study_id":"b","Reference_ID":"eve","reference_id":"\ud83d\ude42"}}`,
		`{"event":"interview.completed","data":{"interview_id":"a","study_id":"b","status":"completed","status":null}}`,
		`{"event":"interview.completed","data":{"interview\u005fid":"a","study_id":"b\u003a","duration_secs":1e400}}`,
		`{"data":{"interview_id":"a"},"event":"x"}`,
		" [1, {\"a\": \"\\\"\"}] ",
		`{"event":null}`, `null`, `"x"`, `{}{}`, "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, r := decode(body)
		want, reason, known := expected(body)
		if !known {
			return
		}
		require.Equal(t, reason, r, "%q", body)
		if r != ResultAccepted {
			return
		}
		require.Equal(t, strings.ToLower(want.interviewID), strings.ToLower(e.interviewID))
		require.Equal(t, strings.ToLower(want.studyID), strings.ToLower(e.studyID))
		require.Equal(t, want.status, e.status)
		require.Equal(t, want.badReference, e.badReference)
		if !e.badReference {
			require.Equal(t, want.reference, e.reference)
		}
		require.True(t, e.completedAt.IsZero() || e.completedAt.Year() >= 1970)
		require.GreaterOrEqual(t, e.duration, time.Duration(0))
	})
}

func TestPairedSurrogates(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`"plain"`: true, `"\u00e9"`: true, `"\ud83d\ude42"`: true, `"x\uD83D\uDE42\ud83d\ude42y"`: true, `"\\ud83d"`: true, `"\ufffd"`: true,
		`"\ud83d"`: false, `"\ude42"`: false, `"\ude42\ud83d"`: false, `"\ud83d\n\ude42"`: false, `"\ud83dx\ude42"`: false, `"\ud83d\ud83d\ude42"`: false, `"\ud83d\\ude42"`: false,
	} {
		require.Equal(t, want, paired([]byte(raw)), raw)
	}
}
