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
		inPages(s, ctx, "list completions", yield, pageSize, func(q querier, last *store.Completion) (page []store.Completion, err error) {
			if last == nil {
				last = f.After
			}
			from, id := int64(math.MinInt64), ""
			if f.NewestFirst {
				from = math.MaxInt64
			}
			if last != nil {
				from, id = last.CompletedAt.UnixMicro(), last.InterviewID
			}
			err = q.each(ctx, func(rows *sql.Rows) error {
				c, err := scanCompletion(rows.Scan)
				page = append(page, c)
				return err
			}, text, append(args[:len(args):len(args)], from, from, id, pageSize)...)
			return page, err
		})
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

// inPages yields what next returns, page by page, until a page is shorter than size. It
// holds no connection while it yields.
func inPages[T any](s *Store, ctx context.Context, doing string, yield func(T, error) bool, size int, next func(q querier, last *T) ([]T, error)) {
	var last *T
	for {
		var page []T
		err := s.run(ctx, doing, func(q querier) (err error) {
			page, err = next(q, last)
			return err
		})
		if err != nil {
			yield(*new(T), err)
			return
		}
		for i := range page {
			if err := ctx.Err(); err != nil {
				yield(*new(T), err)
				return
			}
			if !yield(page[i], nil) {
				return
			}
		}
		if len(page) < size {
			return
		}
		last = &page[len(page)-1]
	}
}
