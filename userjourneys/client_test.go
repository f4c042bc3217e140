package userjourneys_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

func TestNewClientNamesEveryFault(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key, url string
		faults   []string
	}{
		"default":        {key, "", nil},
		"loopback":       {key, "http://127.0.0.1:1", nil},
		"loopback v6":    {key, "http://[::1]:1/api/", nil},
		"localhost":      {key, "http://localhost:1", nil},
		"no key":         {"", "", []string{"key is empty"}},
		"new line":       {key + "\n", "", []string{"white space"}},
		"not ASCII":      {key + "ä", "", []string{"white space or a character that no key has"}},
		"in clear":       {key, "http://example.com", []string{"must be https"}},
		"looks local":    {key, "http://localhost.example.com", []string{"must be https"}},
		"relative":       {key, "/api", []string{"not an absolute URL"}},
		"no URL":         {key, "https://a b", []string{"not an absolute URL"}},
		"user":           {key, "https://a:b@example.com", []string{"no user"}},
		"query":          {key, "https://example.com?a=b", []string{"no user, query"}},
		"two at once":    {"", "ftp://example.com", []string{"key is empty", "must be https"}},
		"secret in both": {key + " ", "https://" + key + "@example.com", []string{"white space", "no user"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := userjourneys.NewClient(tt.key, &userjourneys.Options{BaseURL: tt.url})
			if tt.faults == nil {
				require.NoError(t, err)
			}
			for _, fault := range tt.faults {
				require.ErrorContains(t, err, fault)
				require.NotContains(t, err.Error(), key)
			}
		})
	}
	_, err := userjourneys.NewClient(key, nil)
	require.NoError(t, err)
}

func TestRequestsSayWhoSendsThem(t *testing.T) {
	t.Parallel()
	for method, body := range map[string]string{"GET": "", "PUT": `{"events":["interview.completed"],"url":"https://example.com/"}`, "DELETE": ""} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			c := over(t, func(r *http.Request) (*http.Response, error) {
				require.Equal(t, method, r.Method)
				require.Equal(t, userjourneys.DefaultBaseURL+"/webhooks", r.URL.String())
				require.Equal(t, "Bearer "+key, r.Header.Get("Authorization"))
				require.Equal(t, "application/json", r.Header.Get("Accept"))
				require.Regexp(t, `^askonce/[0-9A-Za-z.+-]+ \(\+https://github.com/askonce/askonce\)$`, r.Header.Get("User-Agent"))
				if body != "" {
					b, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					require.JSONEq(t, body, string(b))
					require.Equal(t, "application/json", r.Header.Get("Content-Type"))
				}
				return answer(200, hook), nil
			}, 0)
			require.NoError(t, call(t, c, method))
		})
	}
}

func TestPutWebhookRefusesWhatNobodyCanDeliverTo(t *testing.T) {
	t.Parallel()
	c := over(t, func(*http.Request) (*http.Response, error) { panic("a request") }, 0)
	for _, u := range []string{"", "example.com/hook", "http://example.com/hook", "https:///hook", "ftp://127.0.0.1/", "https://a b/"} {
		_, err := c.PutWebhook(t.Context(), userjourneys.Webhook{URL: u})
		require.ErrorContains(t, err, "must be an absolute https URL", u)
	}
}

func TestFindStudy(t *testing.T) {
	t.Parallel()
	fake, c := fakeProvider(t)
	for i := range 120 {
		fake.AddStudy(userjourneystest.Study{ID: fmt.Sprintf("stu_%d", i), Name: fmt.Sprintf("Study %d", i)})
	}
	fake.AddStudy(userjourneystest.Study{Name: "Onboarding"})
	fake.AddStudy(userjourneystest.Study{Name: "Two of it"})
	fake.AddStudy(userjourneystest.Study{Name: "Two of it"})
	fake.AddStudy(userjourneystest.Study{ID: "a/b c", Name: "Odd id"})
	for _, tt := range []struct {
		find     string
		requests int
		err      error
	}{
		{"stu_110", 1, nil},
		{"Study 119", 2, nil},
		{"Onboarding", 3, nil},
		{"a/b c", 2, nil},
		{"Two of it", 2, userjourneys.ErrAmbiguous},
		{"study 1", 2, userjourneys.ErrNotFound},
		{"../webhooks", 2, userjourneys.ErrNotFound},
	} {
		before := len(fake.Requests())
		_, err := c.FindStudy(t.Context(), tt.find)
		require.ErrorIs(t, err, tt.err, tt.find)
		require.Len(t, fake.Requests(), before+tt.requests, tt.find)
	}
	_, err := c.FindStudy(t.Context(), "")
	require.ErrorContains(t, err, "is empty")
}

func TestFindStudyByNameWhenIDsAreRefused(t *testing.T) {
	t.Parallel()
	for status, ok := range map[int]bool{400: true, 404: true, 401: false, 500: false} {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/api/v1/studies" {
				return answer(status, `{"error":{"message":"not a UUID"}}`), nil
			}
			return answer(200, `{"data":[{"id":"1","name":"Onboarding"}]}`), nil
		}, 0)
		s, err := c.FindStudy(t.Context(), "Onboarding")
		require.Equal(t, ok, err == nil, status)
		require.Equal(t, ok, s.ID == "1", status)
	}
}

func TestAMissingListIsNoMissingStudy(t *testing.T) {
	t.Parallel()
	for _, study := range []string{"Onboarding", "Onboarding Feedback"} {
		c := over(t, func(*http.Request) (*http.Response, error) { return answer(404, "404 page not found"), nil }, 0)
		_, err := c.FindStudy(t.Context(), study)
		require.ErrorIs(t, err, userjourneys.ErrUnexpectedResponse)
		require.NotErrorIs(t, err, userjourneys.ErrNotFound)
		require.ErrorContains(t, err, "is the base URL the root of the API?")
	}
}

func TestIDsStayOneSegment(t *testing.T) {
	t.Parallel()
	fake, c := fakeProvider(t)
	st := fake.AddStudy(userjourneystest.Study{})
	for _, id := range []string{"a/b", "../webhooks", "a?b=c#d", "50%", "%2e%2e", "ä ö", "a;b", "..."} {
		fake.FinishInterview(st.ID, userjourneystest.Interview{ID: id})
		i, err := c.Interview(t.Context(), id)
		require.NoError(t, err, id)
		require.Equal(t, id, i.ID)
	}
	before := len(fake.Requests())
	for _, id := range []string{".", ".."} {
		_, err := c.Interview(t.Context(), id)
		require.ErrorIs(t, err, userjourneys.ErrNotFound)
	}
	_, err := c.Interview(t.Context(), "")
	require.ErrorContains(t, err, "is empty")
	require.Len(t, fake.Requests(), before)
}

func TestKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	opts := userjourneys.Options{MaxRetries: 1, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		fmt.Fprintf(w, `{"error":"no such key: %s"}`, r.Header.Get("Authorization"))
	}, opts)
	_, err := c.Webhook(t.Context())
	require.ErrorContains(t, err, "no such key")
	require.Contains(t, log.String(), "no such key")
	b, jsonErr := json.Marshal([]any{c, *c, err})
	require.NoError(t, jsonErr)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "client", c, "value", *c)
	type wrap struct{ c userjourneys.Client }
	shown := fmt.Sprintf("%v %+v %#v %+v %#v %+v", err, c, c, *c, *c, wrap{*c}) + string(b) + log.String()
	require.NotContains(t, shown, key)
}

// TestKeyIsNotShownWhenTheServerEchoesIt covers what net/http cannot parse and
// therefore quotes.
func TestKeyIsNotShownWhenTheServerEchoesIt(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"header":   "HTTP/1.1 200 OK\r\nBearer " + key + "\r\n\r\n",
		"status":   "HTTP/1.1 " + key + "\r\n\r\n",
		"trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nBearer " + key + "\r\n\r\n",
		"location": "HTTP/1.1 302 Found\r\nLocation: ://" + key + "\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && r.Header.Get("Authorization") == "Bearer "+key {
						io.WriteString(conn, reply)
					}
					conn.Close()
				}
			}()
			err = call(t, newClient(t, userjourneys.Options{BaseURL: "http://" + l.Addr().String(), MaxRetries: -1}), "GET")
			require.ErrorContains(t, err, "uj_…")
			require.NotContains(t, err.Error(), key)
		})
	}
}

func TestReferenceIDsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	c := over(t, func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, -1)
	for _, err := range c.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: "s", ReferenceID: "ada@example.com"}) {
		require.EqualError(t, err, "userjourneys: GET /interviews: unexpected EOF")
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 16 << 20
	for name, tt := range map[string]struct {
		status, size int
		gzip         bool
		err          error
	}{
		"50 MB":             {200, 50 << 20, false, userjourneys.ErrTooLarge},
		"50 MB, compressed": {200, 50 << 20, true, userjourneys.ErrTooLarge},
		"one more":          {200, limit + 1, false, userjourneys.ErrTooLarge},
		"just so":           {200, limit, false, nil},
		"an error's":        {401, 50 << 20, false, userjourneys.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			written := make(chan int, 1)
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				var to io.Writer = w
				if tt.gzip {
					w.Header().Set("Content-Encoding", "gzip")
					z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
					if err != nil {
						panic(err)
					}
					defer z.Close()
					to = z
				}
				w.WriteHeader(tt.status)
				n, _ := io.Copy(to, io.MultiReader(strings.NewReader(hook), io.LimitReader(spaces{}, int64(tt.size-len(hook)))))
				written <- int(n)
			}, userjourneys.Options{})
			require.ErrorIs(t, call(t, c, "GET"), tt.err)
			if tt.size > 2*limit && !tt.gzip {
				require.Less(t, <-written, tt.size, "the rest is not read")
			}
		})
	}
}

// spaces is an endless reader.
type spaces struct{}

var chunk = bytes.Repeat([]byte(" "), 1<<20)

func (spaces) Read(b []byte) (int, error) { return copy(b, chunk), nil }

func TestUnexpectedResponses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, contentType string }{
		"page of a captive proxy":     {`<html>Log in</html>`, "text/html; charset=utf-8"},
		"JSON that says it is a page": {`{"id":"1","url":"https://example.com/","data":[]}`, "text/html"},
		"cut in the middle":           {`{"id":"1","url":"https://exa`, "application/json"},
		"empty":                       {``, "application/json"},
		"null":                        {`null`, "application/json"},
		"a string":                    {`"hello"`, "application/json"},
		"no id, no url, no list":      {`{"message":"hello"}`, "application/json"},
		"of other types":              {`{"id":1,"url":2,"data":3}`, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			c := over(t, func(*http.Request) (*http.Response, error) {
				calls++
				return answer(200, tt.body, "Content-Type", tt.contentType), nil
			}, 0)
			_, err := c.Interview(t.Context(), "1")
			require.ErrorIs(t, err, userjourneys.ErrUnexpectedResponse)
			_, err = c.FindStudy(t.Context(), "1")
			require.ErrorIs(t, err, userjourneys.ErrUnexpectedResponse)
			require.ErrorIs(t, call(t, c, "GET"), userjourneys.ErrUnexpectedResponse)
			_, err = collect(t, c)
			require.ErrorIs(t, err, userjourneys.ErrUnexpectedResponse)
			require.Equal(t, 4, calls, "not tried again at once")
		})
	}
}

func TestBodyCutByTheConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	calls := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, hook)
			return
		}
		io.WriteString(w, hook)
	}, userjourneys.Options{})
	require.NoError(t, call(t, c, "GET"))
	require.Equal(t, 2, calls)
}

func TestRetryAfterOfEveryStatusIsKept(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 429, 500, 503} {
		c := over(t, func(*http.Request) (*http.Response, error) { return answer(status, "", "Retry-After", "17"), nil }, -1)
		var e *userjourneys.Error
		require.ErrorAs(t, call(t, c, "GET"), &e)
		require.Equal(t, userjourneys.Error{StatusCode: status, RetryAfter: 17 * time.Second}, *e)
	}
}

func TestErrorsCarryTheProvidersWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, words string }{
		"nested":     {`{"error":{"message":"no such study"}}`, "no such study"},
		"flat":       {`{"error":"no such study"}`, "no such study"},
		"message":    {`{"message":"no such study"}`, "no such study"},
		"controls":   {`{"message":"a\n\u001b[31mb"}`, "a  [31mb"},
		"long":       {`{"message":"` + strings.Repeat("ä", 150) + `"}`, strings.Repeat("ä", 100)},
		"not JSON":   {`<html>`, ""},
		"other type": {`{"error":7,"message":{}}`, ""},
	} {
		c := over(t, func(*http.Request) (*http.Response, error) { return answer(500, tt.body, "Retry-After", "17"), nil }, 0)
		var e *userjourneys.Error
		require.ErrorAs(t, call(t, c, "GET"), &e, name)
		require.Equal(t, userjourneys.Error{StatusCode: 500, Message: tt.words, RetryAfter: 17 * time.Second}, *e, name)
	}
}
