package webhook

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
)

// Every call of the app's code, which is its callbacks, its store and its Client,
// goes through this file. A panic comes back as a *guard.PanicError, is logged
// once with its stack, and costs only the interview that it was about.

// get calls f, the app's code at the named place.
func get[T any](h *Handler, place, interviewID string, f func() (T, error)) (T, error) {
	v, err := guard.Get(f)
	h.notePanic(place, interviewID, err)
	return v, err
}

// do is like get, for a function that returns only an error.
func (h *Handler) do(place, interviewID string, f func() error) error {
	err := guard.Do(f)
	h.notePanic(place, interviewID, err)
	return err
}

// call is like get, for a function that returns nothing. The error is a panic.
func (h *Handler) call(place, interviewID string, f func()) error {
	err := guard.Call(f)
	h.notePanic(place, interviewID, err)
	return err
}

// each is like get, for a sequence, which is made when it is used.
func each[T any](h *Handler, place string, seq func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range guard.Seq(func(yield func(T, error) bool) { seq()(yield) }) {
			h.notePanic(place, "", err)
			if !yield(v, err) {
				return
			}
		}
	}
}

func (h *Handler) notePanic(place, interviewID string, err error) {
	if err != nil && isPanic(err) && h.logged.first(place, interviewID) {
		h.log.Error("askonce: the app's code panicked", "place", place, "interview", interviewID, "err", err, guard.Stack(err))
	}
}

func isPanic(err error) bool {
	var p *guard.PanicError
	return errors.As(err, &p)
}

type guardedStore struct {
	store.Store
	h *Handler
}

func (g guardedStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	return get(g.h, "Store.Record", c.InterviewID, func() (bool, error) { return g.Store.Record(ctx, c) })
}

// completions yields the completions of one interview, or nothing if the store
// does not list them.
func (g guardedStore) completions(ctx context.Context, interviewID string) iter.Seq2[store.Completion, error] {
	list, ok := store.As[store.Lister](g.Store)
	if !ok {
		return func(func(store.Completion, error) bool) {}
	}
	return each(g.h, "Store.Completions", func() iter.Seq2[store.Completion, error] {
		return list.Completions(ctx, store.Filter{InterviewID: interviewID})
	})
}

// keepLetter keeps a body that cannot be used as a dead letter, if the store has
// those.
func (g guardedStore) keepLetter(ctx context.Context, body []byte, reason Result) (kept bool, err error) {
	letters, ok := store.As[store.DeadLetters](g.Store)
	if !ok || len(body) == 0 {
		return false, nil
	}
	err = g.h.do("Store.AddDeadLetter", "", func() error {
		return letters.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: time.Now(), Reason: reason.String(), Body: body})
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}

// transcripts returns the store's queue, if it has one.
func (g guardedStore) transcripts() (guardedTranscripts, bool) {
	jobs, ok := store.As[store.Transcripts](g.Store)
	return guardedTranscripts{jobs, g.h}, ok
}

// checkpoints returns the store's checkpoints, or some in memory if it has none.
func (g guardedStore) checkpoints() guardedCheckpoints {
	points, ok := store.As[store.Checkpoints](g.Store)
	if !ok {
		points = memstore.New()
	}
	return guardedCheckpoints{points, g.h}
}

// retention returns what deletes old items from the store, if it can.
func (g guardedStore) retention() (guardedRetention, bool) {
	items, ok := store.As[store.Retention](g.Store)
	return guardedRetention{items, g.h}, ok
}

type guardedTranscripts struct {
	jobs store.Transcripts
	h    *Handler
}

func (g guardedTranscripts) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	return get(g.h, "Store.ClaimJobs", "", func() ([]store.Job, error) { return g.jobs.ClaimJobs(ctx, lease, limit) })
}

func (g guardedTranscripts) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	return g.h.do("Store.ExtendJob", j.InterviewID, func() error { return g.jobs.ExtendJob(ctx, j, lease) })
}

func (g guardedTranscripts) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	return g.h.do("Store.SaveTranscript", j.InterviewID, func() error { return g.jobs.SaveTranscript(ctx, j, t) })
}

func (g guardedTranscripts) FinishJob(ctx context.Context, j store.Job) error {
	return g.h.do("Store.FinishJob", j.InterviewID, func() error { return g.jobs.FinishJob(ctx, j) })
}

func (g guardedTranscripts) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	return g.h.do("Store.PostponeJob", j.InterviewID, func() error { return g.jobs.PostponeJob(ctx, j, wait) })
}

func (g guardedTranscripts) KillJob(ctx context.Context, j store.Job) error {
	return g.h.do("Store.KillJob", j.InterviewID, func() error { return g.jobs.KillJob(ctx, j) })
}

func (g guardedTranscripts) RequeueJob(ctx context.Context, interviewID string) error {
	return g.h.do("Store.RequeueJob", interviewID, func() error { return g.jobs.RequeueJob(ctx, interviewID) })
}

func (g guardedTranscripts) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	return get(g.h, "Store.Transcript", interviewID, func() (store.Transcript, error) { return g.jobs.Transcript(ctx, interviewID) })
}

func (g guardedTranscripts) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return each(g.h, "Store.PendingJobs", func() iter.Seq2[store.Job, error] { return g.jobs.PendingJobs(ctx) })
}

func (g guardedTranscripts) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return each(g.h, "Store.DeadJobs", func() iter.Seq2[store.Job, error] { return g.jobs.DeadJobs(ctx) })
}

type guardedCheckpoints struct {
	points store.Checkpoints
	h      *Handler
}

func (g guardedCheckpoints) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	err = g.h.do("Store.Acquire", "", func() (err error) {
		state, acquired, err = g.points.Acquire(ctx, name, holder, lease)
		return err
	})
	return state, acquired, err
}

func (g guardedCheckpoints) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	return g.h.do("Store.Save", "", func() error { return g.points.Save(ctx, name, holder, state, lease) })
}

func (g guardedCheckpoints) Release(ctx context.Context, name, holder, state string) error {
	return g.h.do("Store.Release", "", func() error { return g.points.Release(ctx, name, holder, state) })
}

type guardedRetention struct {
	items store.Retention
	h     *Handler
}

func (g guardedRetention) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	return get(g.h, "Store.DeleteExpired", "", func() (int, error) { return g.items.DeleteExpired(ctx, what, before, limit) })
}

type guardedClient struct {
	Client
	h *Handler
}

func (g guardedClient) Interview(ctx context.Context, id string) (userjourneys.Interview, error) {
	return get(g.h, "Client.Interview", id, func() (userjourneys.Interview, error) { return g.Client.Interview(ctx, id) })
}

func (g guardedClient) Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return each(g.h, "Client.Interviews", func() iter.Seq2[userjourneys.Interview, error] { return g.Client.Interviews(ctx, f) })
}

// studies returns the provider's list of active studies, if Client has it.
func (g guardedClient) studies(ctx context.Context) (iter.Seq2[userjourneys.Study, error], bool) {
	lister, ok := g.Client.(studyLister)
	return each(g.h, "Client.Studies", func() iter.Seq2[userjourneys.Study, error] { return lister.Studies(ctx) }), ok
}

// webhook returns the project's webhook, if Client knows it.
func (g guardedClient) webhook(ctx context.Context) (hook userjourneys.Webhook, known bool, err error) {
	reader, ok := g.Client.(webhookReader)
	if !ok {
		return hook, false, nil
	}
	hook, err = get(g.h, "Client.Webhook", "", func() (userjourneys.Webhook, error) { return reader.Webhook(ctx) })
	return hook, true, err
}
