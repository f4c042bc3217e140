package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/askonce/askonce/store"
)

// Hooks run around each call of a store that [WithHooks] returns. A test uses them to
// make calls fail, and to change the store while a call is under way. method is the
// name of the method, for instance "Record". A nil field does nothing.
type Hooks struct {
	// Before runs before the call. If it returns an error, the call is not made and
	// returns that error.
	Before func(ctx context.Context, method string) error

	// After runs after a call that succeeded. If it returns an error, the caller gets that error
	// instead of the results, as when a connection is lost before the reply arrives.
	After func(ctx context.Context, method string) error
}

// WithHooks returns s with hooks around its methods and those of its capabilities,
// which [store.As] finds. The hooks of a list run when the list begins and ends.
func WithHooks(s store.Store, h Hooks) store.Store { return &hooked{*newSubject(s, 0), h} }

type hooked struct {
	subject
	hooks Hooks
}

// Unwrap returns the store inside, for [store.As].
func (h *hooked) Unwrap() store.Store { return h.Store }

func (h *hooked) before(ctx context.Context, method string) error {
	if h.hooks.Before == nil {
		return nil
	}
	return h.hooks.Before(ctx, method)
}

func (h *hooked) after(ctx context.Context, method string) error {
	if h.hooks.After == nil {
		return nil
	}
	return h.hooks.After(ctx, method)
}

func hook[T any](ctx context.Context, h *hooked, method string, do func() (T, error)) (T, error) {
	if err := h.before(ctx, method); err != nil {
		return *new(T), err
	}
	v, err := do()
	if err == nil {
		err = h.after(ctx, method)
	}
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

func hookEffect(ctx context.Context, h *hooked, method string, do func() error) error {
	_, err := hook(ctx, h, method, func() (none, error) { return none{}, do() })
	return err
}

func hookList[T any](ctx context.Context, h *hooked, method string, list iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := h.before(ctx, method); err != nil {
			yield(*new(T), err)
			return
		}
		for v, err := range list {
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := h.after(ctx, method); err != nil {
			yield(*new(T), err)
		}
	}
}

func (h *hooked) Completed(ctx context.Context, k store.Key) (bool, error) {
	return hook(ctx, h, "Completed", func() (bool, error) { return h.Store.Completed(ctx, k) })
}

func (h *hooked) Record(ctx context.Context, c store.Completion) (bool, error) {
	return hook(ctx, h, "Record", func() (bool, error) { return h.Store.Record(ctx, c) })
}

func (h *hooked) Reset(ctx context.Context, k store.Key) error {
	return hookEffect(ctx, h, "Reset", func() error { return h.Resetter.Reset(ctx, k) })
}

func (h *hooked) Erase(ctx context.Context, userID string) error {
	return hookEffect(ctx, h, "Erase", func() error { return h.Eraser.Erase(ctx, userID) })
}

func (h *hooked) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return hookList(ctx, h, "Completions", h.Lister.Completions(ctx, f))
}

func (h *hooked) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	return hook(ctx, h, "ClaimJobs", func() ([]store.Job, error) { return h.Transcripts.ClaimJobs(ctx, lease, limit) })
}

func (h *hooked) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	return hookEffect(ctx, h, "ExtendJob", func() error { return h.Transcripts.ExtendJob(ctx, j, lease) })
}

func (h *hooked) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	return hookEffect(ctx, h, "SaveTranscript", func() error { return h.Transcripts.SaveTranscript(ctx, j, t) })
}

func (h *hooked) FinishJob(ctx context.Context, j store.Job) error {
	return hookEffect(ctx, h, "FinishJob", func() error { return h.Transcripts.FinishJob(ctx, j) })
}

func (h *hooked) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	return hookEffect(ctx, h, "PostponeJob", func() error { return h.Transcripts.PostponeJob(ctx, j, wait) })
}

func (h *hooked) KillJob(ctx context.Context, j store.Job) error {
	return hookEffect(ctx, h, "KillJob", func() error { return h.Transcripts.KillJob(ctx, j) })
}

func (h *hooked) RequeueJob(ctx context.Context, interviewID string) error {
	return hookEffect(ctx, h, "RequeueJob", func() error { return h.Transcripts.RequeueJob(ctx, interviewID) })
}

func (h *hooked) RequeueJobs(ctx context.Context) (int, error) {
	return hook(ctx, h, "RequeueJobs", func() (int, error) { return h.Transcripts.RequeueJobs(ctx) })
}

func (h *hooked) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return hookList(ctx, h, "PendingJobs", h.Transcripts.PendingJobs(ctx))
}

func (h *hooked) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return hookList(ctx, h, "DeadJobs", h.Transcripts.DeadJobs(ctx))
}

func (h *hooked) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	return hook(ctx, h, "Transcript", func() (store.Transcript, error) { return h.Transcripts.Transcript(ctx, interviewID) })
}

func (h *hooked) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	return hookEffect(ctx, h, "AddDeadLetter", func() error { return h.subject.AddDeadLetter(ctx, d) })
}

func (h *hooked) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return hookList(ctx, h, "DeadLetters", h.subject.DeadLetters.DeadLetters(ctx))
}

func (h *hooked) DeleteDeadLetter(ctx context.Context, id string) error {
	return hookEffect(ctx, h, "DeleteDeadLetter", func() error { return h.subject.DeleteDeadLetter(ctx, id) })
}

func (h *hooked) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	err = hookEffect(ctx, h, "Acquire", func() error {
		state, acquired, err = h.Checkpoints.Acquire(ctx, name, holder, lease)
		return err
	})
	if err != nil {
		return "", false, err
	}
	return state, acquired, nil
}

func (h *hooked) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	return hookEffect(ctx, h, "Save", func() error { return h.Checkpoints.Save(ctx, name, holder, state, lease) })
}

func (h *hooked) Release(ctx context.Context, name, holder, state string) error {
	return hookEffect(ctx, h, "Release", func() error { return h.Checkpoints.Release(ctx, name, holder, state) })
}

func (h *hooked) Note(ctx context.Context, i store.Interaction) error {
	return hookEffect(ctx, h, "Note", func() error { return h.Interactions.Note(ctx, i) })
}

func (h *hooked) Person(ctx context.Context, userID string) (store.Person, error) {
	return hook(ctx, h, "Person", func() (store.Person, error) { return h.Interactions.Person(ctx, userID) })
}

func (h *hooked) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	return hook(ctx, h, "Funnel", func() ([]store.FunnelDay, error) { return h.Interactions.Funnel(ctx, studyID, from, to) })
}

func (h *hooked) SetSwitch(ctx context.Context, sw store.Switch) error {
	return hookEffect(ctx, h, "SetSwitch", func() error { return h.subject.SetSwitch(ctx, sw) })
}

func (h *hooked) Switches(ctx context.Context) ([]store.Switch, error) {
	return hook(ctx, h, "Switches", func() ([]store.Switch, error) { return h.subject.Switches.Switches(ctx) })
}

func (h *hooked) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	return hook(ctx, h, "DeleteExpired", func() (int, error) { return h.Retention.DeleteExpired(ctx, what, before, limit) })
}

func (h *hooked) DeleteTranscript(ctx context.Context, interviewID string) error {
	return hookEffect(ctx, h, "DeleteTranscript", func() error { return h.Retention.DeleteTranscript(ctx, interviewID) })
}

// Close closes the store inside if it can be closed.
func (h *hooked) Close() error {
	if c, ok := h.Store.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}
