package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"iter"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/askonce/askonce/store"
)

// ClaimJobs implements [store.Transcripts].
func (s *Store) ClaimJobs(ctx context.Context, lease time.Duration, limit int) (jobs []store.Job, err error) {
	_, err = s.ready(ctx)
	if err == nil && limit > 0 {
		claim := rand.Text()
		if s.d.claim != "" {
			err = s.retried(ctx, func() error {
				jobs, err = s.scanJobs(ctx, s.outside(), s.text.claim, limit, lease.Microseconds(), claim)
				return err
			})
		} else {
			err = s.inTx(ctx, func(tx querier) error {
				jobs, err = s.claim(ctx, tx, lease, limit, claim)
				return err
			})
		}
		for i := range jobs {
			jobs[i].Claim = claim
		}
		if err == nil && len(jobs) < limit {
			err = s.dropOrphans(ctx)
		}
	}
	if err != nil {
		return nil, s.failed(ctx, "claim jobs", err)
	}
	return jobs, nil
}

// claim is the claim in three statements.
func (s *Store) claim(ctx context.Context, tx querier, lease time.Duration, limit int, claim string) (jobs []store.Job, err error) {
	due, err := tx.strings(ctx, s.text.due, limit)
	if err != nil {
		return nil, err
	}
	for _, id := range due {
		if _, err := tx.exec(ctx, s.text.takeJob, lease.Microseconds(), claim, id); err != nil {
			return nil, err
		}
		one, err := s.scanJobs(ctx, tx, s.text.jobs, id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, one...)
	}
	return jobs, nil
}

// dropOrphans deletes due jobs whose interview is missing: nothing can be fetched
// for them, and a later Record of the interview makes them again.
func (s *Store) dropOrphans(ctx context.Context) error {
	ids, err := s.outside().strings(ctx, s.text.orphans)
	for _, id := range ids {
		if err == nil {
			_, err = s.outside().exec(ctx, s.text.deleteJob, id)
			s.log.WarnContext(ctx, "askonce: job dropped because its interview is missing", "interview", id)
		}
	}
	return err
}

// scanJobs scans jobColumns.
func (s *Store) scanJobs(ctx context.Context, q querier, text string, args ...any) (jobs []store.Job, err error) {
	err = q.each(ctx, func(rows *sql.Rows) error {
		var j store.Job
		var queued, due int64
		var fetched int
		var err error
		j.Completion, err = scanCompletion(rows.Scan, &queued, &due, &j.Attempts, &j.Reason, &fetched)
		j.QueuedAt, j.DueAt, j.Fetched = instant(queued), instant(due), fetched > 0
		jobs = append(jobs, j)
		return err
	}, text, args...)
	return jobs, err
}

// ExtendJob implements [store.Transcripts].
func (s *Store) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	return s.withClaim(ctx, "extend a lease", j, func(tx querier) (int64, error) {
		return tx.exec(ctx, s.text.extendJob, lease.Microseconds(), j.InterviewID, j.Claim)
	})
}

// SaveTranscript implements [store.Transcripts]. The job is locked first: if an
// Erase has deleted it, nothing is stored, and one that comes later waits for this
// transaction and finds the transcript.
func (s *Store) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	return s.withClaim(ctx, "save a transcript", j, func(tx querier) (int64, error) {
		n, err := tx.exec(ctx, s.text.fetchedJob, j.InterviewID, j.Claim)
		if err != nil || n == 0 {
			return 0, err
		}
		body := t.Body
		if body == nil {
			body = []byte{} // nil would be NULL
		}
		_, err = tx.exec(ctx, s.text.replaceBody, j.InterviewID, t.FetchedAt.UnixMicro(), body)
		return n, err
	})
}

// FinishJob implements [store.Transcripts].
func (s *Store) FinishJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, "finish a job", j, func(tx querier) (int64, error) {
		n, err := tx.exec(ctx, s.text.finishJob, j.InterviewID, j.Claim)
		if err != nil || n == 0 {
			return 0, err
		}
		_, err = tx.exec(ctx, s.text.finished, j.InterviewID)
		return n, err
	})
}

// PostponeJob implements [store.Transcripts]. Of the reason it keeps the first
// 1,024 bytes, with spaces for what is not printable.
func (s *Store) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	return s.withClaim(ctx, "postpone a job", j, func(tx querier) (int64, error) {
		return tx.exec(ctx, s.text.postponeJob, wait.Microseconds(), j.Attempts, printable(j.Reason), j.InterviewID, j.Claim)
	})
}

// KillJob implements [store.Transcripts]. It keeps the reason as PostponeJob does.
func (s *Store) KillJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, "kill a job", j, func(tx querier) (int64, error) {
		return tx.exec(ctx, s.text.killJob, j.Attempts, printable(j.Reason), j.InterviewID, j.Claim)
	})
}

// withClaim runs do in a transaction, which is undone if it affects no row.
func (s *Store) withClaim(ctx context.Context, doing string, j store.Job, do func(tx querier) (int64, error)) error {
	_, err := s.ready(ctx)
	switch {
	case err != nil:
	case store.CheckID(j.InterviewID) != nil || store.CheckID(j.Claim) != nil: // no job of ours
		err = store.ErrLeaseLost
	default:
		err = s.inTx(ctx, func(tx querier) error {
			n, err := do(tx)
			if err == nil && n == 0 {
				err = store.ErrLeaseLost
			}
			return err
		})
	}
	return s.failed(ctx, doing, err)
}

// RequeueJob implements [store.Transcripts].
func (s *Store) RequeueJob(ctx context.Context, interviewID string) error {
	if err := store.CheckID(interviewID); err != nil {
		return err
	}
	n, err := s.affected(ctx, s.text.requeueJob, interviewID)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return s.failed(ctx, "requeue a job", err)
}

// RequeueJobs implements [store.Transcripts].
func (s *Store) RequeueJobs(ctx context.Context) (int, error) {
	n, err := s.affected(ctx, s.text.requeueJobs)
	return int(n), s.failed(ctx, "requeue jobs", err)
}

// affected runs one statement and returns how many rows it affected.
func (s *Store) affected(ctx context.Context, text string, args ...any) (n int64, err error) {
	if _, err := s.ready(ctx); err != nil {
		return 0, err
	}
	err = s.retried(ctx, func() error {
		n, err = s.outside().exec(ctx, text, args...)
		return err
	})
	return n, err
}

// PendingJobs implements [store.Transcripts].
func (s *Store) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.listJobs(ctx, s.text.pendingJobs)
}

// DeadJobs implements [store.Transcripts].
func (s *Store) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.listJobs(ctx, s.text.deadJobs)
}

func (s *Store) listJobs(ctx context.Context, text string) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		inPages(s, ctx, "list jobs", yield, pageSize, func(after *store.Job) ([]store.Job, error) {
			from, id := int64(math.MinInt64), ""
			if after != nil {
				from, id = after.DueAt.UnixMicro(), after.InterviewID
			}
			return s.scanJobs(ctx, s.outside(), text, from, from, id, pageSize)
		})
	}
}

// Transcript implements [store.Transcripts].
func (s *Store) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	if err := store.CheckID(interviewID); err != nil {
		return store.Transcript{}, err
	}
	t := store.Transcript{InterviewID: interviewID}
	var fetched int64
	_, err := s.ready(ctx)
	if err == nil {
		err = s.outside().row(ctx, s.text.transcript, interviewID).Scan(&fetched, &t.Body)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Transcript{}, s.failed(ctx, "read a transcript", err)
	}
	t.FetchedAt = instant(fetched)
	return t, nil
}

// DeleteTranscript implements [store.Retention].
func (s *Store) DeleteTranscript(ctx context.Context, interviewID string) error {
	if err := store.CheckID(interviewID); err != nil {
		return err
	}
	_, err := s.ready(ctx)
	if err == nil {
		err = s.inTx(ctx, func(tx querier) error {
			jobs, err := tx.exec(ctx, s.text.deleteJob, interviewID)
			if err != nil {
				return err
			}
			bodies, err := tx.exec(ctx, s.text.deleteTranscript, interviewID)
			if err != nil {
				return err
			}
			if jobs+bodies == 0 {
				return store.ErrNotFound
			}
			_, err = tx.exec(ctx, s.text.finished, interviewID)
			return err
		})
	}
	return s.failed(ctx, "delete a transcript", err)
}

// DeleteExpired implements [store.Retention].
func (s *Store) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	var find, remove string
	switch what {
	case store.ExpiredTranscripts:
		find, remove = s.text.oldTranscripts, s.text.deleteTranscript
	case store.ExpiredDeadJobs:
		find, remove = s.text.oldDeadJobs, s.text.deleteJob
	case store.ExpiredDeadLetters:
		find, remove = s.text.oldLetters, s.text.deleteLetter
	default:
		return 0, errors.New("sqlstore: unknown kind of expirable")
	}
	_, err := s.ready(ctx)
	var ids []string
	if err == nil && limit > 0 {
		ids, err = s.outside().strings(ctx, find, before.UnixMicro(), limit)
	}
	deleted := 0
	for _, id := range ids {
		var n int64
		if err = cmp.Or(err, ctx.Err()); err == nil {
			err = s.inTx(ctx, func(tx querier) error {
				if n, err = tx.exec(ctx, remove, id); err != nil || n == 0 || what != store.ExpiredDeadJobs {
					return err
				}
				_, err = tx.exec(ctx, s.text.finished, id)
				return err
			})
		}
		if err != nil {
			break
		}
		deleted += int(n)
	}
	return deleted, s.failed(ctx, "delete what has expired", err)
}

// printable returns what every database takes as text of at most 1,024 bytes.
func printable(reason string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(reason[:min(len(reason), 1024)], " "))
}
