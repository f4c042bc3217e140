package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/askonce/askonce/store"
)

// Completed implements Store.
func (s *Store) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := store.CheckKey(k); err != nil {
		return false, err
	}
	done, err := s.completed(ctx, k)
	return done, s.failed(ctx, "look up a completion", err)
}

func (s *Store) completed(ctx context.Context, k store.Key) (bool, error) {
	ready, err := s.ready(ctx)
	if err != nil {
		return false, err
	}
	var until int64
	err = s.outside().row(ctx, s.text.completed, ready.hashes.key(k)).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && live(untilTime(until)), err
}

// Record implements Store.
func (s *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := store.CheckCompletion(c); err != nil {
		return false, err
	}
	c.CompletedAt, c.Until = store.Instant(c.CompletedAt), store.Instant(c.Until)
	ready, err := s.ready(ctx)
	if err == nil && s.text.record != "" {
		first, err = s.recordAtOnce(ctx, ready.hashes, c)
	} else if err == nil {
		first, err = s.recordInSteps(ctx, ready.hashes, c)
	}
	if err == nil && !first {
		err = s.recordAgain(ctx, ready.hashes, c)
	}
	return first && err == nil, s.failed(ctx, "record", err)
}

// recordAtOnce is recordInSteps in one statement.
func (s *Store) recordAtOnce(ctx context.Context, hashes *hasher, c store.Completion) (first bool, err error) {
	now := time.Now().UnixMicro()
	err = s.retried(ctx, func() error {
		return s.outside().row(ctx, s.text.record, hashes.user(c.UserID), c.InterviewID, c.StudyID, c.UserID, c.CompletedAt.UnixMicro(),
			untilMicros(c.Until), c.Duration.Microseconds(), c.Quality, c.Language, hashes.key(c.Key), now).Scan(&first)
	})
	return first, err
}

// recordInSteps records an interview that is not known yet, in one transaction.
func (s *Store) recordInSteps(ctx context.Context, hashes *hasher, c store.Completion) (first bool, err error) {
	now := time.Now().UnixMicro()
	err = s.inTx(ctx, func(tx querier) error {
		first = false
		n, err := tx.exec(ctx, s.text.insertInterview, c.InterviewID, c.StudyID, c.UserID, c.CompletedAt.UnixMicro(),
			untilMicros(c.Until), c.Duration.Microseconds(), c.Quality, c.Language)
		if err != nil || n != 1 {
			return err
		}
		first = true
		if c.UserID != "" {
			if _, err := tx.exec(ctx, s.text.insertMark, hashes.key(c.Key), untilMicros(c.Until)); err != nil {
				return err
			}
		}
		// An erased user gets no job. The interview must name its user by now: an Erase that is
		// not seen here was not yet under way when it did, and so waits for this transaction.
		queued, err := tx.exec(ctx, s.text.insertJob, now, now, c.InterviewID, hashes.user(c.UserID))
		if err == nil && queued == 0 {
			_, err = tx.exec(ctx, s.text.takeUser, c.InterviewID)
		}
		return err
	})
	return first && err == nil, err
}

// recordAgain fills in what an interview that is known already did not have.
func (s *Store) recordAgain(ctx context.Context, hashes *hasher, c store.Completion) error {
	if c.Quality == "" && c.UserID == "" {
		return nil
	}
	var study, user, quality string
	var until int64
	var erased bool
	err := s.outside().row(ctx, s.text.interview, c.InterviewID).Scan(&study, &user, &erased, &quality, &until)
	if err != nil {
		return err
	}
	fillQuality, fillUser := quality == "" && c.Quality != "", user == "" && c.UserID != "" && !erased
	if !fillQuality && !fillUser {
		return nil
	}
	return s.inTx(ctx, func(tx querier) error {
		if fillQuality {
			if _, err := tx.exec(ctx, s.text.fillQuality, c.Quality, c.InterviewID); err != nil {
				return err
			}
		}
		if !fillUser {
			return nil
		}
		n, err := tx.exec(ctx, s.text.fillUser, c.UserID, c.InterviewID)
		if err != nil || n != 1 {
			return err
		}
		if _, err := tx.exec(ctx, s.text.insertMark, hashes.key(store.Key{StudyID: study, UserID: c.UserID}), until); err != nil {
			return err
		}
		var gone bool // only now, as in recordInSteps
		if err := tx.row(ctx, s.text.erased, hashes.user(c.UserID)).Scan(&gone); err != nil || !gone {
			return err
		}
		for _, text := range []string{s.text.takeUser, s.text.deleteJob, s.text.deleteTranscript} {
			if _, err := tx.exec(ctx, text, c.InterviewID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reset implements Resetter.
func (s *Store) Reset(ctx context.Context, k store.Key) error {
	if err := store.CheckKey(k); err != nil {
		return err
	}
	ready, err := s.ready(ctx)
	if err == nil {
		err = s.retried(ctx, func() error {
			_, err := s.outside().exec(ctx, s.text.deleteMark, ready.hashes.key(k))
			return err
		})
	}
	return s.failed(ctx, "reset", err)
}

// Erase implements Eraser. It holds off Record for a moment: for the same user
// in MySQL, for everybody in PostgreSQL and SQLite.
func (s *Store) Erase(ctx context.Context, userID string) error {
	if err := store.CheckID(userID); err != nil {
		return err
	}
	ready, err := s.ready(ctx)
	if err == nil {
		err = s.erase(ctx, ready.hashes.user(userID), userID)
	}
	return s.failed(ctx, "erase", err)
}

// erase first lets everybody know, and then looks for what is there: whoever
// records the user later on sees the one, and whoever does so at the moment is
// waited for. Jobs go before transcripts, as in FinishJob.
func (s *Store) erase(ctx context.Context, userHash []byte, userID string) error {
	err := s.retried(ctx, func() error {
		_, err := s.outside().exec(ctx, s.text.keepErased, userHash)
		return err
	})
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx querier) error {
		if s.text.lockUser != "" {
			var args []any
			if s.d.lockUserArg {
				args = append(args, userID)
			}
			if err := tx.each(ctx, func(*sql.Rows) error { return nil }, s.text.lockUser, args...); err != nil {
				return err
			}
		}
		for _, text := range []string{s.text.eraseJobs, s.text.eraseTranscripts, s.text.eraseUser} {
			if _, err := tx.exec(ctx, text, userID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Completions implements Lister. What is recorded meanwhile may be in the list
// or not.
func (s *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := store.CheckFilter(f); err != nil {
			yield(store.Completion{}, err)
			return
		}
		var where string
		var args []any
		and := func(condition string, values ...any) {
			where += condition + ` and `
			args = append(args, values...)
		}
		for column, id := range map[string]string{"study_id": f.StudyID, "user_id": f.UserID, "interview_id": f.InterviewID} {
			if id != "" {
				and(`i.`+column+` = ?`, id)
			}
		}
		since := int64(-1 << 63)
		if !f.Since.IsZero() {
			since = f.Since.Add(time.Microsecond - 1).UnixMicro() // what is kept was cut to the microsecond
		}
		text := s.d.render(s.text.completions+where+
			`i.completed_at >= ? and (i.completed_at > ? or i.interview_id > ?) order by i.completed_at, i.interview_id limit ?`, s.prefix)
		inPages(s, ctx, "list completions", yield, pageSize, func(after *store.Completion) ([]store.Completion, error) {
			from, id := since, ""
			if after != nil {
				from, id = after.CompletedAt.UnixMicro(), after.InterviewID
			}
			var page []store.Completion
			err := s.outside().each(ctx, func(rows *sql.Rows) error {
				c, err := scanCompletion(rows.Scan)
				page = append(page, c)
				return err
			}, text, append(args[:len(args):len(args)], from, from, id, pageSize)...)
			return page, err
		})
	}
}

const pageSize = 500

// inPages yields what next returns, page by page, until one is shorter than size. No
// connection is held while the consumer works.
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
	err = scan(append([]any{&c.InterviewID, &c.StudyID, &c.UserID, &completed, &until, &duration, &c.Quality, &c.Language}, dest...)...)
	c.CompletedAt, c.Until, c.Duration = instant(completed), untilTime(until), time.Duration(duration)*time.Microsecond
	return c, err
}
