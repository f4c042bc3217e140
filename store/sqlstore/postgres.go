package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

var postgres = dialect{
	name: "postgres",
	// The types are for the simple protocol, in which every argument is a literal of
	// unknown type.
	arguments: map[string]string{"?t": "$%d::text", "?i": "$%d::bigint", "?b": "$%d::bytea"},
	now:       `(extract(epoch from clock_timestamp()) * 1000000)::bigint`,
	isolation: sql.LevelReadCommitted,

	// Both drivers can do without: pgx prepares by itself, and what is prepared by
	// name does not survive PgBouncer.
	prepares: false,

	insertOnce:     `on conflict do nothing`,
	ifNewInterview: `on conflict (interview_id) do nothing`,
	upsert:         `on conflict ({key}) do update set`,
	inserted:       `excluded.%s`,
	greatest:       `greatest`,
	forUpdate:      `for update`,
	skipLocked:     `for update of j skip locked`,
	claim: `
with due as materialized (
	select j.interview_id, j.due_at as was from ` + jobTables + ` where j.dead = 0 and j.due_at <= {now}
	order by j.due_at, j.interview_id limit ?i for update of j skip locked
), taken as (
	update {prefix}job j set due_at = {now} + ?i, claim = ?t from due where j.interview_id = due.interview_id returning j.*, due.was
)
select ` + jobColumns + ` from taken j join {prefix}interview i on i.interview_id = j.interview_id order by j.was, j.interview_id`,
	acquire: `insert into {prefix}checkpoint (name, holder, until_at, state, saves) values (?t, ?t, {now} + ?i, '', 0)
		on conflict (name) do update set holder = excluded.holder, until_at = excluded.until_at
		where {prefix}checkpoint.holder = excluded.holder or {prefix}checkpoint.until_at <= {now}`,
	setSwitch: `insert into {prefix}switch (name, is_on, changed_by, changed_at) values (?t, ?i, ?t, ?i)
		on conflict (name) do update set is_on = excluded.is_on, changed_by = excluded.changed_by, changed_at = excluded.changed_at
		where {prefix}switch.changed_at <= excluded.changed_at`,

	migrate: func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		// CREATE TABLE IF NOT EXISTS fails when two run it at once.
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock(hashtext(current_schema() || $1::text))`, name); err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		return tx.Commit()
	},

	// serialization_failure, deadlock_detected, "cached plan must not change result
	// type" after a migration, admin_shutdown
	transient: func(err error) bool { return hasState(err, "40001", "40P01", "0A000", "57P01") },
	missing:   func(err error) bool { return hasState(err, "42P01", "42703") }, // undefined_table, undefined_column
	permanent: func(err error) bool { return hasState(err, "22", "23", "54") }, // data exception, constraint, limit exceeded

	check: func(ctx context.Context, db *sql.DB) (faults []string, err error) {
		settings := map[string]string{}
		for _, name := range []string{"server_encoding", "fsync", "synchronous_commit"} {
			var value string
			if err := db.QueryRowContext(ctx, `select current_setting($1::text)`, name).Scan(&value); err != nil {
				return nil, notThisDialect(err, "PostgreSQL")
			}
			settings[name] = value
		}
		if e := settings["server_encoding"]; e != "UTF8" {
			return nil, fmt.Errorf("sqlstore: the database is encoded in %s and cannot hold every id: create one with encoding 'UTF8'", e)
		}
		for name, value := range settings {
			if value == "off" {
				faults = append(faults, name+" is off")
			}
		}
		return faults, nil
	},
}
