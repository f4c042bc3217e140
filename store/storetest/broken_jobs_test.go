package storetest_test

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// leases multiplies the lease.
type leases struct {
	*memstore.Store
	times time.Duration
}

func (s leases) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	return s.Store.ClaimJobs(ctx, now, lease*s.times, limit)
}

// unfenced takes any claim for the present one.
type unfenced struct {
	*memstore.Store
	now map[string]store.Job
}

func (s *unfenced) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	jobs, err := s.Store.ClaimJobs(ctx, now, lease, limit)
	for _, j := range jobs {
		s.now[j.InterviewID] = j
	}
	return jobs, err
}

func (s *unfenced) FinishJob(ctx context.Context, j store.Job, t store.Transcript) error {
	return s.Store.FinishJob(ctx, s.now[j.InterviewID], t)
}

type eager struct{ *memstore.Store }

func (s eager) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	return s.Store.ClaimJobs(ctx, now.Add(3*time.Hour), lease, limit)
}

type youngest struct{ *memstore.Store }

func (s youngest) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		var all []store.Job
		for j, err := range s.Store.Jobs(ctx, dead) {
			if err != nil {
				yield(j, err)
				return
			}
			all = append(all, j)
		}
		for _, j := range slices.Backward(all) {
			if !yield(j, nil) {
				return
			}
		}
	}
}

type hasty struct{ *memstore.Store }

func (s hasty) PostponeJob(ctx context.Context, j store.Job, _ time.Time) error {
	return s.Store.PostponeJob(ctx, j, time.Now())
}

type reasonless struct{ *memstore.Store }

func (s reasonless) PostponeJob(ctx context.Context, j store.Job, next time.Time) error {
	j.Reason = ""
	return s.Store.PostponeJob(ctx, j, next)
}

func (s reasonless) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	d.Reason = ""
	return s.Store.AddDeadLetter(ctx, d)
}

type noDead struct{ *memstore.Store }

func (s noDead) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	if dead {
		return func(func(store.Job, error) bool) {}
	}
	return s.Store.Jobs(ctx, dead)
}
