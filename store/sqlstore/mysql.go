package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

var mysql = dialect{
	name:      "mysql",
	arguments: plainArguments,
	now:       `timestampdiff(microsecond, '1970-01-01', utc_timestamp(6))`,
	prepares:  true, // saves a round trip

	// The default would lock the gaps between rows, and with them other users.
	isolation: sql.LevelReadCommitted,

	// Never INSERT IGNORE: it would truncate what is too long and keep that.
	insertOnce: `on duplicate key update {column} = {column}`,

	// With an update that changes nothing, clientFoundRows in the data source name
	// would make a repeated interview look like a new one.
	ifNewInterview: `on duplicate key update repeats = repeats + 1`,

	upsert:     `on duplicate key update`,
	inserted:   `values(%s)`,
	greatest:   `greatest`,
	forUpdate:  `for update`,
	skipLocked: `for update skip locked`,

	// The assignments are made from left to right.
	acquire: `insert into {prefix}checkpoint (name, holder, until_at, state, saves) values (?t, ?t, {now} + ?i, '', 0)
		on duplicate key update holder = if(holder = values(holder) or until_at <= {now}, values(holder), holder),
		until_at = if(holder = values(holder), values(until_at), until_at)`,
	setSwitch: `insert into {prefix}switch (name, is_on, changed_by, changed_at) values (?t, ?i, ?t, ?i)
		on duplicate key update is_on = if(values(changed_at) >= changed_at, values(is_on), is_on),
		changed_by = if(values(changed_at) >= changed_at, values(changed_by), changed_by),
		changed_at = greatest(changed_at, values(changed_at))`,

	migrate: func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		const lock = `sha1(concat(database(), ?))` // lock names belong to the server, and are short
		var got sql.Null[int]
		if err := conn.QueryRowContext(ctx, `select get_lock(`+lock+`, 60)`, name).Scan(&got); err != nil {
			return err
		}
		if got.V != 1 {
			return errors.New("another process has been migrating for a minute")
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), `do release_lock(`+lock+`)`, name)
		return do(conn)
	},

	// Deadlock, lock wait timeout, and "record has changed since last read",
	// MariaDB's word for a serialization failure.
	transient: func(err error) bool { return says(err, "Error 1213", "Error 1205", "Error 1020") },
	missing:   func(err error) bool { return says(err, "Error 1146", "Error 1054") }, // no such table, unknown column

	// Duplicate entry, packet too large, out of range, incorrect string value, data
	// too long.
	permanent: func(err error) bool {
		return says(err, "Error 1062", "Error 1153", "Error 1264", "Error 1366", "Error 1406", "packet for query is too large")
	},

	check: func(ctx context.Context, db *sql.DB) (faults []string, err error) {
		var mode string
		var autocommit, flush int
		err = db.QueryRowContext(ctx, `select @@sql_mode, @@autocommit, @@innodb_flush_log_at_trx_commit`).Scan(&mode, &autocommit, &flush)
		switch {
		case err != nil:
			return nil, notThisDialect(err, "MySQL or MariaDB")
		case autocommit == 0:
			return nil, errors.New("sqlstore: autocommit is 0, which would undo every write: take it out of the data source name")
		case strings.Contains(mode, "ORACLE") || strings.Contains(mode, "EMPTY_STRING_IS_NULL"):
			return nil, errors.New("sqlstore: the SQL mode ORACLE takes an empty text for none: set sql_mode in the data source name")
		}
		if flush != 1 {
			faults = append(faults, "innodb_flush_log_at_trx_commit is not 1")
		}
		return faults, nil
	},
}
