package memstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

type memoryCheckpoint struct {
	holder, state string
	until         time.Time
}

// AddDeadLetter implements DeadLetters.
func (m *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	sum := sha256.Sum256(d.Body)
	d.ID, d.ReceivedAt, d.Body = hex.EncodeToString(sum[:]), store.Instant(d.ReceivedAt), bytes.Clone(d.Body)
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, known := m.letters[d.ID]; !known {
		m.letters[d.ID] = d
	}
	return nil
}

// DeadLetters implements DeadLetters.
func (m *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		if err := m.rlock(ctx); err != nil {
			yield(store.DeadLetter{}, err)
			return
		}
		found := slices.SortedFunc(maps.Values(m.letters), func(a, b store.DeadLetter) int {
			return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.ID, b.ID))
		})
		m.mu.RUnlock()
		for i := range found {
			found[i].Body = bytes.Clone(found[i].Body)
		}
		yieldAll(ctx, found, yield)
	}
}

// DeleteDeadLetter implements DeadLetters.
func (m *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.letters[id]; !ok {
		return store.ErrNotFound
	}
	delete(m.letters, id)
	return nil
}

// Acquire implements Checkpoints.
func (m *Store) Acquire(ctx context.Context, name, holder string, now time.Time, lease time.Duration) (state string, held bool, err error) {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return "", false, err
	}
	if err := m.lock(ctx); err != nil {
		return "", false, err
	}
	defer m.mu.Unlock()
	c := m.checkpoints[name]
	if c.holder != "" && c.holder != holder && c.until.After(now) {
		return c.state, true, nil
	}
	m.checkpoints[name] = memoryCheckpoint{holder, c.state, now.Add(lease)}
	return c.state, false, nil
}

// Save implements Checkpoints.
func (m *Store) Save(ctx context.Context, name, holder, state string, until time.Time) error {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.checkpoints[name].holder != holder {
		return store.ErrLeaseLost
	}
	m.checkpoints[name] = memoryCheckpoint{holder, state, until}
	return nil
}
