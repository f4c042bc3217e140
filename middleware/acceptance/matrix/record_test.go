package matrix

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// record is what one request's handlers noted, and how far its client has read.
type record struct {
	mu    sync.Mutex
	notes map[string]string
	read  string
	more  chan struct{} // closed when something has changed
}

var records sync.Map // by the request's X-Cell

func newRecord(id string) *record {
	r := &record{notes: map[string]string{}, more: make(chan struct{})}
	records.Store(id, r)
	return r
}

func recordOf(r *http.Request) *record {
	if rec, ok := records.Load(r.Header.Get("X-Cell")); ok {
		return rec.(*record)
	}
	return newRecord(r.Header.Get("X-Cell"))
}

func note(r *http.Request, key, value string) {
	rec := recordOf(r)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.notes[key] = value
	rec.changed()
}

// got tells what the client has read so far.
func (rec *record) got(read string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.read = read
	rec.changed()
}

// changed wakes those that wait. The caller holds the lock.
func (rec *record) changed() {
	close(rec.more)
	rec.more = make(chan struct{})
}

// await returns when the client has read the marker: what was flushed before
// must not wait for what is written after. If it waits, that is noted.
func await(r *http.Request, marker string) {
	rec := recordOf(r)
	deadline := time.After(patience)
	for {
		rec.mu.Lock()
		arrived, more := strings.Contains(rec.read, marker), rec.more
		rec.mu.Unlock()
		if arrived {
			return
		}
		select {
		case <-more:
		case <-deadline:
			note(r, "late "+marker, "yes")
			return
		}
	}
}

// patience is how long a flushed piece may take to arrive.
const patience = 2 * time.Second
