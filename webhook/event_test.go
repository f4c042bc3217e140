package webhook_test

import (
	"context"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// decoded delivers a signed body and returns the result and what was recorded.
func decoded(t testing.TB, body []byte) (result webhook.Result, status int, recorded []store.Completion) {
	t.Helper()
	s := memstore.New()
	h, err := webhook.New(secret, s, &webhook.Options{Logger: discard, OnDelivery: func(_ context.Context, d webhook.Delivery) { result = d.Result }})
	require.NoError(t, err)
	status = post(h, body, webhooktest.Sign(secret, body))
	for c, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		recorded = append(recorded, c)
	}
	return result, status, recorded
}

func TestDecodeKeys(t *testing.T) {
	t.Parallel()
	const good = `"interview_id":"i1","study_id":"s1","reference_id":"ada"`
	wrap := func(data string) string { return `{"event":"interview.completed","data":{` + data + `}}` }
	for name, c := range map[string]struct {
		body      string
		want      webhook.Result
		reference string
	}{
		"plain":                           {wrap(good), webhook.ResultAccepted, "ada"},
		"another case is another key":     {wrap(`"interview_id":"i1","study_id":"s1","Reference_ID":"eve"`), webhook.ResultNoReference, ""},
		"both cases":                      {wrap(good + `,"REFERENCE_ID":"eve"`), webhook.ResultAccepted, "ada"},
		"an escaped key is the same key":  {wrap(`"interview_id":"i1","study_id":"s1","reference\u005fid":"ada"`), webhook.ResultAccepted, "ada"},
		"twice":                           {wrap(good + `,"reference_id":"eve"`), webhook.ResultSchema, ""},
		"twice, once escaped":             {wrap(good + `,"reference\u005fid":"eve"`), webhook.ResultSchema, ""},
		"an unknown key twice":            {wrap(good + `,"x":1,"x":2`), webhook.ResultSchema, ""},
		"data twice":                      {`{"event":"interview.completed","data":{` + good + `},"data":{}}`, webhook.ResultSchema, ""},
		"event only in data":              {`{"data":{"event":"interview.completed",` + good + `}}`, webhook.ResultSchema, ""},
		"a key inside of another value":   {wrap(`"x":{"interview_id":"no"},"y":[{"reference_id":"eve"}],` + good), webhook.ResultAccepted, "ada"},
		"white space everywhere":          {"\n{ \"event\" :\t\"interview.completed\" , \"data\" : { \"interview_id\" : \"i1\" ,\r\n \"study_id\":\"s1\" , \"reference_id\" : \"ada\" } } \n", webhook.ResultAccepted, "ada"},
		"braces and quotes in strings":    {wrap(`"x":"}{\"][\\","study_name":"\\",` + good), webhook.ResultAccepted, "ada"},
		"two values":                      {wrap(good) + wrap(good), webhook.ResultMalformedJSON, ""},
		"a comma too many":                {wrap(good + ","), webhook.ResultMalformedJSON, ""},
		"empty object":                    {`{}`, webhook.ResultSchema, ""},
		"a lone surrogate in the user id": {wrap(`"interview_id":"i1","study_id":"s1","reference_id":"\ud800"`), webhook.ResultBadReference, ""},
		"dots for an id":                  {wrap(`"interview_id":"..","study_id":"s1"`), webhook.ResultSchema, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, _, recorded := decoded(t, []byte(c.body))
			require.Equal(t, c.want, result)
			if c.want.Status() == 200 {
				require.Equal(t, c.reference, recorded[0].UserID)
			}
		})
	}
}

// FuzzDecode sends any body with a valid signature. It must be answered, and what is
// recorded must be valid.
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
		result, status, recorded := decoded(t, body)
		require.Equal(t, result.Status(), status)
		require.Equal(t, !json.Valid(body), result == webhook.ResultMalformedJSON || result == webhook.ResultTooLarge)
		if len(recorded) == 0 {
			return
		}
		require.NoError(t, store.CheckCompletion(recorded[0]))
		require.True(t, utf8.ValidString(recorded[0].UserID))
		require.GreaterOrEqual(t, recorded[0].CompletedAt.Year(), 1970)
	})
}
