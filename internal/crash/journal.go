//go:build unix

package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"sync"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// A Journal is a durable store for tests: a memstore whose completions are also
// appended to a file before Record returns. The queue is rebuilt from the
// completions. Nothing else is durable.
type Journal struct {
	*memstore.Store
	mu   sync.Mutex
	file *os.File
}

// OpenJournal returns the Journal of the file. It drops a line that a killed
// process has left unfinished.
func OpenJournal(path string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{Store: memstore.New(), file: file}
	in := bufio.NewReader(file)
	var end int64
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var c store.Completion
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, err
		}
		if _, err := j.Store.Record(context.Background(), c); err != nil {
			return nil, err
		}
		end += int64(len(line))
	}
	if err := file.Truncate(end); err != nil {
		return nil, err
	}
	_, err = file.Seek(end, 0)
	return j, err
}

// Record appends c to the file, syncs it, and records c.
func (j *Journal) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line, err := json.Marshal(c)
	if err != nil {
		return false, err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return false, err
	}
	if err := j.file.Sync(); err != nil {
		return false, err
	}
	return j.Store.Record(ctx, c)
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
