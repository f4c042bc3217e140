package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/askonce/askonce/store"
)

// Dialect is the kind of database behind a *sql.DB. It is told, not found out:
// drivers are often wrapped.
type Dialect uint8

// The dialects of New. MySQL is MariaDB too.
const (
	Postgres Dialect = iota + 1
	MySQL
	SQLite
)

// String returns "postgres", "mysql" or "sqlite".
func (d Dialect) String() string {
	if dialect, ok := dialects[d]; ok {
		return dialect.name
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

var dialects = map[Dialect]*dialect{Postgres: &postgres, MySQL: &mysql, SQLite: &sqlite}

// dialect is where the databases differ. Texts have {prefix} for the prefix of
// the tables, and ? for arguments.
type dialect struct {
	name      string // and the folder of its migrations
	numbered  bool   // arguments are $1, $2 …
	prepares  bool   // a prepared statement saves a round trip or a parse
	isolation sql.IsolationLevel

	record          string // all of a first Record in one statement, or "": see recordAtOnce
	insertInterview string // affects one row when the interview is new, none or two otherwise
	insertOnce      string // ends an insert that is to do nothing when the row is there; %s is its key
	insertMark      string // the later end of two marks counts
	acquire         string // inserts or takes over a checkpoint, if it is free
	skipLocked      string // ends the select of the jobs to claim
	lockUser        string // waits for transactions that are writing an interview of the user
	lockUserArg     bool   // lockUser has the user as its argument

	// migrate runs do while nobody else migrates, and in one transaction where
	// the database can change tables in one. name is the lock's.
	migrate func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error

	transient func(error) bool // the transaction was undone and may be run again
	missing   func(error) bool // a table or a column is not there

	// check looks for settings that endanger the data; nil: not looked for.
	check func(ctx context.Context, db *sql.DB) (faults []string, err error)
}

// execer is a *sql.Conn or a *sql.Tx.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// render fills in the prefix and the form of the arguments.
func (d *dialect) render(text, prefix string) string {
	text = strings.ReplaceAll(text, "{prefix}", prefix)
	if !d.numbered {
		return text
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

//go:embed schema
var schema embed.FS

// migrations returns the names of the dialect's files, oldest first: the n-th
// leads to version n.
func (d *dialect) migrations() []string {
	names, err := fs.Glob(schema, path.Join("schema", d.name, "*.sql"))
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("store: no migrations for %s: %v", d.name, err))
	}
	return names
}

func (d *dialect) newest() int { return len(d.migrations()) }

// migration returns what leads from version-1 to version.
func (d *dialect) migration(version int, prefix string) string {
	text, err := schema.ReadFile(d.migrations()[version-1])
	if err != nil {
		panic("store: " + err.Error()) // it was there when the names were listed
	}
	return strings.ReplaceAll(string(text), "{prefix}", prefix)
}

// Schema returns the statements that make and update the tables, for teams that
// run migrations of their own instead of Migrate. Every statement may be run
// again. Of opts only TablePrefix matters; nil means defaults.
func Schema(d Dialect, opts *Options) (string, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	dialect, prefix, err := resolve(d, o)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for version := 1; version <= dialect.newest(); version++ {
		b.WriteString(dialect.migration(version, prefix))
	}
	return b.String(), nil
}

// Migrate makes the tables or brings them up to date. Any number of processes
// may call it at once, and as often as they like: one works, the others wait
// and find nothing to do. When nothing is to be done it needs no right to
// change tables. Tables that a newer version of this package has made are left
// as they are.
func (s *Store) Migrate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	// Of several that are the first to open a SQLite file, some find it locked,
	// whatever their busy_timeout, while another turns it to WAL.
	err := s.retried(ctx, func() error { return s.migrate(ctx) })
	return s.failed(ctx, "migrate", err)
}

func (s *Store) migrate(ctx context.Context) error {
	version, err := s.version(ctx)
	if err != nil && !s.d.missing(err) {
		return err
	}
	if version < s.d.newest() {
		err := s.d.migrate(ctx, s.db, "askonce migrate "+s.prefix, func(on execer) error {
			for v := version + 1; v <= s.d.newest(); v++ {
				for _, statement := range splitStatements(s.d.migration(v, s.prefix)) {
					if _, err := on.ExecContext(ctx, statement); err != nil {
						return fmt.Errorf("to version %d: %w", v, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	_, err = s.ready(ctx)
	return err
}

// splitStatements splits at the semicolons that end a line; not every driver
// takes several statements at once.
func splitStatements(script string) []string {
	var all []string
	for part := range strings.SplitSeq(script, ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// hasState reports whether err carries one of the SQLSTATEs, as the errors of
// pgx and lib/pq do.
func hasState(err error, states ...string) bool {
	var e interface{ SQLState() string }
	if !errors.As(err, &e) {
		return false
	}
	for _, state := range states {
		if e.SQLState() == state {
			return true
		}
	}
	return false
}

// says reports whether the message of err has one of the texts. Without
// importing its driver that is all there is to go by.
func says(err error, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
