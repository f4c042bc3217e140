package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

var sqlite = dialect{
	name:      "sqlite",
	arguments: plainArguments,
	now:       `(cast(round((julianday('now') - 2440587.5) * 86400000) as integer) * 1000)`,
	prepares:  true, // half of the time of a look-up is parsing

	insertOnce:     `on conflict do nothing`,
	ifNewInterview: `on conflict (interview_id) do nothing`,
	upsert:         `on conflict ({key}) do update set`,
	inserted:       `excluded.%s`,
	greatest:       `max`,
	acquire: `insert into {prefix}checkpoint (name, holder, until_at, state, saves) values (?t, ?t, {now} + ?i, '', 0)
		on conflict (name) do update set holder = excluded.holder, until_at = excluded.until_at
		where {prefix}checkpoint.holder = excluded.holder or {prefix}checkpoint.until_at <= {now}`,
	setSwitch: `insert into {prefix}switch (name, is_on, changed_by, changed_at) values (?t, ?i, ?t, ?i)
		on conflict (name) do update set is_on = excluded.is_on, changed_by = excluded.changed_by, changed_at = excluded.changed_at
		where {prefix}switch.changed_at <= excluded.changed_at`,

	migrate: func(ctx context.Context, db *sql.DB, _ string, do func(execer) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		// BeginTx would be deferred unless the data source name says otherwise: two
		// processes would read first and then both want to write.
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
	missing:   func(err error) bool { return says(err, "no such table", "no such column") },
	permanent: func(err error) bool { return says(err, "too big", "TOOBIG", "constraint failed") },

	check: func(ctx context.Context, db *sql.DB) (faults []string, err error) {
		var file sql.Null[string]
		if err := db.QueryRowContext(ctx, `select file from pragma_database_list where name = 'main'`).Scan(&file); err != nil {
			return nil, notThisDialect(err, "SQLite")
		}
		if file.V == "" {
			if db.Stats().MaxOpenConnections != 1 {
				return nil, errors.New("sqlstore: every connection to a SQLite database in memory has a database of its own: call db.SetMaxOpenConns(1) or use a file")
			}
			return nil, nil
		}
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
