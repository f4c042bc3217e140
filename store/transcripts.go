package store

import (
	"context"
	"iter"
	"time"
)

// Transcripts is a store that keeps transcripts and the queue of jobs that fetch them.
// [Store].Record adds a job to the queue.
//
// A job is claimed for the duration of a lease, which the store measures by its own clock
// (a database by the server's), because the clocks of replicas may differ. A lease of
// zero or less is over at once. The holder extends the lease while it works.
type Transcripts interface {
	// ClaimJobs claims up to limit jobs that are due, ordered by due time and then by
	// interview id. No other call can claim them until the lease is over. It skips jobs
	// whose interview is missing, and may skip jobs that another call is changing.
	ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]Job, error)

	// ExtendJob makes the lease of a claimed job end after lease from now. It returns
	// [ErrLeaseLost] if the job is gone or has been claimed again. A lease that is over
	// still counts as long as nobody else has claimed the job. That also applies to the
	// four methods below.
	ExtendJob(ctx context.Context, j Job, lease time.Duration) error

	// SaveTranscript stores the transcript of a claimed job and keeps the job, with
	// Fetched set. If the claim is lost it stores nothing and returns [ErrLeaseLost], so
	// that an erased user stays erased.
	SaveTranscript(ctx context.Context, j Job, t Transcript) error

	// FinishJob deletes a claimed job, or returns [ErrLeaseLost].
	FinishJob(ctx context.Context, j Job) error

	// PostponeJob returns a claimed job to the queue, due after wait, with the Attempts
	// and the Reason of j. A store may keep only the first 256 bytes of the reason and
	// replace unprintable characters. It returns [ErrLeaseLost] as above.
	PostponeJob(ctx context.Context, j Job, wait time.Duration) error

	// KillJob takes a claimed job out of the queue. The job stays listed as dead, with
	// the Attempts and the Reason of j, until it is requeued. It returns [ErrLeaseLost]
	// as above.
	KillJob(ctx context.Context, j Job) error

	// RequeueJob makes a dead job due at once, with Attempts set to 0. It returns
	// [ErrNotFound] if the interview has no dead job.
	RequeueJob(ctx context.Context, interviewID string) error

	// RequeueJobs requeues every dead job and returns their number.
	RequeueJobs(ctx context.Context) (int, error)

	// PendingJobs yields the jobs that are not dead, ordered by due time and then
	// by interview id.
	PendingJobs(ctx context.Context) iter.Seq2[Job, error]

	// DeadJobs yields the dead jobs in the same order.
	DeadJobs(ctx context.Context) iter.Seq2[Job, error]

	// Transcript returns what SaveTranscript stored, or [ErrNotFound].
	Transcript(ctx context.Context, interviewID string) (Transcript, error)
}

// A Job is a transcript that has not been fetched, or not been passed to the app.
type Job struct {
	Completion           // as it is stored now
	QueuedAt   time.Time // when Record or RequeueJob queued the job
	DueAt      time.Time // when the job can be claimed; while it is claimed, the end of the lease
	Attempts   int       // failed attempts so far
	Reason     string    // why the last attempt failed; "" before the first
	Fetched    bool      // the transcript is stored
	Claim      string    // identifies the claim; opaque, set only by ClaimJobs
}

// A Transcript is an interview as the provider returned it.
type Transcript struct {
	InterviewID string
	FetchedAt   time.Time
	Body        []byte // the provider's interview object: raw JSON, byte for byte
}
