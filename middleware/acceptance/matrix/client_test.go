package matrix

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// observation is all that a client, and the app's own log, see of a response.
type observation struct {
	failure       string // of the request
	cut           bool   // the body broke off
	status        int
	header        http.Header
	trailer       http.Header
	informational []string
	raw           []byte // as it came
	body          []byte // decoded
	notes         map[string]string
}

// server serves one application over HTTP/1.1 and HTTP/2.
type server struct{ url string }

func serve(t *testing.T, h http.Handler) server {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ErrorLog = silent
	s.Start()
	t.Cleanup(s.Close)
	return server{s.URL}
}

// newClient speaks one protocol, and adds and decodes nothing of its own.
func newClient(t *testing.T, http2 bool) *http.Client {
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4, Protocols: new(http.Protocols)}
	if http2 {
		tr.Protocols.SetUnencryptedHTTP2(true)
	} else {
		tr.Protocols.SetHTTP1(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

var cells atomic.Int64

// get sends a row's request as the user and observes the answer.
func get(t *testing.T, c *http.Client, s server, w row, user string) *observation {
	id := strconv.FormatInt(cells.Add(1), 10)
	rec := newRecord(id)
	defer records.Delete(id)
	o := &observation{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		o.informational = append(o.informational, fmt.Sprint(code, h))
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, w.method, s.url+w.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Accept-Encoding": {"gzip"}, "Sec-Fetch-Dest": {"document"},
		"X-User": {user}, "X-Cell": {id},
	}
	for name, v := range w.header {
		r.Header.Set(name, v)
	}
	resp, err := c.Do(r)
	if err != nil {
		o.failure = "no response"
		return o
	}
	defer resp.Body.Close()
	o.status, o.header = resp.StatusCode, resp.Header
	o.header.Del("Date")
	o.header["(length)"] = []string{strconv.FormatInt(resp.ContentLength, 10)}
	o.read(resp, rec)
	o.trailer = resp.Trailer
	o.notes = rec.wait()
	return o
}

// read reads the body piece by piece, and tells the handlers how far it is.
func (o *observation) read(resp *http.Response, rec *record) {
	var raw bytes.Buffer
	var body io.Reader = io.TeeReader(resp.Body, &raw)
	defer func() { o.raw = raw.Bytes() }()
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			_, err2 := io.Copy(io.Discard, body)
			o.cut = err2 != nil || err != io.EOF && err != gzip.ErrHeader
			o.body = raw.Bytes()
			return
		}
		body = z
	}
	p := make([]byte, 4<<10)
	for {
		n, err := body.Read(p)
		o.body = append(o.body, p[:n]...)
		if n > 0 {
			rec.got(string(o.body))
		}
		if err != nil {
			o.cut = err != io.EOF
			return
		}
	}
}

// wait returns the notes when the outermost logger has made its own, of which
// the size is the last.
func (rec *record) wait() map[string]string {
	deadline := time.After(patience)
	for {
		rec.mu.Lock()
		_, done := rec.notes["outer size"]
		notes, more := maps.Clone(rec.notes), rec.more
		rec.mu.Unlock()
		if done {
			return notes
		}
		select {
		case <-more:
		case <-deadline:
			return notes
		}
	}
}
