package sqlstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"iter"
	"time"

	"github.com/askonce/askonce/store"
)

// AddDeadLetter implements DeadLetters. It keeps the reason as PostponeJob does.
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	sum := sha256.Sum256(d.Body)
	_, err := s.ready(ctx)
	if err == nil {
		err = s.retried(ctx, func() error {
			_, err := s.outside().exec(ctx, s.text.insertLetter, hex.EncodeToString(sum[:]), d.ReceivedAt.UnixMicro(), printable(d.Reason), notNil(d.Body))
			return err
		})
	}
	return s.failed(ctx, "keep a dead letter", err)
}

// DeadLetters implements DeadLetters.
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		const size = 20 // bodies may be large
		inPages(s, ctx, "list dead letters", yield, size, func(after *store.DeadLetter) (page []store.DeadLetter, err error) {
			from, id := int64(-1<<63), ""
			if after != nil {
				from, id = after.ReceivedAt.UnixMicro(), after.ID
			}
			err = s.outside().each(ctx, func(rows *sql.Rows) error {
				var d store.DeadLetter
				var received int64
				err := rows.Scan(&d.ID, &received, &d.Reason, &d.Body)
				d.ReceivedAt = instant(received)
				page = append(page, d)
				return err
			}, s.text.letters, from, from, id, size)
			return page, err
		})
	}
}

// DeleteDeadLetter implements DeadLetters.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if store.CheckID(id) != nil { // no letter's
		_, err := s.ready(ctx)
		return s.failed(ctx, "delete a dead letter", cmp.Or(err, store.ErrNotFound))
	}
	return s.affecting(ctx, "delete a dead letter", s.text.deleteLetter, id)
}

// Acquire implements Checkpoints.
func (s *Store) Acquire(ctx context.Context, name, holder string, now time.Time, lease time.Duration) (state string, held bool, err error) {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return "", false, err
	}
	var has string
	_, err = s.ready(ctx)
	if err == nil {
		err = s.retried(ctx, func() error {
			q := s.outside()
			if _, err := q.exec(ctx, s.text.acquire, name, holder, now.Add(lease).UnixMicro(), now.UnixMicro()); err != nil {
				return err
			}
			return q.row(ctx, s.text.checkpoint, name).Scan(&has, &state)
		})
	}
	if err != nil {
		return "", false, s.failed(ctx, "acquire a checkpoint", err)
	}
	return state, has != holder, nil
}

// Save implements Checkpoints.
func (s *Store) Save(ctx context.Context, name, holder, state string, until time.Time) error {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return err
	}
	err := s.affecting(ctx, "save a checkpoint", s.text.save, []byte(state), until.UnixMicro(), name, holder)
	if err == store.ErrNotFound {
		err = store.ErrLeaseLost
	}
	return err
}
