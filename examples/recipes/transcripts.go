package recipes

import (
	"context"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Interview is a completed interview.
type Interview struct {
	store.Completion
	Turns []userjourneys.Turn // empty until the transcript has been fetched
}

// Interviews returns the interviews completed since the given time, with their
// transcripts, for a page or a weekly export. The store keeps each transcript as the
// provider's JSON, which [userjourneys.Interview] decodes.
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
		all = append(all, Interview{c, turns(t.Body)})
	}
	return all, nil
}

func turns(transcript []byte) []userjourneys.Turn {
	var i userjourneys.Interview
	if i.UnmarshalJSON(transcript) != nil {
		return nil
	}
	return i.Turns()
}
