package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"math"
	"time"

	"github.com/askonce/askonce/store"
)

// Completions implements [store.Lister]. Completions that are recorded while it runs may
// or may not be yielded.
func (s *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := store.CheckFilter(f); err != nil {
			yield(store.Completion{}, err)
			return
		}
		text, args := selectCompletions(f)
		l := listing[store.Completion]{
			doing: "list completions", template: text, args: args, at: math.MinInt64, size: pageSize,
			scan:  func(rows *sql.Rows) (store.Completion, error) { return scanCompletion(rows.Scan) },
			place: func(c store.Completion) (time.Time, string) { return c.CompletedAt, c.InterviewID },
		}
		if f.NewestFirst {
			l.at = math.MaxInt64
		}
		if f.After != nil {
			l.at, l.id = f.After.CompletedAt.UnixMicro(), f.After.InterviewID
		}
		l.yield(ctx, s, yield)
	}
}

// selectCompletions returns a page's statement without the last four arguments.
func selectCompletions(f store.Filter) (text string, args []any) {
	text = `select ` + interviewColumns + ` from {prefix}interview i where `
	for _, id := range []struct{ column, value string }{
		{"study_id", f.StudyID}, {"user_id", f.UserID}, {"interview_id", f.InterviewID}, {"quality", f.Quality},
	} {
		if id.value != "" {
			text += `i.` + id.column + ` = ? and `
			args = append(args, id.value)
		}
	}
	if !f.Since.IsZero() {
		text += `i.completed_at >= ? and `
		args = append(args, f.Since.Add(time.Microsecond-1).UnixMicro()) // stored times are truncated to the microsecond
	}
	if f.NewestFirst {
		return text + `i.completed_at <= ? and (i.completed_at < ? or i.interview_id < ?) order by i.completed_at desc, i.interview_id desc limit ?`, args
	}
	return text + `i.completed_at >= ? and (i.completed_at > ? or i.interview_id > ?) order by i.completed_at, i.interview_id limit ?`, args
}

const pageSize = 500

// listing is a statement whose rows are read a page at a time. Its last four arguments are
// the time of the row to continue after, twice, the row's id, and the size of a page.
type listing[T any] struct {
	doing, template string
	args            []any  // without the last four
	at              int64  // the time to continue after
	id              string // the id to continue after
	size            int
	scan            func(*sql.Rows) (T, error)
	place           func(T) (at time.Time, id string)
}

// yield holds no connection while it yields.
func (l listing[T]) yield(ctx context.Context, s *Store, yield func(T, error) bool) {
	for {
		var page []T
		err := s.run(ctx, l.doing, func(q querier) error {
			page = nil
			return q.each(ctx, func(rows *sql.Rows) error {
				row, err := l.scan(rows)
				page = append(page, row)
				return err
			}, l.template, append(l.args[:len(l.args):len(l.args)], l.at, l.at, l.id, l.size)...)
		})
		if err != nil {
			yield(*new(T), err)
			return
		}
		for _, row := range page {
			if err := ctx.Err(); err != nil {
				yield(*new(T), err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if len(page) < l.size {
			return
		}
		at, id := l.place(page[len(page)-1])
		l.at, l.id = at.UnixMicro(), id
	}
}
