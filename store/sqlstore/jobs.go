package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"iter"
	"math"
	"time"

	"github.com/askonce/askonce/store"
)

// A job is part of its interview's row: neither can be lost without the other.
// The column job is 1 while the job is pending and 2 when it is dead.
const (
	noJob = `job = 0, reason = '', claim = '', fetched = 0`

	jobColumns = interviewColumns + `, i.queued_at, i.due_at, i.attempts, i.reason, i.fetched`

	selectDue = `select ` + jobColumns + `, {now} from {prefix}interview i where i.job = 1 and i.due_at <= {now}
		order by i.due_at, i.interview_id limit ? {skip locked}`
	claimJobs = `update {prefix}interview set due_at = ?, claim = ? where interview_id in `

	ofClaim     = ` where interview_id = ? and claim = ? and job = 1`
	extendJob   = `update {prefix}interview set due_at = {now} + ?` + ofClaim
	finishJob   = `update {prefix}interview set ` + noJob + ofClaim
	postponeJob = `update {prefix}interview set due_at = {now} + ?, attempts = ?, reason = ?, claim = ''` + ofClaim
	killJob     = `update {prefix}interview set job = 2, attempts = ?, reason = ?, claim = ''` + ofClaim

	requeueJobs = `update {prefix}interview set job = 1, queued_at = {now}, due_at = {now}, attempts = 0, reason = '', claim = '' where job = 2`
	requeueJob  = requeueJobs + ` and interview_id = ?`

	selectJobs    = `select ` + jobColumns + ` from {prefix}interview i where i.job = `
	inOrderOfJobs = ` and i.due_at >= ? and (i.due_at > ? or i.interview_id > ?) order by i.due_at, i.interview_id limit ?`
	pendingJobs   = selectJobs + `1` + inOrderOfJobs
	deadJobs      = selectJobs + `2` + inOrderOfJobs
)

// ClaimJobs implements [store.Transcripts], with two statements.
func (s *Store) ClaimJobs(ctx context.Context, lease time.Duration, limit int) (jobs []store.Job, err error) {
	err = s.runTx(ctx, "claim jobs", func(tx querier) error {
		jobs = nil
		var now int64
		var ids []string
		err := tx.each(ctx, func(rows *sql.Rows) error {
			j, err := scanJob(rows.Scan, &now)
			jobs, ids = append(jobs, j), append(ids, j.InterviewID)
			return err
		}, selectDue, max(limit, 0))
		if err != nil || len(jobs) == 0 {
			return err
		}
		until, claim := now+lease.Microseconds(), rand.Text()
		for i := range jobs {
			jobs[i].DueAt, jobs[i].Claim = instant(until), claim
		}
		_, err = tx.execForIDs(ctx, claimJobs, []any{until, claim}, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// scanJob scans jobColumns, and further columns into dest.
func scanJob(scan func(...any) error, dest ...any) (j store.Job, err error) {
	var queued, due int64
	j.Completion, err = scanCompletion(scan, append([]any{&queued, &due, &j.Attempts, &j.Reason, &j.Fetched}, dest...)...)
	j.QueuedAt, j.DueAt = instant(queued), instant(due)
	return j, err
}

// ExtendJob implements [store.Transcripts].
func (s *Store) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	return s.withClaim(ctx, "extend a job", j, extendJob, lease.Microseconds())
}

// FinishJob implements [store.Transcripts].
func (s *Store) FinishJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, "finish a job", j, finishJob)
}

// PostponeJob implements [store.Transcripts]. It keeps the first 1,024 bytes of the
// reason, with spaces in place of unprintable characters.
func (s *Store) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	return s.withClaim(ctx, "postpone a job", j, postponeJob, wait.Microseconds(), j.Attempts, printable(j.Reason))
}

// KillJob implements [store.Transcripts]. It keeps the reason as PostponeJob does.
func (s *Store) KillJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, "kill a job", j, killJob, j.Attempts, printable(j.Reason))
}

// withClaim runs one statement that ends in ofClaim.
func (s *Store) withClaim(ctx context.Context, doing string, j store.Job, template string, args ...any) error {
	return s.run(ctx, doing, func(q querier) error { return q.withClaim(ctx, j, template, args...) })
}

func (q querier) withClaim(ctx context.Context, j store.Job, template string, args ...any) error {
	if store.CheckID(j.InterviewID) != nil || store.CheckID(j.Claim) != nil { // not a job of this store
		return store.ErrLeaseLost
	}
	return q.affect(ctx, store.ErrLeaseLost, template, append(args, j.InterviewID, j.Claim)...)
}

// RequeueJob implements [store.Transcripts].
func (s *Store) RequeueJob(ctx context.Context, interviewID string) error {
	if err := store.CheckID(interviewID); err != nil {
		return err
	}
	return s.run(ctx, "requeue a job", func(q querier) error {
		return q.affect(ctx, store.ErrNotFound, requeueJob, interviewID)
	})
}

// RequeueJobs implements [store.Transcripts].
func (s *Store) RequeueJobs(ctx context.Context) (n int, err error) {
	err = s.run(ctx, "requeue jobs", func(q querier) error {
		affected, err := q.exec(ctx, requeueJobs)
		n = int(affected)
		return err
	})
	return n, err
}

// PendingJobs implements [store.Transcripts].
func (s *Store) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.jobs(ctx, pendingJobs)
}

// DeadJobs implements [store.Transcripts].
func (s *Store) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.jobs(ctx, deadJobs)
}

func (s *Store) jobs(ctx context.Context, template string) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		listing[store.Job]{
			doing: "list jobs", template: template, at: math.MinInt64, size: pageSize,
			scan:  func(rows *sql.Rows) (store.Job, error) { return scanJob(rows.Scan) },
			place: func(j store.Job) (time.Time, string) { return j.DueAt, j.InterviewID },
		}.yield(ctx, s, yield)
	}
}
