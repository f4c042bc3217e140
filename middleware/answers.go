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
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	}
	study := r.URL.Query().Get("study")
	switch {
	case kind == store.InteractionOptedOut:
		study = ""
	case kind == store.InteractionUndone && study == "":
	case store.CheckID(study) != nil:
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	until := time.Time{}
	if kind == store.InteractionSnoozed {
		until = time.Now().Add(max(0, m.opts.Snooze))
	}
	if err := m.note(w, r, v, kind, study, until); err != nil {
		m.unrecorded(w, r, study, err)
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

// farewells are the answers that the user can take back on a page of their own. The
// script needs none: there the prompt itself says goodbye.
var farewells = map[store.InteractionKind]prompt.Message{
	store.InteractionDeclined: prompt.MessageDeclined,
	store.InteractionOptedOut: prompt.MessageRefused,
}

// shownAgain is the time within which a second report of the same browser is not
// recorded: the prompt stays on the pages that the user goes on to.
const shownAgain = time.Minute

// shown records that the user has seen a prompt. Browsers without JavaScript load it as
// an image.
func (m *Middleware) shown(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	allowed := false
	if r.Method == http.MethodGet {
		allowed = m.isOwnImage(r)
	} else {
		allowed = !m.isForeign(r)
	}
	study := r.URL.Query().Get("study")
	switch {
	case !allowed:
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	case store.CheckID(study) != nil:
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	showings := v.History.Showings(study)
	if n := len(showings); n == 0 || time.Since(showings[n-1]).Abs() > shownAgain {
		if err := m.note(w, r, v, store.InteractionShown, study, time.Time{}); err != nil {
			m.unrecorded(w, r, study, err)
			return
		}
	}
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "image/gif")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(pixel) // the client is gone
}

// pixel is a transparent GIF of one pixel.
var pixel, _ = base64.StdEncoding.DecodeString("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

// isOwnImage reports whether a page of the app itself loads an image, as far as its
// browser says.
func (m *Middleware) isOwnImage(r *http.Request) bool {
	if isPrefetch(r.Header) {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" && r.Header.Get("Sec-Fetch-Dest") == "image"
	}
	return m.referrer(r) != nil
}

// note records an interaction: in the store, if it keeps them, and in the browser's
// cookie. Nothing is recorded for staff who preview the prompt, nor for nobody. An
// answer that the store refuses is in neither; an opening is in the cookie.
func (m *Middleware) note(w http.ResponseWriter, r *http.Request, v gate.Visitor, kind store.InteractionKind, study string, until time.Time) error {
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
	i := store.Interaction{Key: store.Key{StudyID: study, UserID: v.UserID}, Kind: kind, At: at, Until: until}
	err := m.store(r.Context(), i)
	if err == nil || kind == store.InteractionOpened { // which goes on without the store
		m.remember(w.Header(), r, v.UserID, with(v.History, i))
		m.interacted(r.Context(), Event{i, sourceOf(r)})
	}
	return err
}

// noteTimeout bounds one call of Options.Interactions. It is not longer, because a
// user who has clicked waits for it.
const noteTimeout = 3 * time.Second

// store records an interaction in the store, if that keeps them. A browser that
// leaves does not cancel it, because the answer was given.
func (m *Middleware) store(ctx context.Context, i store.Interaction) error {
	if m.opts.Interactions == nil || m.isAnonymous(i.UserID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return guard.Do(func() error { return m.opts.Interactions.Note(ctx, i) })
}

// maxBehind is how many showings may wait for a slow store at once after their pages.
const maxBehind = 64

// noteAfter records what the response itself counts as seen, without delaying it: in
// the store and for OnInteraction, as note does. The goroutine ends within noteTimeout.
// What a store that does not keep up leaves behind is lost: it is in the cookie.
func (m *Middleware) noteAfter(ctx context.Context, e Event) {
	select {
	case m.behind <- struct{}{}:
	default:
		m.notRecorded(ctx, e.StudyID, errBehind)
		return
	}
	go func() {
		defer func() { <-m.behind }()
		if err := m.store(ctx, e.Interaction); err != nil {
			m.notRecorded(ctx, e.StudyID, err)
			return
		}
		m.interacted(context.WithoutCancel(ctx), e)
	}()
}

var errBehind = errors.New("the store does not keep up")

// notRecorded logs that an interaction was lost. It logs store.ErrTooManyStudies only
// once, because a user's script can cause it at will and would fill the log.
func (m *Middleware) notRecorded(ctx context.Context, study string, err error) {
	if !errors.Is(err, store.ErrTooManyStudies) || m.first("studies") {
		m.opts.Logger.WarnContext(ctx, "askonce: interaction not recorded", "study", study, "err", err)
	}
}

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

// refuse says in the user's language why there is no interview now.
func (m *Middleware) refuse(w http.ResponseWriter, r *http.Request, v gate.Visitor, why gate.Reason) {
	message := prompt.MessageClosed
	switch why {
	case gate.ReasonFull:
		message = prompt.MessageFull
	case gate.ReasonCompleted:
		message = prompt.MessageCompleted
	case gate.ReasonAnonymous:
		message = prompt.MessageSignedOut
	case gate.ReasonUnavailable:
		message = prompt.MessageUnavailable
	case gate.ReasonPaused:
		message = prompt.MessagePaused
	case gate.ReasonDeclined:
		message = prompt.MessageRefused
	}
	m.writePage(w, r, message, v.StudyID, v.Languages)
}

func (m *Middleware) writePage(w http.ResponseWriter, r *http.Request, message prompt.Message, study string, languages []string) {
	reply := prompt.Reply{Message: message, StudyID: study, Languages: languages, Back: m.back(r), Again: r.URL.RequestURI(), From: r.URL.Query().Get(sourceKey)}
	if err := m.prompts.ServePage(w, reply); err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: built-in words used", "study", study, "err", err)
	}
}

// unrecorded answers for an interaction that the store did not take. One that it never
// will, because of the user's id or of too many studies, is not to be sent again.
func (m *Middleware) unrecorded(w http.ResponseWriter, r *http.Request, study string, err error) {
	m.notRecorded(r.Context(), study, err)
	status := http.StatusServiceUnavailable
	if errors.Is(err, store.ErrInvalid) {
		status = http.StatusBadRequest
	} else {
		w.Header().Set("Retry-After", "30")
	}
	http.Error(w, http.StatusText(status), status)
}
