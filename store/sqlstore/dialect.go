package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/askonce/askonce/store"
)

// Dialect is the kind of database behind a [*sql.DB]. The app names it, because
// drivers are often wrapped.
type Dialect uint8

const (
	Postgres Dialect = iota + 1
	MySQL            // MariaDB as well
	SQLite
)

// String returns "postgres", "mysql" or "sqlite".
func (d Dialect) String() string {
	if dialect, ok := dialects[d]; ok {
		return dialect.name
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// MarshalText implements [encoding.TextMarshaler].
func (d Dialect) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

var dialects = map[Dialect]*dialect{Postgres: &postgres, MySQL: &mysql, SQLite: &sqlite}

// dialect is where the databases differ. Its texts are as in statements.
type dialect struct {
	name      string            // and the folder of its migrations
	arguments map[string]string // how ?t, ?i and ?b are written; %d is the argument's number
	now       string            // the database's clock, in microseconds since 1970
	prepares  bool              // preparing a statement saves a round trip or a parse
	isolation sql.IsolationLevel

	insertOnce     string // ends an insert that does nothing if the row exists; {column} is one of its own
	ifNewInterview string // the same; affects one row if the interview is new, none or two otherwise
	upsert         string // ends an insert that updates the row if it exists; {key} is its key
	inserted       string // within an upsert: the value that was to be inserted; %s is the column
	greatest       string // the function that returns the greater of two numbers
	forUpdate      string // ends a select that locks the row
	skipLocked     string // ends a select that locks the rows which nobody else has locked
	claim          string // claims jobs and returns them, in one statement; "" where that takes several
	acquire        string // inserts a checkpoint, or takes it over if it is free
	setSwitch      string // the later of two settings counts

	// migrate runs do while nobody else migrates, in one transaction where the
	// database can change tables in one. name is the lock's.
	migrate func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error

	transient func(error) bool // the transaction was undone and may be run again
	missing   func(error) bool // a table or a column does not exist
	permanent func(error) bool // the value is what the database refuses

	// check returns an error for a setting with which the store cannot work, and a
	// list of those with which a crash may lose what was recorded.
	check func(ctx context.Context, db *sql.DB) (faults []string, err error)
}

// execer is a *sql.Conn or a *sql.Tx.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

var argument = regexp.MustCompile(`\?[tib]`)

// render fills in what depends on the dialect and on the prefix.
func (d *dialect) render(text, prefix string) string {
	text = strings.NewReplacer("{prefix}", prefix, "{now}", d.now).Replace(text)
	n := 0
	return argument.ReplaceAllStringFunc(text, func(arg string) string {
		n++
		form := d.arguments[arg]
		if strings.Contains(form, "%d") {
			return fmt.Sprintf(form, n)
		}
		return form
	})
}

var plainArguments = map[string]string{"?t": "?", "?i": "?", "?b": "?"}

//go:embed schema
var schema embed.FS

// migrations returns the names of the dialect's files, oldest first: the n-th
// leads to version n.
func (d *dialect) migrations() []string {
	names, err := fs.Glob(schema, path.Join("schema", d.name, "*.sql"))
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("sqlstore: no migrations for %s: %v", d.name, err))
	}
	return names
}

func (d *dialect) newest() int { return len(d.migrations()) }

// migration returns what leads from version-1 to version.
func (d *dialect) migration(version int, prefix string) string {
	text, err := schema.ReadFile(d.migrations()[version-1])
	if err != nil {
		panic("sqlstore: " + err.Error()) // it was there when the names were listed
	}
	return strings.ReplaceAll(string(text), "{prefix}", prefix)
}

// Schema returns the statements that make and update the tables, for teams that
// run their own migrations instead of [Store.Migrate]. Every statement may be run
// again. Of opts only TablePrefix matters. Nil opts mean the defaults.
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

// Migrate makes the tables or brings them up to date. Any number of processes may
// call it at once and as often as they like: one works, the others wait and find
// nothing to do. It needs no right to change tables when there is nothing to do.
// It leaves tables alone that a newer version of this package has made, and returns
// an error if this version cannot use them.
func (s *Store) Migrate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	// Of several processes that are the first to open a SQLite file, some find it
	// locked, whatever their busy_timeout, while another turns it to WAL.
	err := s.retried(ctx, func() error { return s.migrate(ctx) })
	return s.failed(ctx, "migrate", err)
}

func (s *Store) migrate(ctx context.Context) error {
	version, _, err := s.version(ctx)
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

// version returns the version of the tables, and of the oldest package that can
// use them.
func (s *Store) version(ctx context.Context) (version, reader int, err error) {
	err = s.db.QueryRowContext(ctx, s.text.version).Scan(&version, &reader)
	return version, reader, err
}

func (s *Store) checkVersion(ctx context.Context) error {
	version, reader, err := s.version(ctx)
	switch {
	case err != nil:
		return err
	case version < s.d.newest():
		return s.notMigrated(nil)
	case reader > s.d.newest():
		return fmt.Errorf("sqlstore: the tables %s* have version %d, which this version of the package cannot use: update the package", s.prefix, version)
	}
	return nil
}

// splitStatements splits at the semicolons that end a line, because not every
// driver accepts several statements at once.
func splitStatements(script string) []string {
	var all []string
	for part := range strings.SplitSeq(script, ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}
