package sqlstore

import (
	"context"
	"database/sql"
)

var postgres = dialect{
	name:      "postgres",
	numbered:  true,
	isolation: sql.LevelReadCommitted,

	// Both drivers can do without: pgx prepares by itself, and what is prepared
	// by name does not survive PgBouncer.
	prepares: false,

	// One round trip. The casts are for the simple protocol, in which every
	// argument is a literal of unknown type.
	record: `
with person as (
	select $4::text <> '' and exists (select 1 from {prefix}erased where user_hash = $1::bytea) as gone
), fresh as (
	insert into {prefix}interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language, erased)
	select $2::text, $3::text, case when gone then '' else $4::text end, $5::bigint, $6::bigint, $7::bigint, $8::text, $9::text, gone::int from person
	on conflict (interview_id) do nothing
	returning 1
), marked as (
	insert into {prefix}mark (key_hash, until_at)
	select $10::bytea, $6::bigint from fresh where $4::text <> ''
	on conflict (key_hash) do update set until_at = greatest({prefix}mark.until_at, excluded.until_at)
), queued as (
	insert into {prefix}job (interview_id, dead, queued_at, due_at, attempts, reason, claim)
	select $2::text, 0, $11::bigint, $11::bigint, 0, '', '' from fresh, person where not gone
)
select count(*) from fresh`,

	insertOnce: `on conflict (%s) do nothing`,
	insertMark: `insert into {prefix}mark (key_hash, until_at) values (?, ?)
		on conflict (key_hash) do update set until_at = greatest({prefix}mark.until_at, excluded.until_at)`,
	acquire: `insert into {prefix}checkpoint (name, holder, until_at, state, saves) values (?, ?, ?, '', 0)
		on conflict (name) do update set holder = excluded.holder, until_at = excluded.until_at
		where {prefix}checkpoint.holder = excluded.holder or {prefix}checkpoint.until_at <= ?`,
	skipLocked: `for update skip locked`,

	// An update does not wait for rows that others have inserted and not yet
	// committed, but this lock waits for whoever writes to the table, and lets
	// readers be.
	lockUser: `lock table {prefix}interview in share row exclusive mode`,

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
	transient: func(err error) bool { return hasState(err, "40001", "40P01") }, // serialization_failure, deadlock_detected
	missing:   func(err error) bool { return hasState(err, "42P01", "42703") }, // undefined_table, undefined_column
}
