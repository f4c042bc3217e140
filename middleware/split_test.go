package middleware_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// splitter writes a page in pieces, each in the way that its number says.
type splitter struct {
	page string
	cuts []int // where the page is cut, ascending
	ways []byte
	// declare announces the Content-Length.
	declare bool
}

const (
	byWrite = iota
	byWriteString
	byReadFrom
	byLimitedReader
	byOneByteReader
	byEmptyWrite // and then Write
	waysToWrite
	thenFlush = 1 << 3 // besides
)

func (s splitter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	if s.declare {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.page)))
	}
	from := 0
	for n, to := range append(s.cuts, len(s.page)) {
		piece := s.page[from:to]
		from = to
		way := byte(0)
		if len(s.ways) > 0 {
			way = s.ways[n%len(s.ways)]
		}
		var got int
		var got64 int64
		var err error
		switch way % thenFlush % waysToWrite {
		case byWrite:
			got, err = w.Write([]byte(piece))
		case byWriteString:
			got, err = w.(io.StringWriter).WriteString(piece)
		case byReadFrom:
			got64, err = w.(io.ReaderFrom).ReadFrom(strings.NewReader(piece))
		case byLimitedReader:
			got64, err = io.Copy(w, io.LimitReader(strings.NewReader(piece), int64(len(piece))+int64(way)))
		case byOneByteReader:
			got64, err = w.(io.ReaderFrom).ReadFrom(iotest.OneByteReader(strings.NewReader(piece)))
		case byEmptyWrite:
			_, _ = w.Write(nil)
			got, err = w.Write([]byte(piece))
		}
		if err != nil || got+int(got64) != len(piece) {
			panic("a write must take all of its input")
		}
		if way&thenFlush != 0 {
			w.(http.Flusher).Flush()
		}
	}
}

// Where the output is cut into writes must not show.
func TestEveryTwoWaySplit(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	for _, tt := range traps {
		want, outcome := i.serve(t, pageRequest(), splitter{page: tt.page}.ServeHTTP)
		for cut := range len(tt.page) {
			way := byte(cut)
			got, o := i.serve(t, pageRequest(), splitter{page: tt.page, cuts: []int{cut}, ways: []byte{way % waysToWrite, way / 5 % waysToWrite}, declare: cut%2 == 0}.ServeHTTP)
			require.Equal(t, outcome, o, "%q cut at %d", tt.page, cut)
			require.Equal(t, want.Body.String(), strings.TrimRight(got.Body.String(), " ")+trailing(want.Body.String()), "%q cut at %d", tt.page, cut)
		}
	}
}

func trailing(s string) string { return s[len(strings.TrimRight(s, " ")):] }

func TestRandomSplitsOfLargePages(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		page := "<!doctype html><body>" + filler(rnd.IntN(20_000)) + traps[n%len(traps)].page
		want, outcome := i.serve(t, pageRequest(), splitter{page: page}.ServeHTTP)
		var cuts []int
		for at := 0; at < len(page); {
			cuts = append(cuts, at)
			at += 1 + rnd.IntN([]int{3, 64, 700, 1024, 4096, 9000}[rnd.IntN(6)])
		}
		ways := make([]byte, 7)
		for k := range ways {
			ways[k] = byte(rnd.IntN(waysToWrite))
		}
		got, o := i.serve(t, pageRequest(), splitter{page: page, cuts: cuts, ways: ways}.ServeHTTP)
		require.Equal(t, outcome, o)
		require.True(t, bytes.Equal(want.Body.Bytes(), got.Body.Bytes()), "page %d", n)
	}
}

// FuzzInject holds the writer to what nothing may break: what comes out, without
// the snippet or the spaces in its place, is what went in, and only Injected
// means that the snippet is there.
func FuzzInject(f *testing.F) {
	for n, tt := range traps {
		f.Add(tt.page, uint16(n), []byte{byte(n), byte(n * 7), byte(n * 13)}, n%2 == 0, n%3 == 0, uint16(n*37))
	}
	i := newInjector(f, middleware.Options{})
	snippet := snippetOf(f, i)
	f.Fuzz(func(t *testing.T, page string, cut uint16, ways []byte, declare, navigation bool, long uint16) {
		if strings.Contains(page, snippet[:8]) {
			return // the judge could not tell
		}
		if long > 0 {
			page = "<!doctype html>" + filler(int(long)) + page
		}
		s := splitter{page: page, ways: ways, declare: declare}
		for at := 0; at < len(page) && len(s.cuts) < 1000; at += 1 + int(cut)*(1+len(s.cuts)%5) {
			s.cuts = append(s.cuts, at)
		}
		r := pageRequest()
		if navigation {
			r.Header.Set("Sec-Fetch-Dest", "document")
		}
		rec, outcome := i.serve(t, r, s.ServeHTTP)
		body := rec.Body.String()
		rest, at := without(t, body, snippet)
		if at < 0 && declare && len(body) > len(page) {
			rest = strings.TrimSuffix(body, strings.Repeat(" ", len(snippet)))
		}
		require.Equal(t, page, rest)
		require.Equal(t, outcome == middleware.OutcomeInjected, at >= 0, outcome)
		if length := rec.Header().Get("Content-Length"); length != "" {
			require.Equal(t, strconv.Itoa(len(body)), length, "what is announced is what comes")
		}
	})
}
