package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// accept records a completion, from a delivery or from the provider's list.
func (h *Handler) accept(ctx context.Context, e event) Result {
	c, result, err := h.tryAccept(ctx, e)
	switch result {
	case ResultDuplicate:
		h.checkUser(ctx, c)
	case ResultPanic:
		if h.poison.add(e.interviewID) {
			h.logPoisoned(ctx, e, result, err)
		}
	case ResultStore:
		h.log.ErrorContext(ctx, "askonce: completion not recorded, the store failed", "interview", e.interviewID, "err", err)
		signal(h.trouble)
	}
	return result
}

// tryAccept is accept without its log lines. The error belongs to ResultPanic,
// ResultStore and ResultSchema.
func (h *Handler) tryAccept(ctx context.Context, e event) (store.Completion, Result, error) {
	if !h.studies.has(e.studyID, e.studyName) {
		return store.Completion{}, ResultOtherStudy, nil
	}
	if e.status != "" && e.status != userjourneys.StatusCompleted {
		return store.Completion{}, ResultNotCompleted, nil
	}
	c, result, err := h.completion(ctx, e)
	if err != nil {
		return c, ResultPanic, err
	}
	ctx, cancel := h.detached(ctx)
	defer cancel()
	first, err := h.store.Record(ctx, c)
	if errors.Is(err, store.ErrInvalid) && c.UserID != "" {
		c.UserID, result = "", ResultBadReference // the store is stricter than store.CheckID
		first, err = h.store.Record(ctx, c)
	}
	switch {
	case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrPermanent):
		return c, ResultSchema, err
	case err != nil:
		return c, ResultStore, err
	case !first:
		return c, ResultDuplicate, nil
	}
	if h.recorded.changed(true) {
		h.log.InfoContext(ctx, "askonce: first completion recorded", "interview", c.InterviewID, "study", c.StudyID)
		if h.opts.Client != nil && !h.ran.Load() {
			h.log.WarnContext(ctx, "askonce: Run has not been called here: unless another process calls it, no transcript is fetched and lost deliveries stay unknown")
		}
	}
	signal(h.queued)
	if h.opts.OnRecorded != nil {
		_ = h.call("OnRecorded", c.InterviewID, func() { h.opts.OnRecorded(ctx, c) }) // a panic is logged
	}
	return c, result, nil
}

const storeTimeout = 5 * time.Second // of one call

// detached returns a context for the store. It ends neither with the request nor
// with Run, because what was begun is to be finished.
func (h *Handler) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// completion returns what is recorded of an event and, if it has no user, why.
// The error is a panic of the app's code.
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

// judge applies Options.Policy to c. The error is a panic of it.
func (h *Handler) judge(c *store.Completion) error {
	if h.opts.Policy == nil {
		return nil
	}
	return h.call("Policy", c.InterviewID, func() { h.opts.Policy(*c).apply(c) })
}

// user returns the user whose reference the event has. The error is a panic of
// Options.References; any other failure of it leaves the interview without a user.
func (h *Handler) user(ctx context.Context, e event) (string, Result, error) {
	switch {
	case e.badReference:
		if h.oddRefs.changed(true) {
			h.log.WarnContext(ctx, "askonce: reference_id is not a string, the interview is recorded without a user", "interview", e.interviewID)
		}
		return "", ResultBadReference, nil
	case e.reference == "":
		return "", ResultNoReference, nil
	}
	user, err := e.reference, error(nil)
	if h.opts.References != nil {
		user, err = get(h, "References", e.interviewID, func() (string, error) { return h.opts.References.UserID(e.studyID, e.reference) })
	}
	switch {
	case err != nil && isPanic(err):
		return "", ResultPanic, err
	case errors.Is(err, ErrUnknownUser):
		return "", ResultUnknownUser, nil
	case errors.Is(err, ErrExpiredReference):
		return "", ResultExpiredReference, nil
	case err != nil || store.CheckID(user) != nil:
		return "", ResultBadReference, nil
	}
	return user, ResultAccepted, nil
}

// checkUser warns if the store knows the interview as another user's. The store
// keeps the first.
func (h *Handler) checkUser(ctx context.Context, c store.Completion) {
	if c.UserID == "" {
		return
	}
	ctx, cancel := h.detached(ctx)
	defer cancel()
	for have, err := range h.store.completions(ctx, c.InterviewID) {
		if err == nil && have.UserID != "" && have.UserID != c.UserID {
			h.warnOtherUser(ctx, c.InterviewID)
		}
		return
	}
}

func (h *Handler) warnOtherUser(ctx context.Context, interviewID string) {
	h.log.WarnContext(ctx, "askonce: the provider names another user than the first delivery did, the first is kept", "interview", interviewID)
}

// bury keeps an authentic body that cannot be used as a dead letter. The error is
// the store's.
func (h *Handler) bury(ctx context.Context, body []byte, result Result) error {
	h.log.ErrorContext(ctx, "askonce: signed delivery cannot be used", "result", result)
	ctx, cancel := h.detached(ctx)
	defer cancel()
	_, err := h.store.keepLetter(ctx, body, result)
	if err != nil {
		h.log.ErrorContext(ctx, "askonce: dead letter not kept", "err", err)
	}
	return err
}
