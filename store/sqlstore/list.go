package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"math"
	"time"

	"github.com/askonce/askonce/store"
)

// Completions implements [store.Lister]. What is recorded meanwhile may be in the
// list or not.
func (s *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := store.CheckFilter(f); err != nil {
			yield(store.Completion{}, err)
			return
		}
		text, args := s.selection(f)
		inPages(s, ctx, "list completions", yield, pageSize, func(after *store.Completion) ([]store.Completion, error) {
			if after == nil {
				after = f.After
			}
			at, id := int64(math.MinInt64), ""
			if f.NewestFirst {
				at = math.MaxInt64
			}
			if after != nil {
				at, id = after.CompletedAt.UnixMicro(), after.InterviewID
			}
			var page []store.Completion
			err := s.outside().each(ctx, func(rows *sql.Rows) error {
				c, err := scanCompletion(rows.Scan)
				page = append(page, c)
				return err
			}, text, append(args[:len(args):len(args)], at, at, id, pageSize)...)
			return page, err
		})
	}
}

// selection returns the query of a page, which ends with the arguments of inPages.
func (s *Store) selection(f store.Filter) (text string, args []any) {
	text = `select ` + interviewColumns + ` from {prefix}interview i where `
	for _, c := range []struct{ column, value string }{
		{"interview_id", f.InterviewID}, {"user_id", f.UserID}, {"study_id", f.StudyID}, {"quality", f.Quality},
	} {
		if c.value != "" {
			text += `i.` + c.column + ` = ?t and `
			args = append(args, c.value)
		}
	}
	if !f.Since.IsZero() {
		text += `i.completed_at >= ?i and `
		args = append(args, f.Since.Add(time.Microsecond-1).UnixMicro()) // what is kept was truncated to the microsecond
	}
	if f.NewestFirst {
		text += `i.completed_at <= ?i and (i.completed_at < ?i or i.interview_id < ?t) order by i.completed_at desc, i.interview_id desc limit ?i`
	} else {
		text += `i.completed_at >= ?i and (i.completed_at > ?i or i.interview_id > ?t) order by i.completed_at, i.interview_id limit ?i`
	}
	return s.d.render(text, s.prefix), args
}

const pageSize = 500

// inPages yields what next returns, page by page, until one is shorter than size.
// No connection is held while the consumer works.
func inPages[T any](s *Store, ctx context.Context, doing string, yield func(T, error) bool, size int, next func(after *T) ([]T, error)) {
	var last *T
	for {
		_, err := s.ready(ctx)
		var page []T
		if err == nil {
			page, err = next(last)
		}
		if err != nil {
			yield(*new(T), s.failed(ctx, doing, err))
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

// scanCompletion scans interviewColumns, and more into dest.
func scanCompletion(scan func(...any) error, dest ...any) (c store.Completion, err error) {
	var completed, until, duration int64
	err = scan(append([]any{&c.InterviewID, &c.StudyID, &c.UserID, &completed, &until, &duration, &c.Quality, &c.Language, &c.Ignored}, dest...)...)
	c.CompletedAt, c.Until, c.Duration = instant(completed), untilTime(until), time.Duration(duration)*time.Microsecond
	return c, err
}
