package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"strings"
	"time"

	"github.com/askonce/askonce/internal/backoff"
)

// run calls do, and again if the database aborted it in favor of another transaction. It
// adds the name of the operation to the error.
func (s *Store) run(ctx context.Context, doing string, do func(q querier) error) error {
	err := s.retried(ctx, func() error {
		ready, err := s.ready(ctx)
		if err != nil {
			return err
		}
		err = do(querier{s, ready, s.db, nil})
		switch err {
		case errNoKey: // the transaction is over, which may have had the only connection
			err = cmp.Or(s.makeKey(ctx), err)
		case errKeyChanged:
			s.forget(ready)
		}
		return err
	})
	return s.failed(ctx, doing, err)
}

// runTx is run within one transaction.
func (s *Store) runTx(ctx context.Context, doing string, do func(tx querier) error) error {
	return s.run(ctx, doing, func(q querier) error { return q.inTx(ctx, do) })
}

// retried calls do until it succeeds or fails with an error that a retry does not cure.
func (s *Store) retried(ctx context.Context, do func() error) error {
	const attempts = 12
	wait := backoff.Backoff{First: 2 * time.Millisecond, Max: 128 * time.Millisecond}
	for failures := 0; ; failures++ {
		err := do()
		if err == nil || failures == attempts-1 || s.classify(err) != again || backoff.Sleep(ctx, wait.Wait(failures)) != nil {
			return err
		}
	}
}

// querier runs statements inside or outside a transaction, prepared where that is faster.
type querier struct {
	s     *Store
	ready *session
	on    interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	tx *sql.Tx // nil outside a transaction
}

// inTx calls do in a transaction in which each statement sees what was committed when the
// statement began.
func (q querier) inTx(ctx context.Context, do func(tx querier) error) error {
	tx, err := q.s.db.BeginTx(ctx, &sql.TxOptions{Isolation: q.s.d.isolation})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(querier{q.s, q.ready, tx, tx}); err != nil {
		return err
	}
	return tx.Commit()
}

func (q querier) stmt(ctx context.Context, text string) *sql.Stmt {
	stmt := q.ready.prepared[text]
	if stmt != nil && q.tx != nil {
		stmt = q.tx.StmtContext(ctx, stmt)
	}
	return stmt
}

// exec returns the number of rows affected.
func (q querier) exec(ctx context.Context, template string, args ...any) (int64, error) {
	text := q.s.text(template)
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

// affect runs a statement and returns none if it affects no row.
func (q querier) affect(ctx context.Context, none error, template string, args ...any) error {
	n, err := q.exec(ctx, template, args...)
	if err == nil && n == 0 {
		err = none
	}
	return err
}

// each calls scan for every row.
func (q querier) each(ctx context.Context, scan func(*sql.Rows) error, template string, args ...any) error {
	text := q.s.text(template)
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

// one scans the only row into dest, or returns [sql.ErrNoRows].
func (q querier) one(ctx context.Context, dest []any, template string, args ...any) error {
	found := false
	err := q.each(ctx, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(dest...)
	}, template, args...)
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// ids returns the only column of all rows.
func (q querier) ids(ctx context.Context, template string, args ...any) (ids []string, err error) {
	err = q.each(ctx, func(rows *sql.Rows) error {
		ids = append(ids, "")
		return rows.Scan(&ids[len(ids)-1])
	}, template, args...)
	return ids, err
}

// execForIDs runs a statement that ends in "in " for ids, in batches.
func (q querier) execForIDs(ctx context.Context, template string, args []any, ids []string) (n int64, err error) {
	const portion = 500 // SQLite allowed no more than 999 arguments for long
	for len(ids) > 0 && err == nil {
		some := ids[:min(len(ids), portion)]
		ids = ids[len(some):]
		all := args[:len(args):len(args)]
		for _, id := range some {
			all = append(all, id)
		}
		var affected int64
		affected, err = q.exec(ctx, template+`(?`+strings.Repeat(`, ?`, len(some)-1)+`)`, all...)
		n += affected
	}
	return n, err
}

// Times are stored as microseconds since 1970.

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

func live(until int64) bool { return until == never || time.Now().UnixMicro() < until }

// micros and optional convert a time whose zero value means none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func optional(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return instant(micros)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
