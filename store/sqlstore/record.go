package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"time"

	"github.com/askonce/askonce/store"
)

const (
	interviewColumns = `i.interview_id, i.study_id, i.user_id, i.completed_at, i.until_at, i.duration, i.quality, i.language, i.ignored`

	// The second parameter is for whether the user has completed the study.
	selectInterview = `select ` + interviewColumns + `, i.was_reset, i.was_erased, coalesce(p.completed_until, 0) from {prefix}interview i
		left join {prefix}person p on p.user_hash = ? and p.study_id = i.study_id where i.interview_id = ?`

	insertInterview = `insert into {prefix}interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language, ignored,
			was_erased, job, queued_at, due_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now}, {now})`

	updateInterview = `update {prefix}interview set user_id = ?, until_at = ?, quality = ?, ignored = ? where interview_id = ?`
	loseInterview   = `update {prefix}interview set was_erased = 1, ` + noJob + ` where interview_id = ?`
	lockInterview   = `select interview_id from {prefix}interview where interview_id = ? {for update}`

	selectCompletion = `select count(*), coalesce(max(until_at), 0), coalesce(min(completed_at), 0) from {prefix}interview
		where user_id = ? and study_id = ? and ignored = 0 and was_reset = 0`
)

// interview is a stored interview.
type interview struct {
	store.Completion
	reset, erased  bool
	completedUntil int64 // of the user that was asked for
}

func (q querier) interview(ctx context.Context, c store.Completion) (i interview, known bool, err error) {
	err = q.each(ctx, func(rows *sql.Rows) (err error) {
		known = true
		i.Completion, err = scanCompletion(rows.Scan, &i.reset, &i.erased, &i.completedUntil)
		return err
	}, selectInterview, q.ready.hashes.user(c.UserID), c.InterviewID)
	return i, known, err
}

// scanCompletion scans interviewColumns, and further columns into dest.
func scanCompletion(scan func(...any) error, dest ...any) (c store.Completion, err error) {
	var completed, until, duration int64
	err = scan(append([]any{&c.InterviewID, &c.StudyID, &c.UserID, &completed, &until, &duration, &c.Quality, &c.Language, &c.Ignored}, dest...)...)
	c.CompletedAt, c.Until, c.Duration = instant(completed), untilTime(until), time.Duration(duration)*time.Microsecond
	return c, err
}

// subject returns the user whom c concerns, or "".
func (i *interview) subject(c store.Completion) string {
	if i.erased {
		return ""
	}
	return cmp.Or(i.UserID, c.UserID)
}

// scored reports whether c adds the quality of i.
func (i *interview) scored(c store.Completion) bool { return i.Quality == "" && c.Quality != "" }

// attributes reports whether c adds the user of i.
func (i *interview) attributes(c store.Completion) bool {
	return i.UserID == "" && c.UserID != "" && !i.erased
}

// lacks reports whether the completion of i is missing. That is known only if c names the
// user.
func (i *interview) lacks(c store.Completion) bool {
	return i.UserID != "" && i.UserID == c.UserID && !i.Ignored && !i.reset && i.completedUntil < max(untilMicros(i.Until), 1)
}

// Record implements [store.Store]. For a known interview it makes one look-up and writes
// only what is new.
func (s *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := store.CheckCompletion(c); err != nil {
		return false, err
	}
	c.CompletedAt, c.Until = store.Instant(c.CompletedAt), store.Instant(c.Until)
	err = s.run(ctx, "record", func(q querier) error {
		first = false
		i, known, err := q.interview(ctx, c)
		if err != nil || known && !i.scored(c) && !i.attributes(c) && !i.lacks(c) {
			return err
		}
		return q.inTx(ctx, func(tx querier) error {
			if known {
				return tx.recordAgain(ctx, c, i.subject(c))
			}
			first = true
			return tx.recordFirst(ctx, c)
		})
	})
	return first && err == nil, err
}

// recordFirst stores an unknown interview. If another call has stored it in the meantime,
// the error's class is again.
func (q querier) recordFirst(ctx context.Context, c store.Completion) (err error) {
	p, owner := &person{}, c.UserID
	if c.UserID != "" {
		if p, err = q.lock(ctx, c.UserID); err != nil {
			return err
		}
	}
	if p.erased {
		owner = ""
	}
	_, err = q.exec(ctx, insertInterview, c.InterviewID, c.StudyID, owner, c.CompletedAt.UnixMicro(), untilMicros(c.Until),
		c.Duration.Microseconds(), c.Quality, c.Language, flag(c.Ignored), flag(p.erased), flag(!p.erased))
	if err != nil || c.UserID == "" || c.Ignored {
		return err
	}
	p.complete(c.StudyID, untilMicros(c.Until), c.CompletedAt.UnixMicro())
	return q.save(ctx, p, c.StudyID)
}

// recordAgain writes what c adds to a known interview, whose user, if any, is subject.
func (q querier) recordAgain(ctx context.Context, c store.Completion, subject string) (err error) {
	p := &person{}
	if subject != "" {
		if p, err = q.lock(ctx, subject); err != nil {
			return err
		}
	}
	if _, err := q.ids(ctx, lockInterview, c.InterviewID); err != nil {
		return err
	}
	i, known, err := q.interview(ctx, c)
	if err == nil && (!known || i.subject(c) != subject) {
		err = errChanged
	}
	if err != nil {
		return err
	}
	scored, attributes, lacks := i.scored(c), i.attributes(c), i.lacks(c)
	if scored {
		i.Quality, i.Until, i.Ignored = c.Quality, c.Until, c.Ignored
	}
	wasTheirs := i.UserID != ""
	if attributes && p.erased {
		if _, err := q.exec(ctx, loseInterview, c.InterviewID); err != nil {
			return err
		}
		if _, err := q.exec(ctx, deleteTranscript, c.InterviewID); err != nil {
			return err
		}
	} else if attributes {
		i.UserID = subject
	}
	if _, err := q.exec(ctx, updateInterview, i.UserID, untilMicros(i.Until), i.Quality, flag(i.Ignored), c.InterviewID); err != nil {
		return err
	}
	switch {
	case scored && wasTheirs: // the word on whether it counts may have changed
		var n, until, completedAt int64
		if err := q.one(ctx, []any{&n, &until, &completedAt}, selectCompletion, subject, i.StudyID); err != nil {
			return err
		}
		p.study(i.StudyID).completedUntil = 0
		if n > 0 {
			p.complete(i.StudyID, until, completedAt)
		}
	case (attributes || lacks) && !i.Ignored:
		p.complete(i.StudyID, untilMicros(i.Until), i.CompletedAt.UnixMicro())
	default:
		return nil
	}
	return q.save(ctx, p, i.StudyID)
}
