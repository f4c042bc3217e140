package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/askonce/askonce/store"
)

//go:embed schema
var schema embed.FS

// migrations returns the scripts of the dialect in order. The n-th migrates to version n.
func (d *dialect) migrations(prefix string) (scripts []string) {
	names, err := fs.Glob(schema, path.Join("schema", d.name, "*.sql"))
	for _, name := range names {
		script, readErr := schema.ReadFile(name)
		err = cmp.Or(err, readErr)
		scripts = append(scripts, strings.ReplaceAll(string(script), "{prefix}", prefix))
	}
	if err != nil || len(scripts) == 0 {
		panic(fmt.Sprintf("sqlstore: no migrations for %s: %v", d.name, err))
	}
	return scripts
}

// Schema returns the statements that create and update the tables, for teams that run
// their own migrations instead of [Store.Migrate]. Each statement ends with a semicolon at
// the end of a line and may be repeated. Of opts only TablePrefix is used. Nil opts mean
// the defaults.
func Schema(d Dialect, opts *Options) (string, error) {
	dialect, o, err := resolve(d, opts)
	if err != nil {
		return "", err
	}
	return strings.Join(dialect.migrations(o.TablePrefix), ""), nil
}

// Migrate creates the tables or brings them up to date. Any number of processes may call
// it at the same time, and repeatedly: if it fails because the database is not up yet, call
// it again. It needs the rights to create tables, indexes and
// views, unless there is nothing to do. It does not change tables that a newer version of
// this package has made. If this version cannot use them, it returns an error.
func (s *Store) Migrate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	// When several processes open a new SQLite file, some find it locked, whatever their
	// busy_timeout, while another one switches it to WAL.
	return s.failed(ctx, "migrate", s.retried(ctx, func() error { return s.migrate(ctx) }))
}

func (s *Store) migrate(ctx context.Context) error {
	if _, err := s.checkSettings(ctx); err != nil {
		return err
	}
	version, err := s.version(ctx)
	if err != nil && s.d.classify(err) != missing {
		return err
	}
	if scripts := s.d.migrations(s.prefix); version < len(scripts) {
		err := s.d.migrate(ctx, s.db, "askonce migrate "+s.prefix, func(on execer) error {
			for v, script := range scripts[version:] {
				for _, statement := range splitStatements(script) {
					if _, err := on.ExecContext(ctx, statement); err != nil {
						return fmt.Errorf("to version %d: %w", version+v+1, err)
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

// version returns the version of the tables. It returns an error if this package
// is too old for them.
func (s *Store) version(ctx context.Context) (int, error) {
	var version, oldestReader sql.Null[int]
	err := s.db.QueryRowContext(ctx, s.text(`select max(version), max(oldest_reader) from {prefix}schema`)).Scan(&version, &oldestReader)
	if newest := len(s.d.migrations(s.prefix)); err == nil && oldestReader.V > newest {
		err = fmt.Errorf("the tables %s* have version %d, which this program cannot use: it knows version %d and must know %d; deploy a newer one",
			s.prefix, version.V, newest, oldestReader.V)
	}
	return version.V, err
}

// splitStatements splits at semicolons that end a line, because not every driver
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
