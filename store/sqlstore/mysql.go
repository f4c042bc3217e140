package sqlstore

import (
	"context"
	"database/sql"
	"errors"
)

var mysql = dialect{
	name:     "mysql",
	prepares: true, // a round trip less

	// The default would lock the gaps between rows, and with them other users.
	isolation: sql.LevelReadCommitted,

	// With an update that changes nothing, clientFoundRows in the data source
	// name would make a repeated interview look like a new one.
	insertInterview: `insert into {prefix}interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language)
		values (?, ?, ?, ?, ?, ?, ?, ?) on duplicate key update repeats = repeats + 1`,

	// Never INSERT IGNORE: it would cut what is too long and keep that.
	insertOnce: `on duplicate key update %[1]s = %[1]s`,
	insertMark: `insert into {prefix}mark (key_hash, until_at) values (?, ?)
		on duplicate key update until_at = greatest(until_at, values(until_at))`,

	// The assignments are made from left to right.
	acquire: `insert into {prefix}checkpoint (name, holder, until_at, state, saves) values (?, ?, ?, '', 0)
		on duplicate key update holder = if(holder = values(holder) or until_at <= ?, values(holder), holder),
		until_at = if(holder = values(holder), values(until_at), until_at)`,
	skipLocked: `for update skip locked`,

	// A locking read waits for rows that others have inserted and not committed.
	lockUser:    `select interview_id from {prefix}interview where user_id = ? for update`,
	lockUserArg: true,

	migrate: func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		const lock = `sha1(concat(database(), ?))` // the names of locks are the server's, and short
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
}
