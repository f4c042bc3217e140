// Package store keeps who has completed which study, and what came of it.
//
// A Store records interviews and says whether a user has completed a study:
// NewSQL keeps them in PostgreSQL, MySQL, MariaDB or SQLite, package redisstore
// in Redis, and NewMemory until the process ends. Cached puts a cache in front
// of any of them. All have the optional capabilities too: transcripts and the
// queue of those that are still to be fetched (Transcripts), lists (Lister),
// forgetting a person (Eraser), asking somebody again (Resetter), dead letters
// (DeadLetters) and shared progress (Checkpoints). As finds them.
//
// A store of your own needs the two methods of Store; package storetest proves
// that it keeps their promises.
package store

import (
	"context"
	"errors"
	"iter"
	"time"
	"unicode"
	"unicode/utf8"
)

// Key names one user in one study. Both ids are opaque: never trimmed, folded
// or normalised.
type Key struct {
	StudyID, UserID string
}

// Completion is one completed interview.
type Completion struct {
	Key                   // UserID is "" for an anonymous interview
	InterviewID string    // what Record is idempotent on
	CompletedAt time.Time // kept in UTC, at least to the millisecond
	Quality     string    // "" until the provider has scored it
	Language    string
	Duration    time.Duration // kept at least to the millisecond

	// Until ends the completion: from then on the user may be asked again.
	// Zero means never.
	Until time.Time
}

// Store is what every backend must do. Implementations are safe for
// concurrent use; storetest.Run proves the contract.
type Store interface {
	// Completed reports whether the user has completed the study. An unknown
	// user is false, nil; an error is for trouble with the store alone.
	Completed(ctx context.Context, k Key) (bool, error)

	// Record keeps a completion. It is atomic, durable when it returns nil, and
	// idempotent on InterviewID: first is true for exactly one of any number of
	// calls with the same InterviewID, at once or one after the other. Later
	// calls fill in a Quality or a UserID that was empty and change nothing
	// else, whatever else they say. Where the store is Transcripts too, the
	// first call also queues the fetch of the transcript in the same transaction.
	Record(ctx context.Context, c Completion) (first bool, err error)
}

// Errors that every store answers, matched with errors.Is.
var (
	ErrInvalid   = errors.New("store: invalid id")
	ErrNotFound  = errors.New("store: not found")
	ErrClosed    = errors.New("store: closed")
	ErrLeaseLost = errors.New("store: lease lost")
)

// MaxIDLen is the longest id in bytes that a store takes.
const MaxIDLen = 256

// CheckID returns an error that matches ErrInvalid unless id is 1 to MaxIDLen
// bytes of valid UTF-8 without control characters. The error never contains
// the id. Every store applies it before the backend sees the id.
func CheckID(id string) error {
	switch {
	case id == "":
		return invalidID("empty")
	case len(id) > MaxIDLen:
		return invalidID("longer than 256 bytes")
	case isPrintableASCII(id): // most ids, at a fraction of the cost
		return nil
	case !utf8.ValidString(id):
		return invalidID("not valid UTF-8")
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return invalidID("has a control character")
		}
	}
	return nil
}

// isPrintableASCII looks at eight bytes at once, which takes a UUID a quarter of
// the time: every decision asks it up to three times.
func isPrintableASCII(s string) bool {
	const ones, highBits = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		// A byte's high bit is set in the sum from DEL to 0xfe, and in the difference
		// below the space and from 0xa0 on. It is carried to other bytes only from
		// these.
		if ((w+ones)|(w-' '*ones))&highBits != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i]-' ' > '~'-' ' { // wraps around below the space: one comparison for both ends
			return false
		}
	}
	return true
}

// CheckKey returns an error that matches ErrInvalid unless both ids pass CheckID.
func CheckKey(k Key) error {
	if err := CheckID(k.StudyID); err != nil {
		return err
	}
	return CheckID(k.UserID)
}

// CheckCompletion returns an error that matches ErrInvalid unless StudyID and
// InterviewID pass CheckID and UserID, Quality and Language do so or are empty.
// Every store applies it in Record.
func CheckCompletion(c Completion) error {
	if err := CheckID(c.StudyID); err != nil {
		return err
	}
	if err := CheckID(c.InterviewID); err != nil {
		return err
	}
	return checkOptional(c.UserID, c.Quality, c.Language)
}

// CheckFilter returns an error that matches ErrInvalid unless every id that f
// filters by passes CheckID.
func CheckFilter(f Filter) error { return checkOptional(f.StudyID, f.UserID, f.InterviewID) }

func checkOptional(ids ...string) error {
	for _, id := range ids {
		if id == "" {
			continue
		}
		if err := CheckID(id); err != nil {
			return err
		}
	}
	return nil
}

// Instant is t as stores keep it: in UTC, to the microsecond.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

type invalidID string

func (e invalidID) Error() string        { return "store: invalid id: " + string(e) }
func (e invalidID) Is(target error) bool { return target == ErrInvalid }

// The interfaces below are optional capabilities of a Store. Use As to find
// out whether a store has one.

// As returns s as the optional capability C, for instance Transcripts, and
// whether s really has it. A wrapper has the methods of every capability and
// answers errors.ErrUnsupported from those that the store inside lacks; a
// method Unwrap() Store tells As what is inside.
func As[C any](s Store) (C, bool) {
	c, ok := s.(C)
	for ok {
		w, wraps := s.(interface{ Unwrap() Store })
		if !wraps {
			break
		}
		s = w.Unwrap()
		_, ok = s.(C)
	}
	return c, ok
}

// Transcripts is a store that keeps transcripts and the queue of those that
// are still to be fetched. Record puts a job into the queue.
type Transcripts interface {
	// ClaimJobs takes up to limit jobs that are due at now, oldest first, and
	// hides them from everybody else until now+lease.
	ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Job, error)

	// FinishJob deletes the claimed job and stores its transcript, both or
	// neither. When the job is gone or was claimed anew, it stores nothing and
	// returns ErrLeaseLost: this keeps an erased person erased. A lease that
	// has run out while nobody else claimed the job still counts.
	FinishJob(ctx context.Context, j Job, t Transcript) error

	// PostponeJob gives the claimed job back, due at next, with the attempts
	// and the reason that j carries; ErrLeaseLost as for FinishJob. Any reason
	// is taken; a store may keep only its beginning (256 bytes or more) and
	// replace what is not printable.
	PostponeJob(ctx context.Context, j Job, next time.Time) error

	// KillJob takes the claimed job out of the queue; it stays listed as dead
	// with j.Reason until it is requeued. ErrLeaseLost as for FinishJob.
	KillJob(ctx context.Context, j Job) error

	// RequeueJob makes a dead job due at now, with no attempts counted.
	// ErrNotFound when there is no such dead job.
	RequeueJob(ctx context.Context, interviewID string, now time.Time) error

	// Jobs lists the queue, oldest due first: the dead ones when dead is true,
	// the pending ones otherwise.
	Jobs(ctx context.Context, dead bool) iter.Seq2[Job, error]

	// Transcript returns what FinishJob kept, or ErrNotFound.
	Transcript(ctx context.Context, interviewID string) (Transcript, error)
}

// Job is a transcript that is still to be fetched.
type Job struct {
	Completion           // the completion it belongs to, as the store has it now
	QueuedAt   time.Time // when Record queued it (or RequeueJob did again)
	DueAt      time.Time // not before this; while claimed, the end of the lease
	Attempts   int       // failed attempts so far
	Reason     string    // why the last attempt failed, "" before the first
	Claim      string    // what tells this claim from any other; opaque, set by ClaimJobs alone
}

// Transcript is the interview as the provider gave it.
type Transcript struct {
	InterviewID string
	FetchedAt   time.Time
	Body        []byte // the provider's interview object, raw JSON, byte for byte
}

// Lister lists completions.
type Lister interface {
	// Completions yields what f selects, by completion time and then by
	// interview id, and holds no lock meanwhile.
	Completions(ctx context.Context, f Filter) iter.Seq2[Completion, error]
}

// Filter selects completions; a zero field does not filter.
type Filter struct {
	StudyID, UserID string
	InterviewID     string
	Since           time.Time // completed at or after
}

// Eraser forgets a person.
type Eraser interface {
	// Erase deletes the user's transcripts, cancels the user's jobs and takes
	// the user's id out of every completion. What remains is a keyed hash, by
	// which Completed stays true and a late Record stores nothing personal: it
	// keeps the interview as an anonymous one without a job, and the mark that
	// this user has completed this study. A late Record that names the erased
	// user for an interview that was anonymous deletes its transcript and its
	// job too. Once an interview is known as an erased user's it stays nobody's:
	// no later Record gives it a user or lets it complete a study. Erase is
	// idempotent, and an unknown user is no error.
	//
	// Dead letters are not searched; delete them once they are dealt with.
	Erase(ctx context.Context, userID string) error
}

// Resetter lets a user be asked again.
type Resetter interface {
	// Reset makes Completed false for k, until another interview is recorded.
	// The interviews stay recorded, so a webhook that is delivered again does
	// not undo the reset. An unknown key is no error.
	Reset(ctx context.Context, k Key) error
}

// DeadLetters is a store that keeps authentic deliveries that could not be used.
type DeadLetters interface {
	// AddDeadLetter keeps d; the same body twice is kept once, as it came first.
	AddDeadLetter(ctx context.Context, d DeadLetter) error
	// DeadLetters lists them, oldest first.
	DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error]
	// DeleteDeadLetter removes one; ErrNotFound when it is not there.
	DeleteDeadLetter(ctx context.Context, id string) error
}

// DeadLetter is an authentic delivery that could not be used.
type DeadLetter struct {
	ID         string // the hex SHA-256 of Body; filled in by the store
	ReceivedAt time.Time
	Reason     string
	Body       []byte
}

// Checkpoints keeps small named pieces of progress, each under a lease, so
// that replicas share one walk instead of each doing it. Names and holders are
// ids; a state is valid UTF-8 of up to 4 KB.
type Checkpoints interface {
	// Acquire takes the named checkpoint until now+lease and returns the state
	// that was saved last ("" when never). held is true, and nothing is taken,
	// while another holder's lease runs; a holder may acquire its own again.
	Acquire(ctx context.Context, name, holder string, now time.Time, lease time.Duration) (state string, held bool, err error)
	// Save keeps state and sets the end of the lease; a time that is not after
	// the present releases it. ErrLeaseLost when holder is not the one who
	// acquired it last.
	Save(ctx context.Context, name, holder, state string, until time.Time) error
}
