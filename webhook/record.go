package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// record records a completion, from a delivery or from the provider's list. The
// error is set with ResultPanic, ResultStore and ResultSchema.
func (h *Handler) record(ctx context.Context, e event) (c store.Completion, result Result, err error) {
	switch {
	case !h.studies.has(e.studyID, e.studyName):
		return c, ResultOtherStudy, nil
	case e.status != "" && e.status != userjourneys.StatusCompleted:
		return c, ResultNotCompleted, nil
	}
	c, result, err = h.completion(ctx, e)
	if err != nil {
		return c, ResultPanic, err
	}
	first, err := h.put(ctx, c)
	if errors.Is(err, store.ErrInvalid) && c.UserID != "" {
		c.UserID, result = "", ResultBadReference // the store is stricter than store.CheckID
		first, err = h.put(ctx, c)
	}
	switch {
	case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrPermanent):
		return c, ResultSchema, err
	case err != nil:
		return c, ResultStore, err
	case !first:
		return c, ResultDuplicate, nil
	}
	h.noteReference(ctx, e, result)
	if c.UserID != "" && h.logged.add("first completion") {
		h.log.InfoContext(ctx, "askonce: first completion recorded", "interview", c.InterviewID, "study", c.StudyID)
	}
	if h.opts.Client != nil && !h.ran.Load() && h.logged.add("Run") {
		h.log.WarnContext(ctx, "askonce: Run has not been called here: unless another process calls it, no transcript is fetched and lost deliveries stay unknown")
	}
	signal(h.queued)
	if h.opts.OnRecorded != nil {
		_ = h.callDetached(ctx, "OnRecorded", c.InterviewID, func(ctx context.Context) error {
			h.opts.OnRecorded(ctx, c)
			return nil
		})
	}
	return c, result, nil
}

// put calls the store's Record.
func (h *Handler) put(ctx context.Context, c store.Completion) (first bool, err error) {
	err = h.callDetached(ctx, "Store.Record", c.InterviewID, func(ctx context.Context) (err error) {
		first, err = h.store.Record(ctx, c)
		return err
	})
	return first, err
}

// completion returns the completion to record for an event. The result says why it
// has no user. The error is a panic of the app's code.
func (h *Handler) completion(ctx context.Context, e event) (store.Completion, Result, error) {
	user, result, err := h.user(ctx, e)
	c := store.Completion{
		Key:         store.Key{StudyID: e.studyID, UserID: user},
		InterviewID: e.interviewID,
		CompletedAt: e.completedAt,
		Quality:     e.quality,
		Language:    e.language,
		Duration:    e.duration,
	}
	if c.CompletedAt.IsZero() {
		c.CompletedAt = time.Now()
	}
	c.CompletedAt = store.Instant(c.CompletedAt)
	if err == nil {
		err = h.judge(&c)
	}
	return c, result, err
}

// judge applies Options.Policy to c. The error is a panic of Policy.
func (h *Handler) judge(c *store.Completion) (err error) {
	if h.opts.Policy != nil {
		defer h.catch("Policy", c.InterviewID, &err)
		h.opts.Policy(*c).apply(c)
	}
	return nil
}

// checkUser warns if the store has the interview under another user.
func (h *Handler) checkUser(ctx context.Context, c store.Completion) {
	list, ok := store.As[store.Lister](h.store)
	if !ok || c.UserID == "" {
		return
	}
	_ = h.callDetached(ctx, "Store.Completions", c.InterviewID, func(ctx context.Context) error {
		for have, err := range list.Completions(ctx, store.Filter{InterviewID: c.InterviewID}) {
			if err == nil && have.UserID != "" && have.UserID != c.UserID {
				h.warnOtherUser(ctx, c.InterviewID)
			}
			break
		}
		return nil
	})
}

func (h *Handler) warnOtherUser(ctx context.Context, interviewID string) {
	h.log.WarnContext(ctx, "askonce: the provider names another user than the first delivery did, the first is kept", "interview", interviewID)
}

// keepLetter stores an unusable body as a dead letter, if the store keeps those.
func (h *Handler) keepLetter(ctx context.Context, body []byte, reason Result) (kept bool, err error) {
	letters, ok := store.As[store.DeadLetters](h.store)
	if !ok || len(body) == 0 {
		return false, nil
	}
	err = h.callDetached(ctx, "Store.AddDeadLetter", "", func(ctx context.Context) error {
		return letters.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: time.Now(), Reason: reason.String(), Body: body})
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}
