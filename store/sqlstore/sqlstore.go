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
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/store"
)

// Options configure [New]. A zero field means its default.
type Options struct {
	// TablePrefix begins the name of every table and index. It must be a letter or
	// "_", followed by up to 31 letters, digits and "_". Defaults to "askonce_".
	TablePrefix string

	// Logger receives one warning if the settings of the database endanger the
	// data. Defaults to [slog.Default].
	Logger *slog.Logger
}

// A Store is a [store.Store] in a SQL database. It has every optional capability
// and is safe for concurrent use.
type Store struct {
	db     *sql.DB
	d      *dialect
	prefix string
	log    *slog.Logger
	texts  sync.Map // rendered statements by template

	warned  sync.Once
	closed  atomic.Bool
	loading chan struct{} // held while a session is loaded
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

// New returns a store in db. It does not connect. The tables are created by
// [Store.Migrate], which does, or by the app's own migrations from [Schema]. Until they
// exist, every method returns an error that says so. [Store.Close] does not close db.
func New(db *sql.DB, d Dialect, opts *Options) (*Store, error) {
	if db == nil {
		panic("sqlstore: New: db is nil")
	}
	dialect, o, err := resolve(d, opts)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, d: dialect, prefix: o.TablePrefix, log: cmp.Or(o.Logger, slog.Default()), loading: make(chan struct{}, 1)}, nil
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,31}$`)

// resolve checks the arguments that [New] and [Schema] share, and fills in the prefix.
func resolve(d Dialect, opts *Options) (*dialect, Options, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.TablePrefix = cmp.Or(o.TablePrefix, "askonce_")
	var errs []error
	if dialects[d] == nil {
		errs = append(errs, fmt.Errorf("sqlstore: unknown dialect %d: want Postgres, MySQL or SQLite", d))
	}
	if !prefixPattern.MatchString(o.TablePrefix) {
		errs = append(errs, fmt.Errorf("sqlstore: Options.TablePrefix %q: want up to 32 letters, digits and \"_\", not beginning with a digit", o.TablePrefix))
	}
	return dialects[d], o, errors.Join(errs...)
}

// Close makes later calls return [store.ErrClosed]. The database stays open.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.session.Load().close()
}

// session is the state that the first call reads from the database and prepares.
type session struct {
	hashes   *hasher              // nil until the first write about a user
	prepared map[string]*sql.Stmt // by text; empty if preparing is no faster
}

func (s *session) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// ready returns the session, and loads it if there is none. While the store is empty, it
// loads it for each call.
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
	if ready.hashes != nil {
		s.session.Store(ready)
	}
	return ready, nil
}

func (s *Store) load(ctx context.Context) (*session, error) {
	warnings, err := s.checkSettings(ctx)
	if err != nil {
		return nil, err
	}
	switch version, err := s.version(ctx); {
	case err != nil:
		return nil, err
	case version < len(s.d.migrations(s.prefix)):
		return nil, s.notMigrated(nil)
	}
	hashes, err := s.loadKey(ctx)
	if err != nil {
		return nil, err
	}
	if len(warnings) > 0 {
		s.warned.Do(func() {
			s.log.WarnContext(ctx, "askonce: settings of the database endanger the data; see package sqlstore", "found", strings.Join(warnings, "; "))
		})
	}
	ready := &session{hashes: hashes, prepared: map[string]*sql.Stmt{}}
	if hashes == nil || !s.d.prepares {
		return ready, nil
	}
	for _, template := range hot {
		text := s.text(template)
		stmt, err := s.db.PrepareContext(ctx, text)
		if err != nil { // statements are prepared for each call then
			s.log.DebugContext(ctx, "askonce: statement not prepared", "error", err)
			_ = ready.close() // MySQL limits the statements of all clients together
			return &session{hashes: hashes}, nil
		}
		ready.prepared[text] = stmt
	}
	return ready, nil
}

// forget makes the next call load a new session. The statements of the old one stay open
// for the calls that use them.
func (s *Store) forget(stale *session) {
	if s.session.CompareAndSwap(stale, nil) {
		time.AfterFunc(time.Minute, func() { stale.close() })
	}
}

// hot are the statements of pages, webhooks and workers. Each has a fixed number of
// parameters.
var hot = []string{selectCompleted, selectPerson, lockPerson, savePerson, selectInterview, insertInterview, addToFunnel, selectDue, finishJob}
