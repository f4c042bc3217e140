package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/store"
)

// Options configure New. The zero value of each field means its default.
type Options struct {
	// TablePrefix begins the name of every table and index: a letter or "_",
	// then letters, digits and "_", at most 32 of them. Defaults to "askonce_".
	TablePrefix string

	// Logger is told once, when a SQLite database is set up so that a power
	// failure may take back what was recorded. Defaults to slog.Default().
	Logger *slog.Logger
}

// SQL keeps everything in a PostgreSQL, MySQL, MariaDB or SQLite database,
// through database/sql and whichever driver the app has chosen. It has every
// optional capability and is safe for concurrent use.
type Store struct {
	db     *sql.DB
	d      *dialect
	prefix string
	text   *statements
	log    *slog.Logger

	closed  atomic.Bool
	loading chan struct{} // held by the one who makes ready
	session atomic.Pointer[session]
}

// session is what a SQL reads from its database once.
type session struct {
	hashes   *hasher
	prepared map[string]*sql.Stmt // by text; empty where preparing gains nothing
}

func (s *session) close() error {
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// New returns a store in db. It does not dial; the tables are made by
// Migrate, or by the app's own migrations from Schema, and until they are there
// every method returns an error that says so. The db stays the caller's:
// Close does not close it.
//
// Whether a nil error from Record means "kept" is up to the database: leave
// fsync and synchronous_commit (PostgreSQL) and innodb_flush_log_at_trx_commit
// (MySQL, MariaDB) at their defaults. Times are those of the app's clock.
//
// PostgreSQL: pgx (stdlib) and lib/pq both work. Behind a PgBouncer that pools
// transactions put default_query_exec_mode=exec (pgx) or binary_parameters=yes
// (lib/pq) into the data source name; lib/pq also wants
// ignore_startup_parameters=extra_float_digits in pgbouncer.ini. Even without
// PgBouncer binary_parameters saves lib/pq a round trip each time. Tables go to
// the first schema of the connection's search_path.
//
// MySQL 8.0.1, MariaDB 10.6 or newer, for SKIP LOCKED: every setting of
// go-sql-driver works. max_allowed_packet of the server bounds a transcript.
//
// SQLite: the settings belong to each connection, so put them into the data
// source name. Without them SQLite answers "database is locked" to the second
// writer, and mattn's default in WAL mode may lose the last commits in a power
// failure. Create the file as 0600 before it is opened, for it will be 0644
// otherwise. For modernc.org/sqlite:
//
//	file:askonce.db?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=secure_delete(1)
//
// and for github.com/mattn/go-sqlite3:
//
//	file:askonce.db?_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_secure_delete=true
//
// secure_delete overwrites what Erase has deleted. A copy of the file alone is
// no backup while the database is open: use "vacuum into".
func New(db *sql.DB, d Dialect, opts *Options) (*Store, error) {
	if db == nil {
		panic("store: New: db is nil")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	dialect, prefix, err := resolve(d, o)
	if err != nil {
		return nil, err
	}
	return &Store{
		db: db, d: dialect, prefix: prefix, text: newStatements(dialect, prefix),
		log: cmp.Or(o.Logger, slog.Default()), loading: make(chan struct{}, 1),
	}, nil
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,31}$`)

// resolve checks what New and Schema are given.
func resolve(d Dialect, o Options) (*dialect, string, error) {
	var errs []error
	dialect, ok := dialects[d]
	if !ok {
		errs = append(errs, fmt.Errorf("store: unknown dialect %d: want Postgres, MySQL or SQLite", d))
	}
	prefix := cmp.Or(o.TablePrefix, "askonce_")
	if !prefixPattern.MatchString(prefix) {
		errs = append(errs, fmt.Errorf("store: Options.TablePrefix %q: want up to 32 letters, digits and \"_\", not beginning with a digit", prefix))
	}
	return dialect, prefix, errors.Join(errs...)
}

// Close makes every later call return ErrClosed. The database stays open.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if ready := s.session.Load(); ready != nil {
		return ready.close()
	}
	return nil
}

// ready returns what the first call has read from the database.
func (s *Store) ready(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, store.ErrClosed
	}
	if ready := s.session.Load(); ready != nil {
		return ready, nil
	}
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if ready := s.session.Load(); ready != nil {
		return ready, nil
	}
	ready, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.session.Store(ready)
	return ready, nil
}

func (s *Store) load(ctx context.Context) (*session, error) {
	switch version, err := s.version(ctx); {
	case err != nil:
		return nil, err
	case version < s.d.newest():
		return nil, s.notMigrated(nil)
	}
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, err
	}
	if s.d.check != nil {
		faults, err := s.d.check(ctx, s.db)
		if err != nil {
			return nil, err
		}
		if len(faults) > 0 {
			s.log.WarnContext(ctx, "store: the database may lose or refuse completions; see the documentation of New", "found", strings.Join(faults, "; "))
		}
	}
	ready := &session{hashes: newHasher(secret), prepared: map[string]*sql.Stmt{}}
	if s.d.prepares {
		for _, text := range s.text.hot() {
			stmt, err := s.db.PrepareContext(ctx, text)
			if err != nil {
				return nil, errors.Join(err, ready.close())
			}
			ready.prepared[text] = stmt
		}
	}
	return ready, nil
}

// secret returns the key of the hashes; the first to ask makes it.
func (s *Store) secret(ctx context.Context) (secret []byte, err error) {
	err = s.db.QueryRowContext(ctx, s.text.secret).Scan(&secret)
	if !errors.Is(err, sql.ErrNoRows) {
		return secret, err
	}
	fresh := make([]byte, 32)
	rand.Read(fresh)
	if _, err := s.db.ExecContext(ctx, s.text.keepSecret, fresh); err != nil {
		return nil, err
	}
	return secret, s.db.QueryRowContext(ctx, s.text.secret).Scan(&secret)
}

func (s *Store) version(ctx context.Context) (int, error) {
	var version sql.Null[int]
	err := s.db.QueryRowContext(ctx, s.text.version).Scan(&version)
	return version.V, err
}

func (s *Store) notMigrated(cause error) error {
	err := fmt.Errorf("store: the tables %s* of %s are missing or out of date: call Migrate or apply Schema", s.prefix, s.d.name)
	if cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// failed says what was being done. An error that came of the context's end
// matches the context's error, which not every driver sees to.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	cause := ctx.Err()
	switch {
	case err == nil, err == store.ErrClosed, err == store.ErrNotFound, err == store.ErrLeaseLost:
		return err
	case cause != nil && !errors.Is(err, cause):
		return fmt.Errorf("store: %s: %w (%w)", doing, cause, err)
	case cause == nil && s.closed.Load():
		return store.ErrClosed // whatever was closed under the call
	case s.d.missing(err):
		return s.notMigrated(err)
	}
	return fmt.Errorf("store: %s: %w", doing, err)
}

// retried runs do again when the database has undone it in favour of another
// transaction: deadlocks, serialization failures and SQLite's busy.
func (s *Store) retried(ctx context.Context, do func() error) error {
	const attempts = 12
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || attempt == attempts || !s.d.transient(err) {
			return err
		}
		pause := mathrand.N(time.Millisecond << min(attempt, 7))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// inTx runs do in one transaction. Each statement of it sees what had been
// committed when the statement began.
func (s *Store) inTx(ctx context.Context, do func(tx querier) error) error {
	return s.retried(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: s.d.isolation})
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := do(querier{tx, tx, s.session.Load()}); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// outside returns the querier that is not in a transaction.
func (s *Store) outside() querier { return querier{s.db, nil, s.session.Load()} }

// querier runs statements in a transaction or outside of one, prepared where
// that is worth it.
type querier struct {
	on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	tx    *sql.Tx // nil outside
	ready *session
}

func (q querier) stmt(ctx context.Context, text string) *sql.Stmt {
	stmt := q.ready.prepared[text]
	if stmt != nil && q.tx != nil {
		stmt = q.tx.StmtContext(ctx, stmt)
	}
	return stmt
}

// exec returns how many rows were affected.
func (q querier) exec(ctx context.Context, text string, args ...any) (int64, error) {
	var result sql.Result
	var err error
	if stmt := q.stmt(ctx, text); stmt != nil {
		result, err = stmt.ExecContext(ctx, args...)
	} else {
		result, err = q.on.ExecContext(ctx, text, args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (q querier) row(ctx context.Context, text string, args ...any) *sql.Row {
	if stmt := q.stmt(ctx, text); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return q.on.QueryRowContext(ctx, text, args...)
}

// each scans all rows.
func (q querier) each(ctx context.Context, scan func(*sql.Rows) error, text string, args ...any) error {
	rows, err := q.on.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Times are kept as microseconds.

const never = math.MaxInt64

func untilMicros(until time.Time) int64 {
	if until.IsZero() {
		return never
	}
	return until.UnixMicro()
}

func untilTime(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return instant(micros)
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func live(until time.Time) bool { return until.IsZero() || time.Now().Before(until) }
