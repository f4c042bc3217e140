package webhook_test

import (
	"context"
	"fmt"
	"iter"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const private = "jane@example.com"

// A minefield panics at one chosen place: in a method of a store or of a Client, or
// in a callback of Options.
type minefield struct {
	*memstore.Store
	*fakeInterviews
	mu   sync.Mutex
	mine string // a method or callback, or "" for none
	only string // the interview it panics for; "" for every one
	hits int
}

func (m *minefield) step(where, interviewID string) {
	m.mu.Lock()
	hit := m.mine == where && (m.only == "" || interviewID == "" || m.only == interviewID)
	if hit {
		m.hits++
	}
	m.mu.Unlock()
	if hit {
		panic(private)
	}
}

func (m *minefield) Record(ctx context.Context, c store.Completion) (bool, error) {
	m.step("Record", c.InterviewID)
	return m.Store.Record(ctx, c)
}

func (m *minefield) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	m.step("ClaimJobs", "")
	return m.Store.ClaimJobs(ctx, lease, limit)
}

func (m *minefield) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	m.step("ExtendJob", j.InterviewID)
	return m.Store.ExtendJob(ctx, j, lease)
}

func (m *minefield) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	m.step("SaveTranscript", j.InterviewID)
	return m.Store.SaveTranscript(ctx, j, t)
}

func (m *minefield) FinishJob(ctx context.Context, j store.Job) error {
	m.step("FinishJob", j.InterviewID)
	return m.Store.FinishJob(ctx, j)
}

func (m *minefield) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	m.step("PostponeJob", j.InterviewID)
	return m.Store.PostponeJob(ctx, j, wait)
}

func (m *minefield) KillJob(ctx context.Context, j store.Job) error {
	m.step("KillJob", j.InterviewID)
	return m.Store.KillJob(ctx, j)
}

func (m *minefield) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	m.step("DeadJobs", "")
	return m.Store.DeadJobs(ctx)
}

func (m *minefield) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	m.step("AddDeadLetter", "")
	return m.Store.AddDeadLetter(ctx, d)
}

func (m *minefield) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	m.step("Completions", f.InterviewID)
	return m.Store.Completions(ctx, f)
}

func (m *minefield) Acquire(ctx context.Context, name, holder string, lease time.Duration) (string, bool, error) {
	m.step("Acquire", "")
	return m.Store.Acquire(ctx, name, holder, lease)
}

func (m *minefield) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	m.step("Save", "")
	return m.Store.Save(ctx, name, holder, state, lease)
}

func (m *minefield) Release(ctx context.Context, name, holder, state string) error {
	m.step("Release", "")
	return m.Store.Release(ctx, name, holder, state)
}

func (m *minefield) Interview(ctx context.Context, id string) (userjourneys.Interview, error) {
	m.step("Interview", id)
	return m.fakeInterviews.Interview(ctx, id)
}

func (m *minefield) Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	m.step("Interviews", "")
	return m.fakeInterviews.Interviews(ctx, f)
}

func (m *minefield) Studies(context.Context) iter.Seq2[userjourneys.Study, error] {
	m.step("Studies", "")
	return func(yield func(userjourneys.Study, error) bool) { yield(userjourneys.Study{ID: studyID}, nil) }
}

func (m *minefield) Webhook(ctx context.Context) (userjourneys.Webhook, error) {
	m.step("Webhook", "")
	return m.fakeInterviews.Webhook(ctx)
}

func (m *minefield) UserID(_, reference string) (string, error) {
	m.step("References", strings.Replace(reference, "user-of-", "", 1))
	return reference, nil
}

func (m *minefield) options() webhook.Options {
	return webhook.Options{
		Client: m, References: m, Studies: []string{},
		Policy: func(c store.Completion) webhook.Verdict {
			m.step("Policy", c.InterviewID)
			return webhook.Complete()
		},
		OnDelivery: func(_ context.Context, d webhook.Delivery) { m.step("OnDelivery", d.InterviewID) },
		OnRecorded: func(_ context.Context, c store.Completion) { m.step("OnRecorded", c.InterviewID) },
		OnProgress: func(_ context.Context, p webhook.Progress) { m.step("OnProgress", p.InterviewID) },
		OnCompleted: func(_ context.Context, c store.Completion, _ store.Transcript) error {
			m.step("OnCompleted", c.InterviewID)
			time.Sleep(3 * time.Minute) // so that leases are extended
			return nil
		},
	}
}

// TestAPanicAnywhereCostsOneItem panics at every place where the app's code is
// called. Where the call is for an interview, it panics for one interview alone. The
// other interviews, some delivered and some only listed, must not be affected, and
// everything must be finished once the code is fixed.
func TestAPanicAnywhereCostsOneItem(t *testing.T) {
	t.Parallel()
	const bad = "int-bad"
	forOne := []string{"Policy", "References", "OnDelivery", "OnRecorded", "OnProgress", "OnCompleted", "Record", "ExtendJob", "SaveTranscript", "FinishJob", "Completions", "Interview"}
	always := []string{"ClaimJobs", "DeadJobs", "AddDeadLetter", "Acquire", "Save", "Release", "Interviews", "Studies", "Webhook"}
	for _, mine := range append(slices.Clone(forOne), always...) {
		t.Run(mine, func(t *testing.T) {
			t.Parallel()
			m := &minefield{Store: memstore.New(), fakeInterviews: &fakeInterviews{}, mine: mine}
			if slices.Contains(forOne, mine) {
				m.only = bad
			}
			opts := m.options()
			synctestHandler(t, m, opts, func(b *bubble) {
				for _, id := range []string{"int-1", bad, "int-2", "int-3"} {
					m.add(completed(id, "user-of-"+id))
				}
				if mine == "Save" { // a position is saved after a page
					for n := range 150 {
						m.add(completed(fmt.Sprintf("int-more-%d", n), "somebody"))
					}
				}
				b.run()
				deliver := func(id string) {
					e := webhooktest.Completed("user-of-" + id)
					e.Data.InterviewID = id
					b.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
				}
				for _, id := range []string{"int-1", bad, "int-1"} {
					deliver(id)
				}
				if mine == "AddDeadLetter" {
					b.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, []byte("not JSON")))
				}
				b.wait(26 * time.Hour)
				if m.only != "" {
					for _, id := range []string{"int-1", "int-2", "int-3"} {
						_, err := m.Transcript(b.t.Context(), id)
						require.NoError(t, err, "%s has its transcript", id)
						done, err := m.Completed(b.t.Context(), store.Key{StudyID: studyID, UserID: "user-of-" + id})
						require.NoError(t, err)
						require.True(t, done)
					}
				}
				m.mu.Lock()
				require.Positive(t, m.hits, "the mine was stepped on")
				m.mine = ""
				m.mu.Unlock()
				require.Contains(t, b.log.String(), "panic: string")
				require.NotContains(t, b.log.String(), private)
				require.LessOrEqual(t, strings.Count(b.log.String(), "stack="), 2, "a panic is logged once, whatever it is about")
				require.LessOrEqual(t, strings.Count(b.log.String(), "panic: string"), 12, "and what comes of it not all the time:\n%s", b.log)

				for _, j := range b.jobs(true) { // given up meanwhile
					require.Equal(t, bad, j.InterviewID)
					require.NoError(t, m.RequeueJob(b.t.Context(), bad))
				}
				b.wait(26 * time.Hour)
				deliver(bad)
				b.wait(2 * time.Hour)
				for _, id := range []string{"int-1", bad, "int-2", "int-3"} {
					_, err := m.Transcript(b.t.Context(), id)
					require.NoError(t, err, "%s has its transcript once the code is mended", id)
				}
				require.Empty(t, b.jobs(false))
			})
		})
	}
}
