package site

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Interview is a completed interview.
type Interview struct {
	store.Completion
	Turns []userjourneys.Turn // none until the transcript has been fetched
}

// Interviews are those of the last 30 days.
func (s *Site) Interviews(ctx context.Context) ([]Interview, error) {
	all, err := Interviews(ctx, s.Store, time.Now().AddDate(0, 0, -30))
	if err != nil {
		slog.ErrorContext(ctx, "the interviews cannot be read", "err", err)
	}
	return all, err
}

// Interviews reads those that were completed since, with their transcripts.
func Interviews(ctx context.Context, s store.Store, since time.Time) (all []Interview, err error) {
	lister, lists := store.As[store.Lister](s)
	transcripts, keeps := store.As[store.Transcripts](s)
	if !lists || !keeps {
		return nil, errors.ErrUnsupported
	}
	for c, err := range lister.Completions(ctx, store.Filter{Since: since}) {
		if err != nil {
			return nil, err
		}
		t, err := transcripts.Transcript(ctx, c.InterviewID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		all = append(all, Interview{c, turnsOf(t.Body)})
	}
	return all, nil
}

// turnsOf reads a stored transcript.
func turnsOf(body []byte) []userjourneys.Turn {
	var i userjourneys.Interview
	if i.UnmarshalJSON(body) != nil {
		return nil
	}
	return i.Turns()
}
