package pagetest

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing/iotest"
)

// A Splitter is a handler that writes a page in pieces.
type Splitter struct {
	Page string
	Cuts []int  // the positions between the pieces, in ascending order
	Ways []byte // how the pieces are written, in turn; nil means by Write

	Declare bool // set Content-Length
}

// Ways to write a piece.
const (
	byWrite = iota
	byWriteString
	byReadFrom
	byLimitedReader
	byOneByteReader
	byEmptyWrite // an empty Write first
	WaysToWrite
	ThenFlush = 1 << 3 // added to a way: flush afterwards
)

// ServeHTTP implements [http.Handler].
func (s Splitter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	if s.Declare {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.Page)))
	}
	from := 0
	for n, to := range append(s.Cuts, len(s.Page)) {
		piece := s.Page[from:to]
		from = to
		way := byte(0)
		if len(s.Ways) > 0 {
			way = s.Ways[n%len(s.Ways)]
		}
		var got int
		var got64 int64
		var err error
		switch way % ThenFlush % WaysToWrite {
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
		if way&ThenFlush != 0 {
			w.(http.Flusher).Flush()
		}
	}
}

// Flushes reports whether s ever flushes.
func (s Splitter) Flushes() bool {
	return slices.ContainsFunc(s.Ways, func(way byte) bool { return way&ThenFlush != 0 })
}
