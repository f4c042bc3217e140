package store

import (
	"context"
	"iter"
	"time"
)

// Transcripts is a store that keeps transcripts and the queue of jobs that fetch
// them. Record adds a job to the queue.
//
// A job is claimed for the length of a lease, measured by the store's own clock
// (for a database, the server's), so that replicas may disagree about the time. A
// lease of zero or less is over at once. The holder extends it while it works.
type Transcripts interface {
	// ClaimJobs claims up to limit jobs that are due, ordered by due time and then
	// by interview id, and hides them from everybody else until the lease is over.
	// It skips a job whose interview is missing, and may pass over one that another
	// call is working on.
	ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]Job, error)

	// ExtendJob makes the lease of a claimed job end after lease from now. It
	// returns [ErrLeaseLost] if the job is gone or has been claimed again. A lease
	// that is over while nobody else has claimed the job still counts; this holds
	// for the four methods below too.
	ExtendJob(ctx context.Context, j Job, lease time.Duration) error

	// SaveTranscript stores the transcript of a claimed job and keeps the job,
	// whose Fetched is true from then on. If the claim is lost it stores nothing
	// and returns [ErrLeaseLost], so that a person who was erased stays erased.
	SaveTranscript(ctx context.Context, j Job, t Transcript) error

	// FinishJob deletes a claimed job, or returns [ErrLeaseLost].
	FinishJob(ctx context.Context, j Job) error

	// PostponeJob gives a claimed job back. It is due after wait, with the Attempts
	// and the Reason of j. A store may keep only the first 256 bytes of the reason
	// and replace what is not printable. Returns [ErrLeaseLost] as above.
	PostponeJob(ctx context.Context, j Job, wait time.Duration) error

	// KillJob takes a claimed job out of the queue. It stays listed as dead, with
	// the Attempts and the Reason of j, until it is requeued. Returns
	// [ErrLeaseLost] as above.
	KillJob(ctx context.Context, j Job) error

	// RequeueJob makes a dead job due at once, with no attempts counted. It returns
	// [ErrNotFound] if the interview has no dead job.
	RequeueJob(ctx context.Context, interviewID string) error

	// RequeueJobs does what RequeueJob does for every dead job and returns how many
	// there were.
	RequeueJobs(ctx context.Context) (int, error)

	// PendingJobs yields the jobs that are not dead, ordered by due time and then
	// by interview id.
	PendingJobs(ctx context.Context) iter.Seq2[Job, error]

	// DeadJobs yields the dead jobs in the same order.
	DeadJobs(ctx context.Context) iter.Seq2[Job, error]

	// Transcript returns what SaveTranscript stored, or [ErrNotFound].
	Transcript(ctx context.Context, interviewID string) (Transcript, error)
}

// A Job is a transcript that is still to be fetched, or to be handed to the app.
type Job struct {
	Completion           // the completion as the store has it now
	QueuedAt   time.Time // when Record or RequeueJob queued it
	DueAt      time.Time // not to be claimed before; while it is claimed, the end of the lease
	Attempts   int       // failed attempts so far
	Reason     string    // why the last attempt failed; "" before the first
	Fetched    bool      // the transcript is stored
	Claim      string    // identifies the claim; opaque, set by ClaimJobs alone
}

// A Transcript is an interview as the provider returned it.
type Transcript struct {
	InterviewID string
	FetchedAt   time.Time
	Body        []byte // the provider's interview object: raw JSON, byte for byte
}
