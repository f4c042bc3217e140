package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
)

// Databases are filled past Record, which would sync each completion to disk.
// backend.find checks that one of them reads back as if Record had written it.

// transcripts is a store with a queue.
type transcripts interface {
	store.Store
	store.Transcripts
}

// fillByRecord fills a store whose Record is quick.
func fillByRecord(ctx context.Context, s transcripts, from, to int) error {
	for ; from < to; from += rowsAtOnce {
		g, recording := errgroup.WithContext(ctx)
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i := from; i < from+rowsAtOnce; i++ {
			g.Go(func() error {
				_, err := s.Record(recording, completion(i))
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		jobs, err := s.ClaimJobs(ctx, time.Minute, rowsAtOnce)
		if err != nil {
			return err
		}
		for _, j := range jobs { // as in an app that keeps up with them
			if err := s.FinishJob(ctx, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// tables are those of one store in a database.
type tables struct {
	db      *sql.DB
	dialect sqlstore.Dialect
	prefix  string
}

func (t tables) fill(ctx context.Context, from, to int) error {
	err := t.insert(ctx, "interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language)", to-from, func(i int) []any {
		c := completion(from + i)
		return []any{c.InterviewID, c.StudyID, c.UserID, c.CompletedAt.UnixMicro(), int64(math.MaxInt64), c.Duration.Microseconds(), c.Quality, c.Language}
	})
	if err != nil {
		return err
	}
	var secret []byte
	var check int64
	if err := t.db.QueryRowContext(ctx, "select secret, key_check from "+t.prefix+"secret where id = 1").Scan(&secret, &check); err != nil {
		return err
	}
	mac := hmac.New(sha256.New, secret)
	type person struct {
		hash  []byte
		study string
	}
	people := make([]person, 0, to-from)
	for i := from; i < to; i++ {
		k := userKey(i)
		mac.Reset()
		mac.Write([]byte(k.UserID))
		people = append(people, person{mac.Sum(nil)[:16], k.StudyID})
	}
	// Sorted: otherwise each row would go to another page of the index.
	slices.SortFunc(people, func(a, b person) int { return bytes.Compare(a.hash, b.hash) })
	return t.insert(ctx, "person (user_hash, study_id, key_check, completed_until)", len(people), func(i int) []any {
		return []any{people[i].hash, people[i].study, check, int64(math.MaxInt64)}
	})
}

const (
	rowsAtOnce = 500    // in one statement; what is filled is a multiple of it
	commitRows = 50_000 // in one transaction
)

// insert inserts n rows.
func (t tables) insert(ctx context.Context, into string, n int, row func(i int) []any) error {
	columns := strings.Count(into, ",") + 1
	var text strings.Builder
	text.WriteString("insert into " + t.prefix + into + " values ")
	for i := range rowsAtOnce * columns {
		switch {
		case i == 0:
			text.WriteString("(")
		case i%columns == 0:
			text.WriteString("), (")
		default:
			text.WriteString(", ")
		}
		if t.dialect == sqlstore.Postgres {
			text.WriteString("$" + strconv.Itoa(i+1))
		} else {
			text.WriteString("?")
		}
	}
	text.WriteString(")")
	for from := 0; from < n; from += commitRows {
		if err := t.insertSome(ctx, text.String(), from, min(n, from+commitRows), row); err != nil {
			return err
		}
	}
	return nil
}

func (t tables) insertSome(ctx context.Context, text string, from, to int, row func(i int) []any) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // of no effect after the commit
	statement, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	for ; from < to; from += rowsAtOnce {
		var args []any
		for i := range rowsAtOnce {
			args = append(args, row(from+i)...)
		}
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// bytes returns the size of the completions as the server reports it, after a vacuum.
func (t tables) bytes(ctx context.Context) (n int64, err error) {
	interview, person := t.prefix+"interview", t.prefix+"person"
	var tidy []string
	var ask string
	switch t.dialect {
	case sqlstore.Postgres:
		tidy = []string{"vacuum analyze " + interview, "vacuum analyze " + person}
		ask = fmt.Sprintf("select pg_total_relation_size('%s') + pg_total_relation_size('%s')", interview, person)
	case sqlstore.MySQL:
		tidy = []string{"analyze table " + interview + ", " + person}
		ask = fmt.Sprintf("select cast(sum(data_length + index_length) as signed) from information_schema.tables where table_schema = database() and table_name in ('%s', '%s')", interview, person)
	case sqlstore.SQLite:
		ask = "select (p.page_count - f.freelist_count) * s.page_size from pragma_page_count p, pragma_freelist_count f, pragma_page_size s"
	}
	for _, statement := range tidy {
		if _, err := t.db.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	return n, t.db.QueryRowContext(ctx, ask).Scan(&n)
}

// redisBytes returns the size of the store's keys as the server reports it.
func redisBytes(ctx context.Context, client *redis.Client, prefix string) (sum int64, err error) {
	all := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for all.Next(ctx) {
		n, err := client.MemoryUsage(ctx, all.Val(), 1000).Result()
		if err != nil && err != redis.Nil { // gone since
			return 0, err
		}
		sum += n
	}
	return sum, all.Err()
}
