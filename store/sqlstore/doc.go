// Package sqlstore keeps a [store.Store] in PostgreSQL, MySQL, MariaDB or SQLite,
// through database/sql and a driver of the app's choice. It imports no driver.
//
// A [Store] has every optional capability of package store. How durable a write is
// depends on the database and on the data source name:
//
// PostgreSQL works with pgx (stdlib) and lib/pq. The database must be encoded as
// UTF8; leave fsync and synchronous_commit on. Behind a PgBouncer that pools
// transactions, add default_query_exec_mode=exec (pgx) or binary_parameters=yes
// (lib/pq) to the data source name; lib/pq also needs
// ignore_startup_parameters=extra_float_digits in pgbouncer.ini. Tables are created
// in the first schema of the connection's search_path.
//
// MySQL 8.0.1 and MariaDB 10.6, or newer, work with go-sql-driver and any of its
// settings except autocommit=0. Leave innodb_flush_log_at_trx_commit at 1. The server's
// max_allowed_packet limits the size of a transcript.
//
// SQLite is configured per connection, in the data source name. Without
// busy_timeout a second writer fails with "database is locked"; below
// synchronous=FULL a power failure may lose the last commits; without
// secure_delete an erased user can still be read in the file. For
// modernc.org/sqlite:
//
//	file:askonce.db?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=secure_delete(1)
//
// and for github.com/mattn/go-sqlite3:
//
//	file:askonce.db?_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_secure_delete=true
//
// Create the file with mode 0600 before it is opened, because SQLite creates it
// with 0644. Back it up with "vacuum into": while the database is open, a copy of
// the file alone lacks what is in the WAL.
//
// The first call checks these settings. It returns an error for settings with which the
// store cannot work, and logs a warning for settings that endanger the data.
//
// # Size
//
// With ids of 36 bytes, an interview and its completion take about 900 bytes with
// their indexes in PostgreSQL, 700 to 950 in MariaDB, and 650 in SQLite. A user who
// was shown a prompt takes about 450 bytes, and each further study 200. A transcript is
// as large as the provider's JSON; PostgreSQL compresses it. Retention deletes
// transcripts, dead jobs and dead letters by age, see [Store.DeleteExpired].
// Interviews and users are never deleted; of an erased user a hash remains.
//
// # Transcripts in SQL
//
// The view {prefix}transcript_json shows the transcripts as JSON, with the study
// and the user:
//
//	select user_id, body->>'summary' from askonce_transcript_json                 -- PostgreSQL, SQLite 3.38
//	select user_id, json_value(body, '$.summary') from askonce_transcript_json    -- MariaDB, MySQL
//
// # The hash key
//
// Users are found by a keyed hash, even after [Store.Erase]. The key is in the table
// {prefix}secret. Back it up together with the other tables. If the key is lost while
// there are hashes made with it, every call returns [ErrKey] until the row is restored or
// [Store.StartOver] is called.
package sqlstore
