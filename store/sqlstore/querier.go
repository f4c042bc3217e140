package sqlstore

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"
)

// querier runs statements in a transaction or outside of one, prepared where that
// is worth it.
type querier struct {
	on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	tx    *sql.Tx  // nil outside
	ready *session // nil while it is being loaded
}

// outside returns the querier that is not in a transaction.
func (s *Store) outside() querier { return querier{s.db, nil, s.session.Load()} }

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

// retried runs do again when the database has undone it in favour of another
// transaction: after deadlocks, serialization failures and SQLite's busy.
func (s *Store) retried(ctx context.Context, do func() error) error {
	const attempts = 12
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || attempt == attempts || !s.d.transient(err) {
			return err
		}
		pause := rand.N(time.Millisecond << min(attempt, 7))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func (q querier) stmt(ctx context.Context, text string) *sql.Stmt {
	if q.ready == nil {
		return nil
	}
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
	var rows *sql.Rows
	var err error
	if stmt := q.stmt(ctx, text); stmt != nil {
		rows, err = stmt.QueryContext(ctx, args...)
	} else {
		rows, err = q.on.QueryContext(ctx, text, args...)
	}
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

// strings returns a column of text.
func (q querier) strings(ctx context.Context, text string, args ...any) (all []string, err error) {
	err = q.each(ctx, func(rows *sql.Rows) error {
		all = append(all, "")
		return rows.Scan(&all[len(all)-1])
	}, text, args...)
	return all, err
}
