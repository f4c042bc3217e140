package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// accept records a completion, from a delivery or from the provider's list.
func (h *Handler) accept(ctx context.Context, e event) (store.Completion, Result) {
	if !h.studies.has(e.studyID, e.studyName) {
		return store.Completion{}, ResultOtherStudy
	}
	if e.status != "" && e.status != userjourneys.StatusCompleted {
		return store.Completion{}, ResultNotCompleted
	}
	c, reason := h.completion(e)
	ctx, cancel := h.detached(ctx)
	defer cancel()
	first, err := h.store.Record(ctx, c)
	if errors.Is(err, store.ErrInvalid) && c.UserID != "" {
		c.UserID, reason = "", ResultBadReference // a store that is stricter than CheckID
		first, err = h.store.Record(ctx, c)
	}
	switch {
	case errors.Is(err, store.ErrInvalid):
		return c, ResultSchema
	case err != nil:
		h.log.ErrorContext(ctx, "askonce: a completion could not be recorded", "interview", c.InterviewID, "err", err)
		h.alarm()
		return c, ResultStore
	case !first:
		return c, ResultDuplicate
	}
	h.recorded(ctx, c)
	return c, reason
}

// detached is a context for the store: it ends neither with the request nor
// with the process's wish to stop, for what was begun is to be finished.
func (h *Handler) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), h.opts.StoreTimeout)
}

// completion is what is recorded of an event, and why it is nobody's if it is.
func (h *Handler) completion(e event) (store.Completion, Result) {
	user, reason := h.user(e)
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
	if h.opts.Policy != nil {
		h.opts.Policy(c).apply(&c)
	}
	return c, reason
}

func (h *Handler) user(e event) (string, Result) {
	switch {
	case e.badReference:
		return "", ResultBadReference
	case e.reference == "":
		return "", ResultNoReference
	}
	user, err := e.reference, error(nil)
	if h.opts.References != nil {
		user, err = h.opts.References.UserID(e.studyID, e.reference)
	}
	switch {
	case errors.Is(err, ErrUnknownUser):
		return "", ResultUnknownUser
	case errors.Is(err, ErrExpiredReference):
		return "", ResultExpiredReference
	case err != nil || store.CheckID(user) != nil:
		return "", ResultBadReference
	}
	return user, ResultAccepted
}

// recorded tells who wants to know. Nothing that they do can undo the record.
func (h *Handler) recorded(ctx context.Context, c store.Completion) {
	defer func() {
		if p := recover(); p != nil {
			h.panicked(ctx, "in OnRecorded", p)
		}
	}()
	signal(h.work)
	if h.opts.OnRecorded != nil {
		h.opts.OnRecorded(ctx, c)
	}
}

// checkBinding warns when a delivery names another user than the first one for
// the same interview did. The store keeps the first.
func (h *Handler) checkBinding(ctx context.Context, c store.Completion) {
	list, ok := store.As[store.Lister](h.store)
	if !ok || c.UserID == "" {
		return
	}
	ctx, cancel := h.detached(ctx)
	defer cancel()
	for have, err := range list.Completions(ctx, store.Filter{InterviewID: c.InterviewID}) {
		if err == nil && have.UserID != "" && have.UserID != c.UserID {
			h.rebound(ctx, c.InterviewID)
		}
		return
	}
}

func (h *Handler) rebound(ctx context.Context, interviewID string) {
	h.log.WarnContext(ctx, "askonce: the provider names another user than the first delivery: the first stays", "interview", interviewID)
}

// bury keeps what is authentic and cannot be used, before it is refused.
func (h *Handler) bury(ctx context.Context, b []byte, reason Result) Result {
	h.log.ErrorContext(ctx, "askonce: an authentic delivery makes no sense", "reason", reason)
	letters, ok := store.As[store.DeadLetters](h.store)
	if !ok || len(b) == 0 {
		return reason
	}
	ctx, cancel := h.detached(ctx)
	defer cancel()
	err := letters.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: time.Now(), Reason: reason.String(), Body: b})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		h.log.ErrorContext(ctx, "askonce: a dead letter could not be kept", "err", err)
		return ResultStore
	}
	return reason
}
