package sqlstore

import (
	"context"
	"database/sql"

	"github.com/askonce/askonce/store"
)

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
