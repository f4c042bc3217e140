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
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// AddDeadLetter implements [store.DeadLetters].
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	sum := sha256.Sum256(d.Body)
	d.ID, d.ReceivedAt, d.Body = hex.EncodeToString(sum[:]), store.Instant(d.ReceivedAt), bytes.Clone(d.Body)
	if err := s.lock(ctx, nil); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, known := s.letters[d.ID]; !known {
		s.letters[d.ID] = d
	}
	return nil
}

// DeadLetters implements [store.DeadLetters].
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		if err := s.rlock(ctx, nil); err != nil {
			yield(store.DeadLetter{}, err)
			return
		}
		found := slices.SortedFunc(maps.Values(s.letters), func(a, b store.DeadLetter) int {
			return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
		})
		s.mu.RUnlock()
		for i := range found {
			found[i].Body = bytes.Clone(found[i].Body)
		}
		yieldAll(ctx, found, yield)
	}
}

// DeleteDeadLetter implements [store.DeadLetters].
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if err := s.lock(ctx, nil); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.letters[id]; !ok {
		return store.ErrNotFound
	}
	delete(s.letters, id)
	return nil
}

type checkpoint struct {
	holder, state string
	until         time.Time
}

// Acquire implements [store.Checkpoints].
func (s *Store) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	if err := s.lock(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return "", false, err
	}
	defer s.mu.Unlock()
	c := s.checkpoints[name]
	if c.holder != holder && c.until.After(time.Now()) {
		return c.state, false, nil
	}
	s.checkpoints[name] = checkpoint{holder, c.state, time.Now().Add(lease)}
	return c.state, true, nil
}

// Save implements [store.Checkpoints].
func (s *Store) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	if err := s.lock(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.checkpoints[name].holder != holder {
		return store.ErrLeaseLost
	}
	s.checkpoints[name] = checkpoint{holder, state, time.Now().Add(lease)}
	return nil
}

// Release implements [store.Checkpoints].
func (s *Store) Release(ctx context.Context, name, holder, state string) error {
	return s.Save(ctx, name, holder, state, 0)
}

// SetSwitch implements [store.Switches].
func (s *Store) SetSwitch(ctx context.Context, sw store.Switch) error {
	if err := s.lock(ctx, store.CheckSwitch(sw)); err != nil {
		return err
	}
	defer s.mu.Unlock()
	sw.At = store.Instant(sw.At)
	if had, ok := s.switches[sw.Name]; !ok || !sw.At.Before(had.At) {
		s.switches[sw.Name] = sw
	}
	return nil
}

// Switches implements [store.Switches].
func (s *Store) Switches(ctx context.Context) ([]store.Switch, error) {
	if err := s.rlock(ctx, nil); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.switches), func(a, b store.Switch) int { return strings.Compare(a.Name, b.Name) }), nil
}

// DeleteExpired implements [store.Retention].
func (s *Store) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (n int, err error) {
	if err := s.lock(ctx, store.CheckExpirable(what)); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	switch what {
	case store.ExpirableTranscripts:
		n = deleteSome(s.transcripts, limit, func(t store.Transcript) bool {
			return t.FetchedAt.Before(before) && s.jobs[t.InterviewID] == nil
		})
	case store.ExpirableDeadJobs:
		n = deleteSome(s.jobs, limit, func(j *job) bool { return j.dead && j.queuedAt.Before(before) })
	case store.ExpirableDeadLetters:
		n = deleteSome(s.letters, limit, func(d store.DeadLetter) bool { return d.ReceivedAt.Before(before) })
	}
	return n, nil
}

func deleteSome[V any](m map[string]V, limit int, expired func(V) bool) (n int) {
	for k, v := range m {
		if n < limit && expired(v) {
			delete(m, k)
			n++
		}
	}
	return n
}

// DeleteTranscript implements [store.Retention].
func (s *Store) DeleteTranscript(ctx context.Context, interviewID string) error {
	if err := s.lock(ctx, store.CheckID(interviewID)); err != nil {
		return err
	}
	defer s.mu.Unlock()
	_, stored := s.transcripts[interviewID]
	if _, queued := s.jobs[interviewID]; !stored && !queued {
		return store.ErrNotFound
	}
	s.forgetInterview(interviewID)
	return nil
}
