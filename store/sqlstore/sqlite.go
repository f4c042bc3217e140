package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

var sqlite = dialect{
	name:     "sqlite",
	prepares: true, // half of the time of a look-up is parsing

	now:      `cast((julianday('now') - 2440587.5) * 86400000000 as integer)`,
	conflict: `on conflict (%s) do update set`,
	proposed: `excluded.%s`,

	migrate: func(ctx context.Context, db *sql.DB, _ string, do func(execer) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		// BeginTx is deferred unless the data source name says otherwise: two processes
		// would read first, and then both try to write.
		if _, err := conn.ExecContext(ctx, "begin immediate"); err != nil {
			return err
		}
		if err = do(conn); err == nil {
			_, err = conn.ExecContext(ctx, "commit")
		}
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "rollback")
		}
		return err
	},

	classify: func(err error) class {
		switch {
		case says(err, "SQLITE_BUSY", "SQLITE_LOCKED", "database is locked", "database table is locked", "UNIQUE constraint failed"):
			return again
		case says(err, "no such table", "no such column"):
			return missing
		case says(err, "constraint failed", "too big"):
			return unusable
		}
		return trouble
	},

	check: func(ctx context.Context, db *sql.DB) (warnings []string, err error) {
		var journal, file string
		var synchronous, busy, secure int
		for pragma, dest := range map[string]any{"journal_mode": &journal, "synchronous": &synchronous, "busy_timeout": &busy, "secure_delete": &secure} {
			if err := db.QueryRowContext(ctx, "pragma "+pragma).Scan(dest); err != nil {
				return nil, fmt.Errorf("pragma %s: %w", pragma, err)
			}
		}
		if err := db.QueryRowContext(ctx, "select file from pragma_database_list where name = 'main'").Scan(&file); err != nil {
			return nil, err
		}
		if file == "" && db.Stats().MaxOpenConnections != 1 {
			if err := sameMemory(ctx, db); err != nil {
				return nil, err
			}
		}
		if file != "" && (journal == "off" || journal == "memory") {
			warnings = append(warnings, "journal_mode is "+journal+": a crash may destroy the database; use WAL")
		}
		if synchronous < 2 {
			warnings = append(warnings, "synchronous is below FULL: a power failure loses what was recorded last")
		}
		if busy == 0 {
			warnings = append(warnings, "busy_timeout is 0: of two writers at once one fails")
		}
		if secure == 0 {
			warnings = append(warnings, "secure_delete is off: what was erased can still be read in the file")
		}
		return warnings, nil
	},
}

// sameMemory returns an error if two connections have tables that differ.
func sameMemory(ctx context.Context, db *sql.DB) error {
	var tables [2]int
	for i := range tables {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close() // not before both are open
		if err := conn.QueryRowContext(ctx, "select count(*) from sqlite_master").Scan(&tables[i]); err != nil {
			return err
		}
	}
	if tables[0] != tables[1] {
		return errors.New(`every connection to ":memory:" has a database of its own: call db.SetMaxOpenConns(1), or open a file`)
	}
	return nil
}
