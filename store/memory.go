package store

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Memory keeps everything in the process. Nothing survives a restart, so it is
// for tests and first steps: a completion that was acknowledged is lost with
// the process. It has every optional capability and is safe for concurrent use.
type Memory struct {
	mu          sync.RWMutex
	closed      bool
	completed   map[Key]time.Time // until when; zero means for ever
	interviews  map[string]Completion
	jobs        map[string]*memoryJob
	transcripts map[string]Transcript
	dead        map[string]DeadLetter
	checkpoints map[string]memoryCheckpoint
	erasedKey   [32]byte              // keys erased: what remains of a person says nothing without it
	erased      map[[32]byte]struct{} // hashes of erased user ids
	claims      uint64
}

type memoryJob struct {
	Job
	dead bool
}

type memoryCheckpoint struct {
	state, holder string
	until         time.Time
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	m := &Memory{
		completed:   map[Key]time.Time{},
		interviews:  map[string]Completion{},
		jobs:        map[string]*memoryJob{},
		transcripts: map[string]Transcript{},
		dead:        map[string]DeadLetter{},
		checkpoints: map[string]memoryCheckpoint{},
		erased:      map[[32]byte]struct{}{},
	}
	rand.Read(m.erasedKey[:])
	return m
}

// Close makes every later call return ErrClosed.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// lock takes the lock for writing unless the context or the store has ended.
func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return ErrClosed
	}
	return nil
}

func (m *Memory) rlock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	if m.closed {
		m.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

// Completed implements Store.
func (m *Memory) Completed(ctx context.Context, k Key) (bool, error) {
	if err := errors.Join(CheckID(k.StudyID), CheckID(k.UserID)); err != nil {
		return false, err
	}
	if err := m.rlock(ctx); err != nil {
		return false, err
	}
	defer m.mu.RUnlock()
	return m.isCompleted(k), nil
}

// Peek is Completed for those who must not wait; known is false only for a
// store that is closed.
func (m *Memory) Peek(k Key) (completed, known bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.isCompleted(k), !m.closed
}

func (m *Memory) isCompleted(k Key) bool {
	until, ok := m.completed[k]
	if !ok && len(m.erased) > 0 {
		until, ok = m.completed[Key{k.StudyID, m.hash(k.UserID)}]
	}
	return ok && (until.IsZero() || time.Now().Before(until))
}

// hash is what stands for an erased user's id.
func (m *Memory) hash(userID string) string {
	sum := m.sum(userID)
	return "\x00" + string(sum[:]) // no id begins with NUL
}

func (m *Memory) sum(userID string) (sum [32]byte) {
	mac := hmac.New(sha256.New, m.erasedKey[:])
	mac.Write([]byte(userID))
	mac.Sum(sum[:0])
	return sum
}

// Record implements Store.
func (m *Memory) Record(ctx context.Context, c Completion) (bool, error) {
	if err := CheckCompletion(c); err != nil {
		return false, err
	}
	if err := m.lock(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	c.CompletedAt = Instant(c.CompletedAt)
	userID, personal := c.UserID, true
	if userID != "" && len(m.erased) > 0 {
		if _, gone := m.erased[m.sum(userID)]; gone {
			userID, personal, c.UserID = m.hash(userID), false, ""
		}
	}
	old, known := m.interviews[c.InterviewID]
	if known {
		old.Quality = cmp.Or(old.Quality, c.Quality)
		if old.UserID != "" || !personal {
			userID = ""
		} else {
			old.UserID = c.UserID
		}
		if j := m.jobs[c.InterviewID]; j != nil {
			j.Completion = old
		}
		c = old
	}
	m.interviews[c.InterviewID] = c
	if userID != "" {
		m.complete(Key{c.StudyID, userID}, c.Until)
	}
	if !known && personal {
		now := time.Now()
		m.jobs[c.InterviewID] = &memoryJob{Job: Job{Completion: c, QueuedAt: Instant(now), DueAt: Instant(now)}}
	}
	return !known, nil
}

// complete never shortens a completion that is there.
func (m *Memory) complete(k Key, until time.Time) {
	old, ok := m.completed[k]
	if !ok || !old.IsZero() && (until.IsZero() || until.After(old)) {
		m.completed[k] = until
	}
}

// Completions implements Lister.
func (m *Memory) Completions(ctx context.Context, f Filter) iter.Seq2[Completion, error] {
	return func(yield func(Completion, error) bool) {
		if err := m.rlock(ctx); err != nil {
			yield(Completion{}, err)
			return
		}
		all := slices.Collect(maps.Values(m.interviews))
		m.mu.RUnlock()
		all = slices.DeleteFunc(all, func(c Completion) bool { return !f.selects(c) })
		slices.SortFunc(all, func(a, b Completion) int {
			return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.InterviewID, b.InterviewID))
		})
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (f Filter) selects(c Completion) bool {
	return (f.StudyID == "" || f.StudyID == c.StudyID) &&
		(f.UserID == "" || f.UserID == c.UserID) &&
		(f.InterviewID == "" || f.InterviewID == c.InterviewID) &&
		!c.CompletedAt.Before(f.Since)
}

// Erase implements Eraser.
func (m *Memory) Erase(ctx context.Context, userID string) error {
	if err := CheckID(userID); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.erased[m.sum(userID)] = struct{}{}
	for id, c := range m.interviews {
		if c.UserID == userID {
			c.UserID = ""
			m.interviews[id] = c
			delete(m.jobs, id)
			delete(m.transcripts, id)
		}
	}
	for k, until := range maps.Clone(m.completed) {
		if k.UserID == userID {
			delete(m.completed, k)
			m.complete(Key{k.StudyID, m.hash(userID)}, until)
		}
	}
	return nil
}

// Reset implements Resetter.
func (m *Memory) Reset(ctx context.Context, k Key) error {
	if err := errors.Join(CheckID(k.StudyID), CheckID(k.UserID)); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.completed, k)
	delete(m.completed, Key{k.StudyID, m.hash(k.UserID)})
	return nil
}

// ClaimJobs implements Transcripts.
func (m *Memory) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Job, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var due []*memoryJob
	for _, j := range m.jobs {
		if !j.dead && !j.DueAt.After(now) {
			due = append(due, j)
		}
	}
	slices.SortFunc(due, func(a, b *memoryJob) int { return byDue(a.Job, b.Job) })
	var claimed []Job
	for _, j := range due[:min(limit, len(due))] {
		m.claims++
		j.Claim, j.DueAt = strconv.FormatUint(m.claims, 10), Instant(now.Add(lease))
		claimed = append(claimed, j.Job)
	}
	return claimed, nil
}

func byDue(a, b Job) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.InterviewID, b.InterviewID))
}

// claimed locks the store and returns the job if j's claim still holds.
func (m *Memory) claimed(ctx context.Context, j Job) (*memoryJob, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	mine := m.jobs[j.InterviewID]
	if mine == nil || mine.dead || mine.Claim == "" || mine.Claim != j.Claim {
		m.mu.Unlock()
		return nil, ErrLeaseLost
	}
	return mine, nil
}

// FinishJob implements Transcripts.
func (m *Memory) FinishJob(ctx context.Context, j Job, t Transcript) error {
	if _, err := m.claimed(ctx, j); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.jobs, j.InterviewID)
	m.transcripts[j.InterviewID] = Transcript{j.InterviewID, Instant(t.FetchedAt), bytesClone(t.Body)}
	return nil
}

// PostponeJob implements Transcripts.
func (m *Memory) PostponeJob(ctx context.Context, j Job, next time.Time) error {
	mine, err := m.claimed(ctx, j)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	mine.Attempts, mine.Reason, mine.DueAt, mine.Claim = j.Attempts, j.Reason, Instant(next), ""
	return nil
}

// KillJob implements Transcripts.
func (m *Memory) KillJob(ctx context.Context, j Job) error {
	mine, err := m.claimed(ctx, j)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	mine.Attempts, mine.Reason, mine.Claim, mine.dead = j.Attempts, j.Reason, "", true
	return nil
}

// RequeueJob implements Transcripts.
func (m *Memory) RequeueJob(ctx context.Context, interviewID string, now time.Time) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	j := m.jobs[interviewID]
	if j == nil || !j.dead {
		return ErrNotFound
	}
	j.dead, j.Attempts, j.DueAt, j.QueuedAt = false, 0, Instant(now), Instant(now)
	return nil
}

// Jobs implements Transcripts.
func (m *Memory) Jobs(ctx context.Context, dead bool) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		if err := m.rlock(ctx); err != nil {
			yield(Job{}, err)
			return
		}
		var all []Job
		for _, j := range m.jobs {
			if j.dead == dead {
				all = append(all, j.Job)
			}
		}
		m.mu.RUnlock()
		slices.SortFunc(all, byDue)
		for _, j := range all {
			if !yield(j, nil) {
				return
			}
		}
	}
}

// Transcript implements Transcripts.
func (m *Memory) Transcript(ctx context.Context, interviewID string) (Transcript, error) {
	if err := m.rlock(ctx); err != nil {
		return Transcript{}, err
	}
	defer m.mu.RUnlock()
	t, ok := m.transcripts[interviewID]
	if !ok {
		return Transcript{}, ErrNotFound
	}
	t.Body = bytesClone(t.Body)
	return t, nil
}

// AddDeadLetter implements DeadLetters.
func (m *Memory) AddDeadLetter(ctx context.Context, d DeadLetter) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	sum := sha256.Sum256(d.Body)
	d.ID, d.ReceivedAt, d.Body = hex.EncodeToString(sum[:]), Instant(d.ReceivedAt), bytesClone(d.Body)
	if _, ok := m.dead[d.ID]; !ok {
		m.dead[d.ID] = d
	}
	return nil
}

// DeadLetters implements DeadLetters.
func (m *Memory) DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		if err := m.rlock(ctx); err != nil {
			yield(DeadLetter{}, err)
			return
		}
		all := slices.Collect(maps.Values(m.dead))
		m.mu.RUnlock()
		slices.SortFunc(all, func(a, b DeadLetter) int {
			return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.ID, b.ID))
		})
		for _, d := range all {
			d.Body = bytesClone(d.Body)
			if !yield(d, nil) {
				return
			}
		}
	}
}

// DeleteDeadLetter implements DeadLetters.
func (m *Memory) DeleteDeadLetter(ctx context.Context, id string) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if _, ok := m.dead[id]; !ok {
		return ErrNotFound
	}
	delete(m.dead, id)
	return nil
}

// Acquire implements Checkpoints.
func (m *Memory) Acquire(ctx context.Context, name, holder string, now time.Time, lease time.Duration) (string, bool, error) {
	if err := m.lock(ctx); err != nil {
		return "", false, err
	}
	defer m.mu.Unlock()
	c := m.checkpoints[name]
	if c.holder != holder && c.until.After(now) {
		return "", true, nil
	}
	c.holder, c.until = holder, now.Add(lease)
	m.checkpoints[name] = c
	return c.state, false, nil
}

// Save implements Checkpoints.
func (m *Memory) Save(ctx context.Context, name, holder, state string, until time.Time) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if c, ok := m.checkpoints[name]; !ok || c.holder != holder {
		return ErrLeaseLost
	}
	m.checkpoints[name] = memoryCheckpoint{state, holder, until}
	return nil
}

// bytesClone keeps nil and empty apart from nothing: a body is never nil.
func bytesClone(b []byte) []byte { return append([]byte{}, b...) }
