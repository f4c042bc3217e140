package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
)

var postgres = dialect{
	name:      "postgres",
	numbered:  true,
	isolation: sql.LevelReadCommitted,

	// pgx prepares statements itself, and named prepared statements do not work behind
	// PgBouncer.
	prepares: false,

	now:        `(extract(epoch from statement_timestamp()) * 1000000)::bigint`,
	conflict:   `on conflict (%s) do update set`,
	proposed:   `excluded.%s`,
	forUpdate:  `for update`,
	skipLocked: `for update skip locked`,

	migrate: func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		// CREATE TABLE IF NOT EXISTS fails when two processes run it at once.
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock(hashtext(current_schema() || $1::text))`, name); err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		return tx.Commit()
	},

	classify: func(err error) class {
		switch code := state(err); {
		case code == "40001", code == "40P01", // serialization_failure, deadlock_detected
			code == "23505", // unique_violation: another process was first
			code == "57P01", // admin_shutdown: another connection may work
			code == "0A000" && says(err, "cached plan"):
			return again
		case code == "42P01", code == "42703": // undefined_table, undefined_column
			return missing
		case code == "22023": // invalid_parameter_value: of a setting, not of what is stored
			return trouble
		case len(code) == 5 && (code[:2] == "22" || code[:2] == "23" || code[:2] == "54"):
			return unusable // data exception, integrity constraint violation, program limit exceeded
		}
		return trouble
	},

	check: func(ctx context.Context, db *sql.DB) (warnings []string, err error) {
		var encoding, commit, fsync, output string
		err = db.QueryRowContext(ctx, `select current_setting('server_encoding'), current_setting('synchronous_commit'),
			current_setting('fsync'), current_setting('bytea_output')`).Scan(&encoding, &commit, &fsync, &output)
		if err != nil {
			return nil, err
		}
		if encoding != "UTF8" {
			return nil, fmt.Errorf("the encoding of the database is %s, which cannot hold every id: create it with encoding UTF8", encoding)
		}
		if output != "hex" { // lib/pq, and pgx in its binary format, do not need it
			var octets []byte
			err := db.QueryRowContext(ctx, `select decode('00ff', 'hex')`).Scan(&octets)
			if err != nil || !bytes.Equal(octets, []byte{0, 0xff}) {
				return nil, fmt.Errorf("the driver cannot read bytea: remove bytea_output=%s from the settings of the role, the database or the data source name", output)
			}
		}
		if commit == "off" {
			warnings = append(warnings, "synchronous_commit is off: a crash of the server loses what was recorded last")
		}
		if fsync == "off" {
			warnings = append(warnings, "fsync is off: a power failure may destroy the database")
		}
		return warnings, nil
	},
}
