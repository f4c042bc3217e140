package main

import (
	"context"
	"errors"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

type interviewed struct {
	store.Completion
	Turns []userjourneys.Turn // none until the transcript has been fetched
}

// interviews are those in the store, with their transcripts.
func (a *app) interviews(ctx context.Context) (all []interviewed, err error) {
	for c, err := range a.done.Completions(ctx, store.Filter{}) {
		if err != nil {
			return nil, err
		}
		t, err := a.done.Transcript(ctx, c.InterviewID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		all = append(all, interviewed{c, turnsOf(t.Body)})
	}
	return all, nil
}
