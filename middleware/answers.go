package middleware

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/middleware/internal/prompt"
	"github.com/askonce/askonce/store"
)

// answer returns the endpoint that records an answer of this kind.
func answer(kind store.InteractionKind) func(*Middleware, http.ResponseWriter, *http.Request, gate.Visitor) {
	return func(m *Middleware, w http.ResponseWriter, r *http.Request, v gate.Visitor) { m.answer(w, r, v, kind) }
}

func (m *Middleware) answer(w http.ResponseWriter, r *http.Request, v gate.Visitor, kind store.InteractionKind) {
	if m.isForeign(r) {
		fail(w, http.StatusForbidden)
		return
	}
	study := r.URL.Query().Get("study")
	switch {
	case kind == store.InteractionOptedOut:
		study = ""
	case kind == store.InteractionUndone && study == "": // of the opt-out
	case store.CheckID(study) != nil:
		fail(w, http.StatusBadRequest)
		return
	}
	if err := m.note(w, r, v, kind, study); err != nil {
		m.failNotRecorded(w, r, study, err)
		return
	}
	if !isForm(r.Header) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if message, ok := farewells[kind]; ok && v.UserID != "" {
		m.writePage(w, r, message, study, v.Languages)
		return
	}
	w.Header().Set("Location", m.back(r))
	w.WriteHeader(http.StatusSeeOther)
}

// farewells are the pages on which users without JavaScript can take an answer back. With
// the script, the prompt itself offers that.
var farewells = map[store.InteractionKind]prompt.Message{
	store.InteractionDeclined: prompt.MessageDeclined,
	store.InteractionOptedOut: prompt.MessageRefused,
}

// shownAgain is the time within which a second report from the same browser is not
// recorded, because the prompt stays on the pages that the user visits next.
const shownAgain = time.Minute

// shown records that the user has seen a prompt. Browsers without JavaScript load it as
// an image.
func (m *Middleware) shown(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	isImage := r.Method == http.MethodGet
	if isImage && !m.isOwnImage(r) || !isImage && m.isForeign(r) {
		fail(w, http.StatusForbidden)
		return
	}
	study := r.URL.Query().Get("study")
	if store.CheckID(study) != nil {
		fail(w, http.StatusBadRequest)
		return
	}
	showings := v.History.Showings(study)
	if n := len(showings); n == 0 || time.Since(showings[n-1]).Abs() > shownAgain {
		if err := m.note(w, r, v, store.InteractionShown, study); err != nil {
			m.failNotRecorded(w, r, study, err)
			return
		}
	}
	if !isImage {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "image/gif")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(pixel) // it fails if the client is gone
}

// pixel is a transparent GIF of one pixel.
var pixel, _ = base64.StdEncoding.DecodeString("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

// isOwnImage reports whether a page of the app itself loads an image, according to the
// browser.
func (m *Middleware) isOwnImage(r *http.Request) bool {
	if isPrefetch(r.Header) {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" && r.Header.Get("Sec-Fetch-Dest") == "image"
	}
	return m.referrer(r) != nil
}

// note records an interaction in the store, if there is one, and in the browser's cookie.
// It records nothing for staff who preview the prompt, nor for visitors without an id. If
// the store refuses an answer, the cookie does not get it either; it always gets an
// opening, because the interview opens without the store.
func (m *Middleware) note(w http.ResponseWriter, r *http.Request, v gate.Visitor, kind store.InteractionKind, study string) error {
	if v.UserID == "" || v.Preview {
		return nil
	}
	if err := store.CheckID(v.UserID); err != nil {
		return fmt.Errorf("the user's id cannot be used: %w", err)
	}
	at := time.Now()
	if kind != store.InteractionShown && kind != store.InteractionOpened {
		at = v.History.AnsweredAt(study, at)
	}
	i := store.Interaction{Key: store.Key{StudyID: study, UserID: v.UserID}, Kind: kind, At: at}
	if kind == store.InteractionSnoozed {
		i.Until = time.Now().Add(max(0, m.opts.Snooze))
	}
	err := m.store(r.Context(), i)
	if err == nil || kind == store.InteractionOpened {
		m.remember(w.Header(), r, v.UserID, with(v.History, i))
		m.interacted(r.Context(), Event{i, sourceOf(r)})
	}
	return err
}

// noteTimeout bounds one call of Options.Interactions. It is short, because a user who has
// clicked waits for it.
const noteTimeout = 3 * time.Second

// store records an interaction in the store, if there is one. It goes on if the browser
// leaves, because the answer was given.
func (m *Middleware) store(ctx context.Context, i store.Interaction) error {
	if m.opts.Interactions == nil || m.isAnonymous(i.UserID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return guard.Do(func() error { return m.opts.Interactions.Note(ctx, i) })
}

// maxBehind is how many showings may wait for a slow store at once, after their pages have
// left.
const maxBehind = 64

// noteAfter records what the response itself counts as seen, without delaying it: in the
// store and for OnInteraction, as note does. The goroutine ends within noteTimeout. If the
// store does not keep up, only the cookie has the showing.
func (m *Middleware) noteAfter(ctx context.Context, e Event) {
	select {
	case m.behind <- struct{}{}:
	default:
		m.logNotRecorded(ctx, e.StudyID, errors.New("the store does not keep up"))
		return
	}
	go func() {
		defer func() { <-m.behind }()
		if err := m.store(ctx, e.Interaction); err != nil {
			m.logNotRecorded(ctx, e.StudyID, err)
			return
		}
		m.interacted(context.WithoutCancel(ctx), e)
	}()
}

// logNotRecorded logs that an interaction was lost. It logs store.ErrTooManyStudies only
// once, because a user's script can cause it at will and would fill the log.
func (m *Middleware) logNotRecorded(ctx context.Context, study string, err error) {
	if !errors.Is(err, store.ErrTooManyStudies) || m.first("studies") {
		m.opts.Logger.WarnContext(ctx, "askonce: interaction not recorded", "study", study, "err", err)
	}
}

// failNotRecorded answers a request whose interaction was lost. If the store will never
// take it, because of the user's id or of too many studies, the client should not retry.
func (m *Middleware) failNotRecorded(w http.ResponseWriter, r *http.Request, study string, err error) {
	m.logNotRecorded(r.Context(), study, err)
	if errors.Is(err, store.ErrInvalid) {
		fail(w, http.StatusBadRequest)
		return
	}
	w.Header().Set("Retry-After", "30")
	fail(w, http.StatusServiceUnavailable)
}

func fail(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

// with adds an interaction to a history.
func with(h gate.History, i store.Interaction) gate.History {
	switch i.Kind {
	case store.InteractionShown:
		return h.WithShown(i.StudyID, i.At)
	case store.InteractionOpened:
		return h.WithOpened(i.StudyID, i.At)
	case store.InteractionSnoozed:
		return h.WithSnooze(i.StudyID, i.At, i.Until)
	case store.InteractionDeclined:
		return h.WithDecline(i.StudyID, i.At)
	case store.InteractionUndone:
		return h.WithUndo(i.StudyID, i.At)
	}
	return h.WithOptOut(i.At)
}

// refusals are the pages for clicks that the gate refuses for these reasons. For any other
// the study counts as closed.
var refusals = map[gate.Reason]prompt.Message{
	gate.ReasonFull:        prompt.MessageFull,
	gate.ReasonCompleted:   prompt.MessageCompleted,
	gate.ReasonAnonymous:   prompt.MessageSignedOut,
	gate.ReasonUnavailable: prompt.MessageUnavailable,
	gate.ReasonPaused:      prompt.MessagePaused,
	gate.ReasonDeclined:    prompt.MessageRefused,
}

// writePage answers a request of a browser that waits for a page.
func (m *Middleware) writePage(w http.ResponseWriter, r *http.Request, message prompt.Message, study string, languages []string) {
	reply := prompt.Reply{Message: message, StudyID: study, Languages: languages, Back: m.back(r), Again: r.URL.RequestURI(), From: r.URL.Query().Get(sourceKey)}
	if err := m.prompts.ServePage(w, reply); err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: built-in words used", "study", study, "err", err)
	}
}
