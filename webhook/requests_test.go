package webhook_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// TestRequests adds to the vectors, over TCP like them. Each case differs from the
// documented delivery in one thing.
func TestRequests(t *testing.T) {
	t.Parallel()
	doc := loadVectors(t).documented(t)
	good := webhooktest.Sign(secret, doc)
	bad := "sha256=" + strings.Repeat("0", 64)
	key := func(name, value string) []byte { // the documented body with another value
		from := bytes.Index(doc, []byte(`"`+name+`":`)) + len(name) + 3
		to := from + bytes.IndexAny(doc[from:], ",}")
		return append(append(bytes.Clone(doc[:from]), value...), doc[to:]...)
	}
	more := func(fields string) []byte {
		return bytes.Replace(doc, []byte(`"data":{`), []byte(`"data":{`+fields), 1)
	}
	type outcome struct {
		status         int
		effect, reason string
	}
	complete := outcome{200, "complete", "accepted"}
	anonymous := outcome{200, "anonymous", "bad_reference"}
	malformed := outcome{401, "none", "malformed_signature"}
	schema := outcome{400, "quarantine", "schema"}
	notJSON := outcome{400, "quarantine", "malformed_json"}
	for name, c := range map[string]struct {
		want       outcome
		body       []byte   // nil: the documented one
		signatures []string // nil: that of the body
		headers    [][2]string
		method     string
		framing    string
		mode       string
	}{
		"upper-case hex":                        {want: complete, signatures: []string{"sha256=" + strings.ToUpper(good[7:])}},
		"white space alone for a signature":     {want: outcome{401, "none", "missing_signature"}, signatures: []string{"  \t "}},
		"62 digits":                             {want: malformed, signatures: []string{good[:69]}},
		"65 digits":                             {want: malformed, signatures: []string{good + "0"}},
		"two fields, the second one good":       {want: complete, signatures: []string{bad, good}},
		"two fields, one empty":                 {want: complete, signatures: []string{"", good}},
		"an unknown scheme before":              {want: complete, signatures: []string{"v2=abc, " + good}},
		"an unknown scheme in its own field":    {want: complete, signatures: []string{"hmac-sha3.256=Zm9v", good}},
		"a timestamp beside":                    {want: complete, signatures: []string{"t=1773239520," + good}},
		"no comma between":                      {want: malformed, signatures: []string{bad + " " + good}},
		"a good one and garbage":                {want: malformed, signatures: []string{good + ",x"}},
		"a good one and a cut one":              {want: malformed, signatures: []string{good, good[:40]}},
		"a good one and an unknown with blanks": {want: malformed, signatures: []string{good + ",v2=a b"}},
		"sixteen":                               {want: complete, signatures: []string{strings.Repeat(bad+",", 15) + good}},
		"seventeen":                             {want: malformed, signatures: []string{strings.Repeat(bad+",", 16) + good}},
		"seventeen over several fields":         {want: malformed, signatures: append(make([]string, 0), strings.Split(strings.Repeat(bad+",", 16)+good, ",")...)},
		"sixteen forged":                        {want: outcome{401, "none", "bad_signature"}, signatures: []string{strings.TrimSuffix(strings.Repeat(bad+",", 16), ",")}},
		"signed with the empty key":             {want: outcome{401, "none", "bad_signature"}, signatures: []string{webhooktest.Sign("", doc)}},
		"signed with the key in upper case":     {want: outcome{401, "none", "bad_signature"}, signatures: []string{webhooktest.Sign(strings.ToUpper(secret), doc)}},

		"two codings in one field":      {want: outcome{415, "none", "content_encoding"}, headers: [][2]string{{"Content-Encoding", "identity, gzip"}}},
		"two fields of codings":         {want: outcome{415, "none", "content_encoding"}, headers: [][2]string{{"Content-Encoding", "identity"}, {"Content-Encoding", "br"}}},
		"identity in another case":      {want: complete, headers: [][2]string{{"Content-Encoding", "Identity"}}},
		"another event in the header":   {want: complete, headers: [][2]string{{"X-Webhook-Event", "study.closed"}}},
		"no content type":               {want: complete, headers: [][2]string{}},
		"HTTP/1.0":                      {want: complete, framing: "http10"},
		"Expect: 100-continue":          {want: complete, framing: "expect-continue"},
		"chunked, over the limit":       {want: outcome{413, "none", "too_large"}, framing: "chunked", body: append(bytes.Clone(doc), bytes.Repeat([]byte(" "), 65536)...)},
		"chunked, at the limit":         {want: complete, framing: "chunked", body: append(bytes.Clone(doc), bytes.Repeat([]byte(" "), 65536-len(doc))...)},
		"chunked and empty":             {want: outcome{400, "none", "malformed_json"}, framing: "chunked", body: []byte{}},
		"declares more than it sends":   {want: outcome{408, "none", "slow_body"}, framing: "declared:600"},
		"declares more than there is":   {want: outcome{413, "none", "too_large"}, framing: "declared:9000000000000"},
		"OPTIONS":                       {want: outcome{405, "none", "method"}, method: "OPTIONS"},
		"a method in lower case":        {want: outcome{405, "none", "method"}, method: "post"},
		"the store is down":             {want: outcome{503, "none", "store"}, mode: "down"},
		"the body is white space":       {want: notJSON, body: []byte(" \n")},
		"a byte order mark":             {want: notJSON, body: append([]byte("\xef\xbb\xbf"), doc...)},
		"two values":                    {want: notJSON, body: append(append(bytes.Clone(doc), ' '), doc...)},
		"a comma too many":              {want: notJSON, body: bytes.Replace(doc, []byte(`null}}`), []byte(`null,}}`), 1)},
		"a number":                      {want: schema, body: []byte("7")},
		"null":                          {want: schema, body: []byte("null")},
		"data is a string":              {want: schema, body: []byte(`{"event":"interview.completed","data":"x"}`)},
		"event is null":                 {want: schema, body: key("event", "null")},
		"event is a number":             {want: schema, body: key("event", "7")},
		"event is empty":                {want: schema, body: key("event", `""`)},
		"event twice":                   {want: schema, body: bytes.Replace(doc, []byte(`{"event"`), []byte(`{"event":"study.closed","event"`), 1)},
		"an interview id twice":         {want: schema, body: more(`"interview_id":"x",`)},
		"an unknown field twice":        {want: schema, body: more(`"x":1,"x":1,`)},
		"an unknown field twice inside": {want: complete, body: more(`"x":{"y":1,"y":2},`)},
		"data of an unknown event":      {want: outcome{200, "none", "unknown_event"}, body: []byte(`{"event":"study.closed"}`)},
		"a thousand unknown fields":     {want: complete, body: more(manyFields(1000))},
		"the thousandth twice":          {want: schema, body: more(manyFields(1000) + `"f999":0,`)},
		"deep nesting":                  {want: complete, body: more(`"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + ",")},
		"keys in another case":          {want: complete, body: more(`"Reference_Id":"user_99999","INTERVIEW_ID":7,`)},
		"only another case":             {want: outcome{200, "anonymous", "no_reference"}, body: bytes.Replace(doc, []byte(`"reference_id"`), []byte(`"Reference_ID"`), 1)},
		"an escaped key":                {want: complete, body: bytes.Replace(doc, []byte(`"reference_id"`), []byte(`"reference\u005fid"`), 1)},
		"bad UTF-8 where nobody looks":  {want: complete, body: key("study_name", "\"\xff\xfe\"")},

		"an id of 128 characters":    {want: complete, body: key("interview_id", `"`+strings.Repeat("a", 128)+`"`)},
		"an id of dots":              {want: schema, body: key("interview_id", `".."`)},
		"an id with a NUL":           {want: schema, body: key("interview_id", `"a\u0000b"`)},
		"an id with a blank":         {want: schema, body: key("interview_id", `"a b"`)},
		"an id of bad UTF-8":         {want: schema, body: key("interview_id", "\"\xff\"")},
		"an id that is an array":     {want: schema, body: key("interview_id", `["a"]`)},
		"study is a number":          {want: schema, body: key("study_id", "7")},
		"study is empty":             {want: schema, body: key("study_id", `""`)},
		"another study":              {want: outcome{200, "none", "other_study"}, body: key("study_id", `"e5f6a7b8-1234-56cd-ef78-222222222223"`)},
		"study in upper case":        {want: complete, body: key("study_id", `"`+strings.ToUpper(studyID)+`"`)},
		"status is null":             {want: complete, body: key("status", "null")},
		"status is a number":         {want: schema, body: key("status", "1")},
		"status is another word":     {want: outcome{200, "none", "not_completed"}, body: key("status", `"abandoned"`)},
		"status in upper case":       {want: outcome{200, "none", "not_completed"}, body: key("status", `"COMPLETED"`)},
		"quality is a number":        {want: complete, body: key("quality_score", "5")},
		"quality has a NUL":          {want: complete, body: key("quality_score", `"a\u0000"`)},
		"quality is long":            {want: complete, body: key("quality_score", `"`+strings.Repeat("q", 300)+`"`)},
		"language is null":           {want: complete, body: key("language", "null")},
		"duration is a string":       {want: complete, body: key("duration_secs", `"580"`)},
		"duration is negative":       {want: complete, body: key("duration_secs", "-1")},
		"duration is huge":           {want: complete, body: key("duration_secs", "1e400")},
		"completed_at is no time":    {want: complete, body: key("completed_at", `"yesterday"`)},
		"completed_at is a number":   {want: complete, body: key("completed_at", "1773239400")},
		"completed in the year 0":    {want: complete, body: key("completed_at", `"0000-01-01T00:00:00Z"`)},
		"completed in 10000, by UTC": {want: complete, body: key("completed_at", `"9999-12-31T23:59:59-12:00"`)},
		"completed in the year 9999": {want: complete, body: key("completed_at", `"9999-12-31T23:59:59Z"`)},
		"completed in the year 1":    {want: complete, body: key("completed_at", `"0001-01-01T00:00:00Z"`)},
		"completed in a leap second": {want: complete, body: key("completed_at", `"2026-06-30T23:59:60Z"`)},

		"reference is a number":       {want: anonymous, body: key("reference_id", "12345")},
		"reference is true":           {want: anonymous, body: key("reference_id", "true")},
		"reference is an array":       {want: anonymous, body: key("reference_id", `["user_1"]`)},
		"reference with a NUL":        {want: anonymous, body: key("reference_id", `"user_1\u0000"`)},
		"reference of bad UTF-8":      {want: anonymous, body: key("reference_id", "\"user_1\xff\"")},
		"reference, half a pair":      {want: anonymous, body: key("reference_id", `"user_1\ud83d"`)},
		"reference, a pair turned":    {want: anonymous, body: key("reference_id", `"user_1\ude42\ud83d"`)},
		"reference of 256 bytes":      {want: complete, body: key("reference_id", `"user_`+strings.Repeat("1", 251)+`"`)},
		"reference of 257 bytes":      {want: anonymous, body: key("reference_id", `"user_`+strings.Repeat("1", 252)+`"`)},
		"reference with an escape":    {want: complete, body: key("reference_id", `"user\u005f12345"`)},
		"reference still URL-encoded": {want: anonymous, body: key("reference_id", `"user%5F12345"`)},
		"reference with a newline":    {want: anonymous, body: key("reference_id", `"user_12345\n"`)},
		"reference is a blank":        {want: anonymous, body: key("reference_id", `" "`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opts webhook.Options
			if strings.HasPrefix(c.framing, "declared:") {
				opts.ReadTimeout = 100 * time.Millisecond
			}
			r := newReceiver(t, opts)
			r.store.set(c.mode)
			body := c.body
			if body == nil {
				body = doc
			}
			signatures := c.signatures
			if signatures == nil {
				signatures = []string{webhooktest.Sign(secret, body)}
			}
			headers := c.headers
			if headers == nil {
				headers = [][2]string{{"Content-Type", "application/json"}, {"X-Webhook-Event", "interview.completed"}}
			}
			for _, s := range signatures {
				headers = append(headers[:len(headers):len(headers)], [2]string{"X-Webhook-Signature", s})
			}
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			resp := r.send(t, request{Method: method, Path: "/", Framing: c.framing, Headers: headers}, body)
			got := outcome{resp.StatusCode, effect(t, state{}, r.state(t)), (<-r.reasons).String()}
			require.Equal(t, c.want, got)
			for c, err := range r.store.Completions(t.Context(), store.Filter{}) {
				require.NoError(t, err)
				require.NoError(t, store.CheckCompletion(c))
				require.Equal(t, studyID, c.StudyID)
				require.Greater(t, c.CompletedAt.Year(), 2000)
				require.Less(t, c.CompletedAt.Year(), 2200)
			}
		})
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":%d,`, i, i)
	}
	return b.String()
}
