package webhook

import (
	"encoding/json"
	"strings"
	"testing"

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
		want      Reason
		reference string
	}{
		"plain":                           {wrap(good), Accepted, "ada"},
		"another case is another key":     {wrap(`"interview_id":"i1","study_id":"s1","Reference_ID":"eve"`), Accepted, ""},
		"both cases":                      {wrap(good + `,"REFERENCE_ID":"eve"`), Accepted, "ada"},
		"an escaped key is the same key":  {wrap(`"interview_id":"i1","study_id":"s1","reference\u005fid":"ada"`), Accepted, "ada"},
		"twice":                           {wrap(good + `,"reference_id":"eve"`), Schema, ""},
		"twice, once escaped":             {wrap(good + `,"reference\u005fid":"eve"`), Schema, ""},
		"an unknown key twice":            {wrap(good + `,"x":1,"x":2`), Schema, ""},
		"data twice":                      {`{"event":"interview.completed","data":{` + good + `},"data":{}}`, Schema, ""},
		"event only in data":              {`{"data":{"event":"interview.completed",` + good + `}}`, Schema, ""},
		"a key inside of another value":   {wrap(`"x":{"interview_id":"no"},"y":[{"reference_id":"eve"}],` + good), Accepted, "ada"},
		"white space everywhere":          {"\n{ \"event\" :\t\"interview.completed\" , \"data\" : { \"interview_id\" : \"i1\" ,\r\n \"study_id\":\"s1\" , \"reference_id\" : \"ada\" } } \n", Accepted, "ada"},
		"braces and quotes in strings":    {wrap(`"x":"}{\"][\\","study_name":"\\",` + good), Accepted, "ada"},
		"two values":                      {wrap(good) + wrap(good), MalformedJSON, ""},
		"a comma too many":                {wrap(good + ","), MalformedJSON, ""},
		"empty object":                    {`{}`, Schema, ""},
		"a lone surrogate in the user id": {wrap(`"interview_id":"i1","study_id":"s1","reference_id":"\ud800"`), Accepted, "bad"},
		"dots for an id":                  {wrap(`"interview_id":"..","study_id":"s1"`), Schema, ""},
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

// FuzzDecode holds the decoder against encoding/json: it never panics, and what
// it accepts says the same there, under exactly the documented keys.
func FuzzDecode(f *testing.F) {
	b, err := json.Marshal(webhooktest.Completed("user_1"))
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"event":"interview.completed","data":{"interview_id":"a","study_id":"b","x":[{"y":"]}"}]}}`))
	f.Add([]byte(`{"data":{"interview_id":"a"},"event":"x"}`))
	f.Add([]byte(" [1, {\"a\": \"\\\"\"}] "))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, r := decode(body)
		require.Equal(t, !json.Valid(body), r == MalformedJSON)
		if r != Accepted {
			return
		}
		var top, data map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &top))
		require.NoError(t, json.Unmarshal(top["data"], &data))
		read := func(raw json.RawMessage) (s string) {
			_ = json.Unmarshal(raw, &s)
			return s
		}
		require.Equal(t, "interview.completed", read(top["event"]))
		require.Equal(t, canonical(read(data["interview_id"])), e.interviewID)
		require.Equal(t, canonical(read(data["study_id"])), e.studyID)
		if !e.badReference {
			require.Equal(t, read(data["reference_id"]), e.reference)
		}
		require.NotContains(t, e.interviewID, "/")
		require.False(t, strings.ContainsAny(e.studyID, "/?#% "))
	})
}
