package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"iter"
	"strings"
	"time"
	"unicode"

	"github.com/askonce/askonce/store"
)

// ClaimJobs implements Transcripts.
func (s *Store) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) (jobs []store.Job, err error) {
	_, err = s.ready(ctx)
	if err == nil && limit > 0 {
		err = s.inTx(ctx, func(tx querier) (err error) {
			jobs, err = s.claim(ctx, tx, now, now.Add(lease), limit)
			return err
		})
	}
	if err != nil {
		return nil, s.failed(ctx, "claim jobs", err)
	}
	return jobs, nil
}

func (s *Store) claim(ctx context.Context, tx querier, now, until time.Time, limit int) ([]store.Job, error) {
	var due []string
	err := tx.each(ctx, func(rows *sql.Rows) error {
		due = append(due, "")
		return rows.Scan(&due[len(due)-1])
	}, s.text.dueJobs, now.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	claim := rand.Text()
	jobs := make([]store.Job, 0, len(due))
	for _, id := range due {
		if _, err := tx.exec(ctx, s.text.claimJobs, until.UnixMicro(), claim, id); err != nil {
			return nil, err
		}
		j, err := scanJob(tx.row(ctx, s.text.claimed, id).Scan)
		if err != nil {
			return nil, err
		}
		j.Claim = claim
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// scanJob scans jobColumns.
func scanJob(scan func(...any) error) (j store.Job, err error) {
	var queued, due int64
	j.Completion, err = scanCompletion(scan, &queued, &due, &j.Attempts, &j.Reason)
	j.QueuedAt, j.DueAt = instant(queued), instant(due)
	return j, err
}

// FinishJob implements Transcripts. The job is deleted first: when an Erase has
// done so, there is nothing to store any more, and when it comes later, it
// waits for this transaction and finds the transcript.
func (s *Store) FinishJob(ctx context.Context, j store.Job, t store.Transcript) error {
	return s.withClaim(ctx, "finish a job", j, func(tx querier) (int64, error) {
		n, err := tx.exec(ctx, s.text.finishJob, j.InterviewID, j.Claim)
		if err != nil || n == 0 {
			return 0, err
		}
		return tx.exec(ctx, s.text.insertTranscript, j.InterviewID, t.FetchedAt.UnixMicro(), notNil(t.Body))
	})
}

// PostponeJob implements Transcripts. Of the reason it keeps the first 1,024
// bytes, with spaces for what is not printable.
func (s *Store) PostponeJob(ctx context.Context, j store.Job, next time.Time) error {
	return s.withClaim(ctx, "postpone a job", j, func(tx querier) (int64, error) {
		return tx.exec(ctx, s.text.postponeJob, next.UnixMicro(), j.Attempts, printable(j.Reason), j.InterviewID, j.Claim)
	})
}

// KillJob implements Transcripts. It keeps the reason as PostponeJob does.
func (s *Store) KillJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, "kill a job", j, func(tx querier) (int64, error) {
		return tx.exec(ctx, s.text.killJob, j.Attempts, printable(j.Reason), j.InterviewID, j.Claim)
	})
}

// withClaim runs do in a transaction, which does not happen when it has not
// affected a row.
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

// RequeueJob implements Transcripts.
func (s *Store) RequeueJob(ctx context.Context, interviewID string, now time.Time) error {
	if err := store.CheckID(interviewID); err != nil {
		return err
	}
	return s.affecting(ctx, "requeue a job", s.text.requeueJob, now.UnixMicro(), now.UnixMicro(), interviewID)
}

// affecting runs one statement, which is to affect a row: ErrNotFound.
func (s *Store) affecting(ctx context.Context, doing, text string, args ...any) error {
	_, err := s.ready(ctx)
	if err == nil {
		err = s.retried(ctx, func() error {
			n, err := s.outside().exec(ctx, text, args...)
			if err == nil && n == 0 {
				err = store.ErrNotFound
			}
			return err
		})
	}
	return s.failed(ctx, doing, err)
}

// Jobs implements Transcripts.
func (s *Store) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		state := 0
		if dead {
			state = 1
		}
		inPages(s, ctx, "list jobs", yield, pageSize, func(after *store.Job) (page []store.Job, err error) {
			from, id := int64(-1<<63), ""
			if after != nil {
				from, id = after.DueAt.UnixMicro(), after.InterviewID
			}
			err = s.outside().each(ctx, func(rows *sql.Rows) error {
				j, err := scanJob(rows.Scan)
				page = append(page, j)
				return err
			}, s.text.listJobs, state, from, from, id, pageSize)
			return page, err
		})
	}
}

// Transcript implements Transcripts.
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

// notNil keeps an empty body from becoming NULL.
func notNil(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
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
