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

const (
	insertLetter = `insert into {prefix}dead_letter (letter_id, received_at, reason, content) values (?, ?, ?, ?) {conflict:letter_id} letter_id = {new:letter_id}`
	selectLetter = `select letter_id, received_at, reason, content from {prefix}dead_letter
		where received_at >= ? and (received_at > ? or letter_id > ?) order by received_at, letter_id limit ?`
	deleteLetter = `delete from {prefix}dead_letter where letter_id = ?`
)

// AddDeadLetter implements [store.DeadLetters]. It keeps the reason as
// [Store.PostponeJob] does.
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	sum := sha256.Sum256(d.Body)
	return s.run(ctx, "keep a dead letter", func(q querier) error {
		_, err := q.exec(ctx, insertLetter, hex.EncodeToString(sum[:]), d.ReceivedAt.UnixMicro(), printable(d.Reason), notNil(d.Body))
		return err
	})
}

// DeadLetters implements [store.DeadLetters].
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		listing[store.DeadLetter]{
			doing: "list dead letters", template: selectLetter, at: math.MinInt64, size: 20, // bodies may be large
			scan: func(rows *sql.Rows) (d store.DeadLetter, err error) {
				var received int64
				err = rows.Scan(&d.ID, &received, &d.Reason, &d.Body)
				d.ReceivedAt = instant(received)
				return d, err
			},
			place: func(d store.DeadLetter) (time.Time, string) { return d.ReceivedAt, d.ID },
		}.yield(ctx, s, yield)
	}
}

// DeleteDeadLetter implements [store.DeadLetters].
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	return s.run(ctx, "delete a dead letter", func(q querier) error {
		if store.CheckID(id) != nil { // not the id of a letter
			return store.ErrNotFound
		}
		return q.affect(ctx, store.ErrNotFound, deleteLetter, id)
	})
}

const (
	lockCheckpoint = `insert into {prefix}checkpoint (name, holder, until_at, state, writes) values (?, '', 0, '', 0)
		{conflict:name} writes = {prefix}checkpoint.writes + 1`
	selectCheckpoint  = `select holder, state, until_at > {now} from {prefix}checkpoint where name = ?`
	acquireCheckpoint = `update {prefix}checkpoint set holder = ?, until_at = {now} + ? where name = ?`
	saveCheckpoint    = `update {prefix}checkpoint set state = ?, until_at = {now} + ?, writes = writes + 1 where name = ? and holder = ?`
)

// Acquire implements [store.Checkpoints].
func (s *Store) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return "", false, err
	}
	err = s.runTx(ctx, "acquire a checkpoint", func(tx querier) error {
		if _, err := tx.exec(ctx, lockCheckpoint, name); err != nil {
			return err
		}
		var has string
		var held bool
		if err := tx.one(ctx, []any{&has, &state, &held}, selectCheckpoint, name); err != nil {
			return err
		}
		if acquired = has == holder || !held; !acquired {
			return nil
		}
		_, err := tx.exec(ctx, acquireCheckpoint, holder, lease.Microseconds(), name)
		return err
	})
	if err != nil {
		return "", false, err
	}
	return state, acquired, nil
}

// Save implements [store.Checkpoints].
func (s *Store) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	if err := cmp.Or(store.CheckID(name), store.CheckID(holder)); err != nil {
		return err
	}
	return s.run(ctx, "save a checkpoint", func(q querier) error {
		return q.affect(ctx, store.ErrLeaseLost, saveCheckpoint, []byte(state), lease.Microseconds(), name, holder)
	})
}

// Release implements [store.Checkpoints].
func (s *Store) Release(ctx context.Context, name, holder, state string) error {
	return s.Save(ctx, name, holder, state, 0)
}

const (
	addSwitch    = `insert into {prefix}switch (name, is_on, changed_by, changed_at) values (?, ?, ?, ?) {conflict:name} name = {new:name}`
	changeSwitch = `update {prefix}switch set is_on = ?, changed_by = ?, changed_at = ? where name = ? and changed_at <= ?`
	selectSwitch = `select name, is_on, changed_by, changed_at from {prefix}switch order by name`
)

// SetSwitch implements [store.Switches].
func (s *Store) SetSwitch(ctx context.Context, sw store.Switch) error {
	if err := store.CheckSwitch(sw); err != nil {
		return err
	}
	on, at := flag(sw.On), sw.At.UnixMicro()
	return s.runTx(ctx, "set a switch", func(tx querier) error {
		if _, err := tx.exec(ctx, addSwitch, sw.Name, on, sw.By, at); err != nil {
			return err
		}
		_, err := tx.exec(ctx, changeSwitch, on, sw.By, at, sw.Name, at)
		return err
	})
}

// Switches implements [store.Switches].
func (s *Store) Switches(ctx context.Context) (all []store.Switch, err error) {
	err = s.run(ctx, "read the switches", func(q querier) error {
		all = nil
		return q.each(ctx, func(rows *sql.Rows) error {
			var sw store.Switch
			var at int64
			err := rows.Scan(&sw.Name, &sw.On, &sw.By, &at)
			sw.At = instant(at)
			all = append(all, sw)
			return err
		}, selectSwitch)
	})
	return all, err
}
