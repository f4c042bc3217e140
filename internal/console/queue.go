package console

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/askonce/askonce/store"
)

const (
	queueRows  = 50   // of each list in a page
	queueDepth = 1000 // how far each list is paged and counted
)

// queuePage is the data of ui/queue.html.
type queuePage struct {
	Trouble []string
	Pending list[store.Job]
	Dead    list[store.Job]
	Reasons []reasonCount // why transcripts were given up, the most frequent first
	Letters list[store.DeadLetter]
}

// A list is one page of a list.
type list[T any] struct {
	Items      []T
	Known      bool   // the store has answered
	Back, Next string // links, or ""
}

// A reasonCount is how many transcripts were given up for the same reason.
type reasonCount struct {
	Reason string
	Count  int
}

func (c *console) queue(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var (
		page     queuePage
		parts    sync.WaitGroup
		problems [3]error
	)
	parts.Go(func() {
		page.Pending, problems[0] = listOf(ctx, c, r, "pending", func(ctx context.Context, s store.Transcripts) iter.Seq2[store.Job, error] {
			return s.PendingJobs(ctx)
		})
	})
	parts.Go(func() {
		if page.Dead, problems[1] = listOf(ctx, c, r, "dead", deadJobs); page.Dead.Known {
			page.Reasons = c.reasons(ctx)
		}
	})
	parts.Go(func() {
		page.Letters, problems[2] = listOf(ctx, c, r, "letters", func(ctx context.Context, s store.DeadLetters) iter.Seq2[store.DeadLetter, error] {
			return s.DeadLetters(ctx)
		})
	})
	parts.Wait()
	if lacks(problems[1]) {
		problems[1] = nil // problems[0] says it of all transcripts
	}
	for i, what := range []string{"Transcripts", "Given-up transcripts", "Dead letters"} {
		page.Trouble = append(page.Trouble, c.trouble(ctx, what, problems[i]))
	}
	c.render(w, r, http.StatusOK, "queue", page)
}

func deadJobs(ctx context.Context, s store.Transcripts) iter.Seq2[store.Job, error] {
	return s.DeadJobs(ctx)
}

// listOf reads the page of a list that begins after as many items as the request's
// parameter of this name says.
func listOf[C, T any](ctx context.Context, c *console, r *http.Request, param string, seq func(context.Context, C) iter.Seq2[T, error]) (l list[T], err error) {
	from, _ := strconv.Atoi(r.URL.Query().Get(param)) // anything but a number is the first page
	from = min(max(from, 0), queueDepth)
	items, more, err := take(ctx, c, from, queueRows, seq)
	if err != nil {
		return l, err
	}
	l.Items, l.Known = items, true
	if from > 0 {
		l.Back = fmt.Sprintf("queue?%s=%d", param, max(0, from-queueRows))
	}
	if more && from < queueDepth {
		l.Next = fmt.Sprintf("queue?%s=%d", param, from+queueRows)
	}
	return l, nil
}

// reasons counts the given-up transcripts by their reason. It returns nil if the store does
// not answer in time.
func (c *console) reasons(ctx context.Context) (all []reasonCount) {
	jobs, _, _ := take(ctx, c, 0, queueDepth, deadJobs)
	counts := map[string]int{}
	for _, j := range jobs {
		counts[j.Reason]++
	}
	for reason, n := range counts {
		all = append(all, reasonCount{reason, n})
	}
	slices.SortFunc(all, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// requeue is the action that puts a given-up transcript back into the queue.
func (c *console) requeue(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	err := act(r.Context(), c, func(ctx context.Context, s store.Transcripts) error { return s.RequeueJob(ctx, id) })
	if err != nil {
		c.failed(w, r, "queue", "requeue", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: given-up transcript was requeued in the console", "interview", id)
	c.done(w, r, "queue", "requeued")
}

// requeueAll is requeue for every given-up transcript.
func (c *console) requeueAll(w http.ResponseWriter, r *http.Request) {
	n, err := read(r.Context(), c, func(ctx context.Context, s store.Transcripts) (int, error) { return s.RequeueJobs(ctx) })
	if err != nil {
		c.failed(w, r, "queue", "requeue all", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: all given-up transcripts were requeued in the console", "jobs", n)
	c.done(w, r, "queue?n="+strconv.Itoa(n), "requeued-all")
}

// deleteLetter is the action that deletes a dead letter.
func (c *console) deleteLetter(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	err := act(r.Context(), c, func(ctx context.Context, s store.DeadLetters) error { return s.DeleteDeadLetter(ctx, id) })
	if err != nil {
		c.failed(w, r, "queue", "delete a dead letter", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: dead letter was deleted in the console", "letter", id)
	c.done(w, r, "queue", "deleted")
}
