package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

var discard = slog.New(slog.DiscardHandler)

// newLog returns a logger at the default level, and its output.
func newLog() (*bytes.Buffer, *slog.Logger) {
	var b bytes.Buffer
	return &b, slog.New(slog.NewTextHandler(&b, nil))
}

// fakeInterviews is a provider without a network, for tests in a synctest bubble
// and for responses that no sane provider sends.
type fakeInterviews struct {
	mu        sync.Mutex
	list      []userjourneys.Interview
	answers   []func(id string) (userjourneys.Interview, error) // for the next calls of Interview
	pages     []func() error                                    // for the next pages
	everyPage func() error                                      // for all pages, if set
	calls     int                                               // of Interview
	walks     int                                               // calls of Interviews
	items     int                                               // yielded
	after     []string
	webhook   userjourneys.Webhook
	broken    error                                           // every call fails with it
	refused   map[string]error                                // by interview: what Interview answers for it
	always    func(id string) (userjourneys.Interview, error) // what Interview answers, if set
}

// completed returns an interview as the provider's list and detail show it.
func completed(id, reference string) userjourneys.Interview {
	at := time.Now().UTC()
	raw := fmt.Sprintf(`{"id":%q,"study_id":%q,"status":"completed","reference_id":%q,"transcript":[{"role":"user","text":"hello"}]}`, id, studyID, reference)
	return userjourneys.Interview{
		ID: id, StudyID: studyID, Status: userjourneys.StatusCompleted, ReferenceID: reference, QualityScore: userjourneys.QualityInsightful,
		CompletedAt: at, CreatedAt: at.Add(-10 * time.Minute), Transcript: json.RawMessage(`[{"role":"user","text":"hello"}]`), Raw: json.RawMessage(raw),
	}
}

func (f *fakeInterviews) add(list ...userjourneys.Interview) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, list...)
}

func (f *fakeInterviews) Interview(_ context.Context, id string) (userjourneys.Interview, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.broken != nil {
		return userjourneys.Interview{}, f.broken
	}
	if err := f.refused[id]; err != nil {
		return userjourneys.Interview{}, err
	}
	if f.always != nil {
		return f.always(id)
	}
	if len(f.answers) > 0 {
		answer := f.answers[0]
		f.answers = f.answers[1:]
		return answer(id)
	}
	for _, i := range f.list {
		if i.ID == id {
			return i, nil
		}
	}
	return userjourneys.Interview{}, &userjourneys.Error{StatusCode: 404}
}

func (f *fakeInterviews) Interviews(_ context.Context, filter userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return func(yield func(userjourneys.Interview, error) bool) {
		f.mu.Lock()
		f.walks++
		f.after = append(f.after, filter.After)
		at := -1
		if filter.After != "" {
			at = slices.IndexFunc(f.list, func(i userjourneys.Interview) bool { return i.ID == filter.After })
		}
		f.mu.Unlock()
		if filter.After != "" && at < 0 {
			yield(userjourneys.Interview{}, &userjourneys.Error{StatusCode: 400})
			return
		}
		for at++; ; at += filter.PageSize {
			f.mu.Lock()
			page := slices.Clone(f.list[min(at, len(f.list)):min(at+filter.PageSize, len(f.list))])
			more := len(f.list) > at+filter.PageSize
			f.mu.Unlock()
			if err := f.nextPage(); err != nil {
				yield(userjourneys.Interview{}, err)
				return
			}
			for _, i := range page {
				f.mu.Lock()
				f.items++
				f.mu.Unlock()
				if !yield(i, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

func (f *fakeInterviews) nextPage() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.everyPage != nil {
		return f.everyPage()
	}
	if f.broken != nil || len(f.pages) == 0 {
		return f.broken
	}
	page := f.pages[0]
	f.pages = f.pages[1:]
	return page()
}

func (f *fakeInterviews) Webhook(context.Context) (userjourneys.Webhook, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.webhook, nil
}

func (f *fakeInterviews) counts() (calls, walks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.walks
}
