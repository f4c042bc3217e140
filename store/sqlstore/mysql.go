package sqlstore

import (
	"context"
	"database/sql"
	"errors"
)

var mysql = dialect{
	name:     "mysql",
	prepares: true, // saves a round trip

	// The default, REPEATABLE READ, would also lock the gaps between rows.
	isolation: sql.LevelReadCommitted,

	now:        `cast(unix_timestamp(now(6)) * 1000000 as signed)`,
	conflict:   `on duplicate key update`, // never INSERT IGNORE, which truncates values that are too long
	proposed:   `values(%s)`,
	forUpdate:  `for update`,
	skipLocked: `for update skip locked`,

	migrate: func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		const lock = `sha1(concat(database(), ?))` // names of locks belong to the server and are short
		var got sql.Null[int]
		if err := conn.QueryRowContext(ctx, `select get_lock(`+lock+`, 60)`, name).Scan(&got); err != nil {
			return err
		}
		if got.V != 1 {
			return errors.New("another process has been migrating for a minute: try again")
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), `do release_lock(`+lock+`)`, name)
		return do(conn)
	},

	classify: func(err error) class {
		switch {
		case says(err, "Error 1213", "Error 1205", "Error 1020", // deadlock, lock wait timeout, record has changed
			"Error 1062",  // duplicate entry: somebody else was first
			"Error 1461"): // too many prepared statements for the moment
			return again
		case says(err, "Error 1146", "Error 1054"): // no such table, unknown column
			return missing
		case says(err, "Error 1366", "Error 1406", "Error 1264", // incorrect, too long, out of range
			"Error 1048", "Error 3819", "Error 4025", // null, constraints of MySQL and MariaDB
			"Error 1153", "packet for query is too large"):
			return unusable
		}
		return trouble
	},

	check: func(ctx context.Context, db *sql.DB) (warnings []string, err error) {
		var autocommit, flush string
		if err := db.QueryRowContext(ctx, `select @@autocommit, @@innodb_flush_log_at_trx_commit`).Scan(&autocommit, &flush); err != nil {
			return nil, err
		}
		if autocommit == "0" {
			return nil, errors.New("autocommit is off, which undoes every write: remove autocommit=0 from the data source name or from init_connect")
		}
		if flush != "1" {
			warnings = append(warnings, "innodb_flush_log_at_trx_commit is "+flush+": a crash of the server loses what was recorded last; set it to 1")
		}
		return warnings, nil
	},
}
