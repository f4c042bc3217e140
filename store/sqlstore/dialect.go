package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Dialect is the kind of database behind a [*sql.DB]. It is passed to [New] because
// drivers are often wrapped.
type Dialect uint8

const (
	Postgres Dialect = iota + 1
	MySQL            // and MariaDB
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

// dialect is what differs between the databases.
type dialect struct {
	name      string // and the folder of the schema
	numbered  bool   // parameters are $1, $2 …
	prepares  bool   // a prepared statement saves a round trip or a parse
	isolation sql.IsolationLevel

	now        string // the current time in microseconds, constant within a statement
	conflict   string // introduces the update of an existing row; %s is its key
	proposed   string // the value of column %s that was to be inserted
	forUpdate  string // ends a select that locks its rows
	skipLocked string // ends a select that locks its rows and skips locked ones

	// migrate calls do under the named lock, and in one transaction if the database can
	// create tables in one.
	migrate func(ctx context.Context, db *sql.DB, name string, do func(execer) error) error

	// classify returns the class of a driver's error.
	classify func(err error) class

	// check returns an error for settings that the store cannot work with, and
	// warnings for those that endanger the data.
	check func(ctx context.Context, db *sql.DB) (warnings []string, err error)
}

// execer is a [*sql.Conn] or a [*sql.Tx].
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Statements are written once, as templates with placeholders for the dialect:
//
//	{prefix}         the prefix of the tables
//	{now}            dialect.now
//	{conflict:key}   dialect.conflict
//	{new:column}     dialect.proposed
//	{for update}     dialect.forUpdate
//	{skip locked}    dialect.skipLocked
//	?                a parameter
var word = regexp.MustCompile(`\{([a-z ]+)(?::([^}]*))?\}`)

// text renders a template for the dialect.
func (s *Store) text(template string) string {
	if text, ok := s.texts.Load(template); ok {
		return text.(string)
	}
	text := s.d.render(template, s.prefix)
	s.texts.Store(template, text)
	return text
}

func (d *dialect) render(template, prefix string) string {
	text := word.ReplaceAllStringFunc(template, func(w string) string {
		m := word.FindStringSubmatch(w)
		switch m[1] {
		case "prefix":
			return prefix
		case "now":
			return d.now
		case "conflict":
			return strings.ReplaceAll(d.conflict, "%s", m[2])
		case "new":
			return strings.ReplaceAll(d.proposed, "%s", m[2])
		case "for update":
			return d.forUpdate
		case "skip locked":
			return d.skipLocked
		}
		panic("sqlstore: unknown word " + w)
	})
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

// checkSettings runs the dialect's check. If the check fails because the database is of
// another kind, the error says so.
func (s *Store) checkSettings(ctx context.Context) (warnings []string, err error) {
	warnings, err = s.d.check(ctx, s.db)
	if err == nil || ctx.Err() != nil {
		return warnings, err
	}
	var version string
	if s.d != &sqlite && s.db.QueryRowContext(ctx, `select sqlite_version()`).Scan(&version) == nil {
		return nil, s.wrongDialect("SQLite")
	}
	if s.db.QueryRowContext(ctx, `select version()`).Scan(&version) != nil {
		return nil, err
	}
	switch isPostgres := strings.HasPrefix(version, "PostgreSQL"); {
	case isPostgres && s.d != &postgres:
		return nil, s.wrongDialect("Postgres")
	case !isPostgres && s.d != &mysql:
		return nil, s.wrongDialect("MySQL")
	}
	return nil, err
}

func (s *Store) wrongDialect(right string) error {
	return fmt.Errorf("the database does not speak %s: pass sqlstore.%s to New", s.d.name, right)
}
