package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/askonce/askonce/store"
)

// Options configure [New] and [Schema]. A zero field means its default.
type Options struct {
	// TablePrefix begins the name of every table and index. It is a letter or "_",
	// followed by up to 31 letters, digits and "_". Defaults to "askonce_".
	TablePrefix string

	// Logger gets one warning when the database is set up so that a crash may undo
	// what was recorded, and one line for each queued job whose interview is
	// missing. Defaults to [slog.Default].
	Logger *slog.Logger
}

// A Store is a [store.Store] with every optional capability. It is safe for
// concurrent use, by any number of processes that share a database.
type Store struct {
	db     *sql.DB
	d      *dialect
	prefix string
	text   *statements
	log    *slog.Logger

	closed  atomic.Bool
	loading chan struct{} // held by whoever loads the session
	session atomic.Pointer[session]
}

var _ interface {
	store.Store
	store.Transcripts
	store.Interactions
	store.Lister
	store.Eraser
	store.Resetter
	store.Retention
	store.DeadLetters
	store.Checkpoints
	store.Switches
} = (*Store)(nil)

// New returns a store in db. It does not dial. The tables are made by
// [Store.Migrate], or by the app's own migrations from [Schema]; until they exist
// every method returns an error that says so. The db stays the caller's:
// [Store.Close] does not close it. A nil db panics.
//
// Whether a nil error from Record means that the completion survives a crash is up
// to the database: leave fsync and synchronous_commit (PostgreSQL) and
// innodb_flush_log_at_trx_commit (MySQL, MariaDB) at their defaults. The store
// warns once if they are not. Leases are measured by the database's clock.
//
// # PostgreSQL
//
// The database must be encoded in UTF8. Both pgx (stdlib) and lib/pq work. Behind
// a PgBouncer that pools transactions put default_query_exec_mode=exec (pgx) or
// binary_parameters=yes (lib/pq) into the data source name; lib/pq also needs
// ignore_startup_parameters=extra_float_digits in pgbouncer.ini. Tables are made in
// the first schema of the connection's search_path.
//
// # MySQL and MariaDB
//
// The store needs MySQL 8.0.1 or MariaDB 10.6, for SKIP LOCKED. Every setting of
// go-sql-driver works except autocommit=0 and the ORACLE SQL mode, which are
// refused. The server's max_allowed_packet bounds a transcript.
//
// # SQLite
//
// SQLite's settings belong to each connection, so put them into the data source
// name. Without them SQLite answers "database is locked" to the second writer, and
// mattn's default in WAL mode may lose the last commits in a power failure. Create
// the file with mode 0600 before opening it, because SQLite creates it with 0644.
// For modernc.org/sqlite:
//
//	file:askonce.db?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=secure_delete(1)
//
// and for github.com/mattn/go-sqlite3:
//
//	file:askonce.db?_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_secure_delete=true
//
// secure_delete overwrites what Erase has deleted. Copying the file while the
// database is open is no backup: use "vacuum into". A database in memory works only
// with a pool of one connection.
func New(db *sql.DB, d Dialect, opts *Options) (*Store, error) {
	if db == nil {
		panic("sqlstore: New: db is nil")
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

// resolve checks the arguments of New and Schema.
func resolve(d Dialect, o Options) (*dialect, string, error) {
	var errs []error
	dialect, ok := dialects[d]
	if !ok {
		errs = append(errs, fmt.Errorf("sqlstore: unknown dialect %d: want Postgres, MySQL or SQLite", d))
	}
	prefix := cmp.Or(o.TablePrefix, "askonce_")
	if !prefixPattern.MatchString(prefix) {
		errs = append(errs, fmt.Errorf("sqlstore: Options.TablePrefix %q: want up to 32 letters, digits and \"_\", not beginning with a digit", prefix))
	}
	return dialect, prefix, errors.Join(errs...)
}

// Close makes every later call return [store.ErrClosed]. The database stays open.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if ready := s.session.Load(); ready != nil {
		return ready.close()
	}
	return nil
}

// session is what a Store reads from its database once.
type session struct {
	key      *hasher              // nil while there is none, and so nobody to be found by it
	prepared map[string]*sql.Stmt // by text; empty where preparing gains nothing
}

func (s *session) close() error {
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// ready returns the session; the first call loads it.
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
	if err := s.checkVersion(ctx); err != nil {
		return nil, err
	}
	faults, err := s.d.check(ctx, s.db)
	if err != nil {
		return nil, err
	}
	key, err := s.findKey(ctx)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		s.log.WarnContext(ctx, "askonce: the database may lose completions in a crash; see sqlstore.New", "found", strings.Join(faults, "; "))
	}
	ready := &session{key: key, prepared: map[string]*sql.Stmt{}}
	if s.d.prepares {
		for _, text := range s.text.hot() {
			stmt, err := s.db.PrepareContext(ctx, text)
			if err != nil { // preparing only saves time: MySQL limits the number of statements, for instance
				s.log.DebugContext(ctx, "askonce: statement not prepared", "err", err)
				continue
			}
			ready.prepared[text] = stmt
		}
	}
	return ready, nil
}

// forget drops a session whose key does not fit any more.
func (s *Store) forget(stale *session) {
	if s.session.CompareAndSwap(stale, nil) {
		_ = stale.close()
	}
}
