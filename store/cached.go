package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// CacheOptions configure Cached. The zero value of each field means its default.
type CacheOptions struct {
	// Completed is how long it is remembered that a user has completed a study.
	// A store answers only yes or no, so a completion may count for this much
	// longer than its Until, or than a Reset through another replica, and the
	// id of a user whom another replica has erased stays here for so long.
	// Negative: not remembered. Defaults to 1 hour.
	Completed time.Duration

	// Open is how long it is remembered that a user has not completed a study,
	// and so the longest that a completion recorded by another replica stays
	// unseen. Negative: not remembered. Defaults to 10 s.
	Open time.Duration

	// Size is the greatest number of answers that are remembered. Defaults to
	// 100,000, which take about 25 MB.
	Size int

	// Timeout is the longest that one look-up in the store may take, whatever
	// the contexts of those who wait for it allow. Defaults to 2 s.
	Timeout time.Duration
}

// Cached returns s with a cache of this process in front of Completed.
//
// A completion is remembered long, an open answer for a short while, an error
// never. Whatever is recorded, reset or erased through the returned store is
// visible through it at once. Callers that ask for the same user at the same
// time share one look-up, which does not end when one of them leaves. Answers
// are kept in go-cache, whose size Cached bounds; there is no goroutine in the
// background.
//
// The returned store has the methods of every optional capability; those that
// s lacks answer errors.ErrUnsupported, and As knows about them. It also has
//
//	Peek(k Key) (completed, known bool)
//
// which answers from the cache alone. Closing is left to the owner of s.
func NewCached(s Store, opts *CacheOptions) Store {
	if s == nil {
		panic("store: Cached: s is nil")
	}
	var o CacheOptions
	if opts != nil {
		o = *opts
	}
	c := &cached{
		inner:         s,
		answers:       newAnswers(cmp.Or(max(o.Size, 0), 100_000)),
		completedFor:  cmp.Or(o.Completed, time.Hour),
		openFor:       cmp.Or(o.Open, 10*time.Second),
		timeout:       cmp.Or(max(o.Timeout, 0), 2*time.Second),
		transcripts:   capability[Transcripts](s),
		lister:        capability[Lister](s),
		deadLetters:   capability[DeadLetters](s),
		checkpoints:   capability[Checkpoints](s),
		innerEraser:   capability[Eraser](s),
		innerResetter: capability[Resetter](s),
	}
	c.innerPeek, _ = s.(peeker)
	return c
}

type peeker interface {
	Peek(k Key) (completed, known bool)
}

// Aliases, so that the embedded fields are unexported and do not hide methods.
type (
	transcripts = Transcripts
	lister      = Lister
	deadLetters = DeadLetters
	checkpoints = Checkpoints
)

type cached struct {
	inner         Store
	innerPeek     peeker // nil when inner has none
	innerEraser   Eraser
	innerResetter Resetter
	transcripts
	lister
	deadLetters
	checkpoints

	answers               *answers
	completedFor, openFor time.Duration
	timeout               time.Duration

	// epoch counts the changes that may have turned an answer around. What was
	// asked in an earlier epoch is not remembered, and not waited for.
	epoch   atomic.Uint64
	lookups singleflight.Group
}

// Unwrap returns the store inside, for As.
func (c *cached) Unwrap() Store { return c.inner }

// Peek answers without waiting, when the answer is remembered.
func (c *cached) Peek(k Key) (completed, known bool) {
	if completed, known = c.answers.get(k); known || c.innerPeek == nil {
		return completed, known
	}
	return c.innerPeek.Peek(k)
}

// Completed implements Store.
func (c *cached) Completed(ctx context.Context, k Key) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if done, known := c.answers.get(k); known {
		return done, nil
	}
	if err := CheckKey(k); err != nil {
		return false, err
	}
	epoch := c.epoch.Load()
	name := strconv.FormatUint(epoch, 36) + "\x00" + k.StudyID + "\x00" + k.UserID // ids have no NUL
	lookup := c.lookups.DoChan(name, func() (any, error) {
		return c.lookUp(context.WithoutCancel(ctx), k, epoch)
	})
	select {
	case r := <-lookup:
		if r.Err != nil {
			return false, r.Err
		}
		return r.Val.(bool), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// lookUp asks the store and remembers the answer, counted from the question on.
func (c *cached) lookUp(ctx context.Context, k Key, epoch uint64) (done bool, err error) {
	defer func() {
		if p := recover(); p != nil { // nobody else can catch it on this goroutine
			err = fmt.Errorf("store: Completed panicked: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	asked := time.Now()
	done, err = c.inner.Completed(ctx, k)
	if err != nil {
		return false, err
	}
	c.remember(k, done, asked, c.lasts(done), epoch)
	return done, nil
}

func (c *cached) lasts(done bool) time.Duration {
	if done {
		return c.completedFor
	}
	return c.openFor
}

// remember keeps an answer unless the epoch has ended meanwhile.
func (c *cached) remember(k Key, done bool, from time.Time, lasts time.Duration, epoch uint64) {
	if lasts > 0 {
		c.answers.put(k, done, from.Add(lasts), func() bool { return c.epoch.Load() == epoch })
	}
}

// Record implements Store.
func (c *cached) Record(ctx context.Context, done Completion) (first bool, err error) {
	epoch := c.epoch.Load()
	first, err = c.inner.Record(ctx, done)
	lasts := c.completedFor
	if !done.Until.IsZero() {
		lasts = min(lasts, time.Until(done.Until))
	}
	switch {
	case done.UserID == "":
	case first && err == nil && lasts > 0:
		c.remember(done.Key, true, time.Now(), lasts, epoch)
	default:
		// A repeated Record may have filled in this user or not, and one that
		// failed may have come through: the store has to be asked again. What
		// is remembered as completed stays so.
		c.epoch.Add(1)
		c.answers.dropOpen(done.Key)
	}
	return first, err
}

// Reset implements Resetter.
func (c *cached) Reset(ctx context.Context, k Key) error {
	err := c.innerResetter.Reset(ctx, k)
	c.epoch.Add(1) // also after an error: it may have come through
	c.answers.drop(k)
	return err
}

// Erase implements Eraser. The answers go because the user's id stands in them.
func (c *cached) Erase(ctx context.Context, userID string) error {
	err := c.innerEraser.Erase(ctx, userID)
	c.epoch.Add(1)
	c.answers.dropUser(userID)
	return err
}

// capability returns s as C, or what answers errors.ErrUnsupported in its place.
func capability[C any](s Store) C {
	if c, ok := s.(C); ok {
		return c
	}
	return any(unsupported{}).(C)
}

// unsupported has every capability and none.
type unsupported struct{}

func (unsupported) ClaimJobs(context.Context, time.Time, time.Duration, int) ([]Job, error) {
	return nil, errors.ErrUnsupported
}
func (unsupported) FinishJob(context.Context, Job, Transcript) error  { return errors.ErrUnsupported }
func (unsupported) PostponeJob(context.Context, Job, time.Time) error { return errors.ErrUnsupported }
func (unsupported) KillJob(context.Context, Job) error                { return errors.ErrUnsupported }
func (unsupported) RequeueJob(context.Context, string, time.Time) error {
	return errors.ErrUnsupported
}
func (unsupported) Jobs(context.Context, bool) iter.Seq2[Job, error] { return fails[Job] }
func (unsupported) Transcript(context.Context, string) (Transcript, error) {
	return Transcript{}, errors.ErrUnsupported
}
func (unsupported) Completions(context.Context, Filter) iter.Seq2[Completion, error] {
	return fails[Completion]
}
func (unsupported) Erase(context.Context, string) error { return errors.ErrUnsupported }
func (unsupported) Reset(context.Context, Key) error    { return errors.ErrUnsupported }
func (unsupported) AddDeadLetter(context.Context, DeadLetter) error {
	return errors.ErrUnsupported
}
func (unsupported) DeadLetters(context.Context) iter.Seq2[DeadLetter, error] {
	return fails[DeadLetter]
}
func (unsupported) DeleteDeadLetter(context.Context, string) error { return errors.ErrUnsupported }
func (unsupported) Acquire(context.Context, string, string, time.Time, time.Duration) (string, bool, error) {
	return "", false, errors.ErrUnsupported
}
func (unsupported) Save(context.Context, string, string, string, time.Time) error {
	return errors.ErrUnsupported
}

func fails[T any](yield func(T, error) bool) {
	yield(*new(T), errors.ErrUnsupported)
}
