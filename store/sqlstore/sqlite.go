package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

var sqlite = dialect{
	name:     "sqlite",
	prepares: true, // half of the time of a look-up is parsing

	insertInterview: `insert into {prefix}interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language)
		values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (interview_id) do nothing`,
	insertOnce: `on conflict (%s) do nothing`,
	insertMark: `insert into {prefix}mark (key_hash, until_at) values (?, ?)
		on conflict (key_hash) do update set until_at = max({prefix}mark.until_at, excluded.until_at)`,
	acquire: `insert into {prefix}checkpoint (name, holder, until_at, state, saves) values (?, ?, ?, '', 0)
		on conflict (name) do update set holder = excluded.holder, until_at = excluded.until_at
		where {prefix}checkpoint.holder = excluded.holder or {prefix}checkpoint.until_at <= ?`,

	migrate: func(ctx context.Context, db *sql.DB, _ string, do func(execer) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		// Not by BeginTx, which is deferred unless the data source name says
		// otherwise: two would read first and then both want to write.
		if _, err := conn.ExecContext(ctx, "begin immediate"); err != nil {
			return err
		}
		if err := do(conn); err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "rollback")
			return err
		}
		_, err = conn.ExecContext(ctx, "commit")
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "rollback")
		}
		return err
	},
	transient: func(err error) bool {
		return says(err, "SQLITE_BUSY", "SQLITE_LOCKED", "database is locked", "database table is locked")
	},
	missing: func(err error) bool { return says(err, "no such table", "no such column") },

	check: func(ctx context.Context, db *sql.DB) (faults []string, err error) {
		var journal string
		var synchronous, busy int
		for pragma, dest := range map[string]any{"journal_mode": &journal, "synchronous": &synchronous, "busy_timeout": &busy} {
			if err := db.QueryRowContext(ctx, "pragma "+pragma).Scan(dest); err != nil {
				return nil, fmt.Errorf("pragma %s: %w", pragma, err)
			}
		}
		if journal == "off" || journal == "memory" {
			faults = append(faults, "journal_mode is "+journal+": a crash may lose or spoil the database; use WAL")
		}
		if synchronous < 2 {
			faults = append(faults, "synchronous is below FULL: a power failure may lose what was recorded")
		}
		if busy == 0 {
			faults = append(faults, "busy_timeout is 0: of two writers at once one fails")
		}
		return faults, nil
	},
}
