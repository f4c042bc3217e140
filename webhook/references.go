package webhook

import (
	"context"
	"errors"
	"sync"

	"github.com/askonce/askonce/store"
)

// user returns the user that the event's reference stands for, or the reason why
// there is none. The error is a panic of Options.References.
func (h *Handler) user(ctx context.Context, e event) (user string, result Result, err error) {
	switch {
	case e.badReference:
		if h.logged.add("odd reference") {
			h.log.WarnContext(ctx, "askonce: reference_id is not a string, the interview is recorded without a user", "interview", e.interviewID)
		}
		return "", ResultBadReference, nil
	case e.reference == "":
		return "", ResultNoReference, nil
	}
	user = e.reference
	var refused error
	if h.opts.References != nil {
		defer h.catch("References", e.interviewID, &err)
		user, refused = h.opts.References.UserID(e.studyID, e.reference)
	}
	switch {
	case errors.Is(refused, ErrUnknownUser):
		return "", ResultUnknownUser, nil
	case errors.Is(refused, ErrExpiredReference):
		return "", ResultExpiredReference, nil
	case refused != nil || store.CheckID(user) != nil:
		return "", ResultBadReference, nil
	}
	return user, ResultAccepted, nil
}

// noteReference notes whether the reference of an interview that was recorded for
// the first time could be read, and logs if most cannot or can again.
func (h *Handler) noteReference(ctx context.Context, e event, result Result) {
	if h.opts.References == nil || e.badReference || result == ResultNoReference {
		return
	}
	unread := result == ResultBadReference
	if unread {
		h.log.DebugContext(ctx, "askonce: reference not read", "interview", e.interviewID, "study", e.studyID)
	}
	switch {
	case !h.legible.note(unread):
	case unread:
		h.log.WarnContext(ctx, "askonce: references cannot be read, completions are recorded without a user; check that all replicas have the same reference keys")
	default:
		h.log.InfoContext(ctx, "askonce: references can be read again")
	}
}

// legible raises an alarm if references cannot be read. One alone is no alarm, because
// a user can edit the reference in the interview's link: it adds 3 to a score, and each
// that can be read takes 1 away. The alarm lasts from a score of 3 until one of -6. So
// the first reference of a process raises it, or three in a row, or a little more than
// a quarter of all.
type legible struct {
	mu    sync.Mutex
	score int
	doubt edge
}

// note adds a reference and reports whether that raises or ends the alarm.
func (l *legible) note(unread bool) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if unread {
		l.score = min(l.score+3, 3)
	} else {
		l.score = max(l.score-1, -6)
	}
	return l.doubt.changed(l.score == 3 || l.doubt.Load() && l.score > -6)
}
