package sqlstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"iter"
	"math"
	"time"

	"github.com/askonce/askonce/store"
)

// AddDeadLetter implements [store.DeadLetters]. It keeps the reason as PostponeJob
// does.
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	sum := sha256.Sum256(d.Body)
	body := d.Body
	if body == nil {
		body = []byte{}
	}
	_, err := s.affected(ctx, s.text.insertLetter, hex.EncodeToString(sum[:]), d.ReceivedAt.UnixMicro(), printable(d.Reason), body)
	return s.failed(ctx, "keep a dead letter", err)
}

// DeadLetters implements [store.DeadLetters].
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		const size = 20 // bodies may be large
		inPages(s, ctx, "list dead letters", yield, size, func(after *store.DeadLetter) (page []store.DeadLetter, err error) {
			from, id := int64(math.MinInt64), ""
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

// DeleteDeadLetter implements [store.DeadLetters].
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	_, err := s.ready(ctx)
	var n int64
	if err == nil && store.CheckID(id) == nil {
		n, err = s.affected(ctx, s.text.deleteLetter, id)
	}
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return s.failed(ctx, "delete a dead letter", err)
}

// Acquire implements [store.Checkpoints].
func (s *Store) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return "", false, err
	}
	var has string
	_, err = s.ready(ctx)
	if err == nil {
		err = s.inTx(ctx, func(tx querier) error { // which nobody can write to the checkpoint in between
			if _, err := tx.exec(ctx, s.text.acquire, name, holder, lease.Microseconds()); err != nil {
				return err
			}
			return tx.row(ctx, s.text.checkpoint, name).Scan(&has, &state)
		})
	}
	if err != nil {
		return "", false, s.failed(ctx, "acquire a checkpoint", err)
	}
	return state, has == holder, nil
}

// Save implements [store.Checkpoints].
func (s *Store) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return err
	}
	n, err := s.affected(ctx, s.text.save, []byte(state), lease.Microseconds(), name, holder)
	if err == nil && n == 0 {
		err = store.ErrLeaseLost
	}
	return s.failed(ctx, "save a checkpoint", err)
}

// Release implements [store.Checkpoints].
func (s *Store) Release(ctx context.Context, name, holder, state string) error {
	return s.Save(ctx, name, holder, state, 0)
}

// SetSwitch implements [store.Switches].
func (s *Store) SetSwitch(ctx context.Context, sw store.Switch) error {
	if err := store.CheckSwitch(sw); err != nil {
		return err
	}
	_, err := s.affected(ctx, s.text.setSwitch, sw.Name, number(sw.On), sw.By, sw.At.UnixMicro())
	return s.failed(ctx, "set a switch", err)
}

// Switches implements [store.Switches].
func (s *Store) Switches(ctx context.Context) (all []store.Switch, err error) {
	_, err = s.ready(ctx)
	if err == nil {
		err = s.outside().each(ctx, func(rows *sql.Rows) error {
			var sw store.Switch
			var at int64
			err := rows.Scan(&sw.Name, &sw.On, &sw.By, &at)
			sw.At = instant(at)
			all = append(all, sw)
			return err
		}, s.text.switches)
	}
	if err != nil {
		return nil, s.failed(ctx, "read the switches", err)
	}
	return all, nil
}
