package sqlstore

import (
	"cmp"
	"context"
	"time"

	"github.com/askonce/askonce/store"
)

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
	return s.affecting(ctx, "save a checkpoint", store.ErrLeaseLost, saveCheckpoint, []byte(state), lease.Microseconds(), name, holder)
}

// Release implements [store.Checkpoints].
func (s *Store) Release(ctx context.Context, name, holder, state string) error {
	return s.Save(ctx, name, holder, state, 0)
}
