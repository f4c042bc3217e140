package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A recorder is a driver that notes what goes through it to the server.
type recorder struct {
	driver driver.Driver
	dsn    string

	mu    sync.Mutex
	trips []string   // round trips: statements, begin and commit
	asked []question // statements with their arguments
}

type question struct {
	text string
	args []driver.NamedValue
}

// recorded opens a pool whose round trips are recorded.
func recorded(t *testing.T, d database) (*sql.DB, *recorder) {
	t.Helper()
	plain := d.open(t)
	r := &recorder{driver: plain.Driver(), dsn: d.dsn(t)}
	db := sql.OpenDB(r)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, r
}

func (r *recorder) note(trip string, args []driver.NamedValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trips = append(r.trips, strings.Join(strings.Fields(trip), " "))
	if args != nil {
		r.asked = append(r.asked, question{trip, args})
	}
}

// take returns what has been recorded since it was called last.
func (r *recorder) take() (trips []string, asked []question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	trips, asked = r.trips, r.asked
	r.trips, r.asked = nil, nil
	return trips, asked
}

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	conn, err := r.driver.Open(r.dsn)
	if err != nil {
		return nil, err
	}
	return &recordedConn{conn, r}, nil
}

func (r *recorder) Driver() driver.Driver { return r.driver }

// recordedConn has what pgx and go-sql-driver have.
type recordedConn struct {
	driver.Conn
	to *recorder
}

func (c *recordedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.to.note("begin", nil)
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return recordedTx{tx, c.to}, err
}

func (c *recordedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.to.note("prepare: "+text, nil)
	return &recordedStmt{stmt, text, c.to}, nil
}

func (c *recordedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
	if err != driver.ErrSkip {
		c.to.note(text, withArgs(args))
	}
	return rows, err
}

func (c *recordedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
	if err != driver.ErrSkip {
		c.to.note(text, withArgs(args))
	}
	return result, err
}

func (c *recordedConn) CheckNamedValue(v *driver.NamedValue) error {
	return c.Conn.(driver.NamedValueChecker).CheckNamedValue(v)
}

func (c *recordedConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

type recordedTx struct {
	driver.Tx
	to *recorder
}

func (tx recordedTx) Commit() error {
	tx.to.note("commit", nil)
	return tx.Tx.Commit()
}

type recordedStmt struct {
	driver.Stmt
	text string
	to   *recorder
}

func (s *recordedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.to.note(s.text, withArgs(args))
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *recordedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.to.note(s.text, withArgs(args))
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// withArgs copies args, which drivers use again, into a slice that is not nil.
func withArgs(args []driver.NamedValue) []driver.NamedValue {
	return append([]driver.NamedValue{}, args...)
}
