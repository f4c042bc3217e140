package console

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"sync"

	"github.com/askonce/askonce/store"
)

const (
	queueRows  = 50   // of each list in a page
	queueDepth = 1000 // how far each list is paged
)

// queuePage is the data of ui/queue.html.
type queuePage struct {
	Trouble []string
	Pending list[store.Job]
	Dead    list[store.Job]
	Letters list[store.DeadLetter]
}

// A list is one page of a list.
type list[T any] struct {
	Items []T
	Known bool
	Back  pageLink // leads back, zero on the first page
	Next  pageLink // leads on, zero on the last page
}

// A pageLink is a query.
type pageLink struct {
	Param string
	From  int
}

func (c *console) queue(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var (
		page     queuePage
		parts    sync.WaitGroup
		problems [3]error
	)
	jobs, noJobs := has[store.Transcripts](c)
	letters, noLetters := has[store.DeadLetters](c)
	problems[0], problems[2] = noJobs, noLetters
	if noJobs == nil {
		parts.Go(func() { page.Pending, problems[0] = listOf(ctx, c, r, "pending", jobs.PendingJobs) })
		parts.Go(func() { page.Dead, problems[1] = listOf(ctx, c, r, "dead", jobs.DeadJobs) })
	}
	if noLetters == nil {
		parts.Go(func() { page.Letters, problems[2] = listOf(ctx, c, r, "letters", letters.DeadLetters) })
	}
	parts.Wait()
	for i, what := range []string{"Transcripts", "Given-up transcripts", "Dead letters"} {
		page.Trouble = append(page.Trouble, c.trouble(ctx, what, problems[i]))
	}
	c.render(w, r, http.StatusOK, "queue", page)
}

// listOf returns the part of a sequence that the request's parameter of this name
// selects: how many items come before it.
func listOf[T any](ctx context.Context, c *console, r *http.Request, param string, seq func(context.Context) iter.Seq2[T, error]) (l list[T], err error) {
	from, _ := strconv.Atoi(r.URL.Query().Get(param)) // whatever is no number is the first page
	from = min(max(from, 0), queueDepth)
	items, more, err := take(ctx, c, from, queueRows, seq)
	if err != nil {
		return l, err
	}
	l.Items, l.Known = items, true
	if from > 0 {
		l.Back = pageLink{param, max(0, from-queueRows)}
	}
	if more && from < queueDepth {
		l.Next = pageLink{param, from + queueRows}
	}
	return l, nil
}

// requeue is the action that makes a given-up transcript be fetched again.
func (c *console) requeue(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	jobs, err := has[store.Transcripts](c)
	if err == nil {
		err = act(r.Context(), c, func(ctx context.Context) error { return jobs.RequeueJob(ctx, id) })
	}
	if err != nil {
		c.failed(w, r, "queue", "requeue", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: given-up transcript was requeued in the console", "interview", id)
	c.done(w, r, "queue", "requeued")
}

// requeueAll is requeue for every given-up transcript.
func (c *console) requeueAll(w http.ResponseWriter, r *http.Request) {
	n := 0
	jobs, err := has[store.Transcripts](c)
	if err == nil {
		n, err = wait(r.Context(), c, jobs.RequeueJobs)
	}
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
	letters, err := has[store.DeadLetters](c)
	if err == nil {
		err = act(r.Context(), c, func(ctx context.Context) error { return letters.DeleteDeadLetter(ctx, id) })
	}
	if err != nil {
		c.failed(w, r, "queue", "delete a dead letter", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: dead letter was deleted in the console", "letter", id)
	c.done(w, r, "queue", "deleted")
}
