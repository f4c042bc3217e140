package storetest_test

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// leases replaces the lease of a claim.
type leases struct {
	*memstore.Store
	lease time.Duration
}

func (s leases) ClaimJobs(ctx context.Context, _ time.Duration, limit int) ([]store.Job, error) {
	return s.Store.ClaimJobs(ctx, s.lease, limit)
}

// unfenced takes any claim for the present one.
type unfenced struct {
	*memstore.Store
	now map[string]store.Job
}

func (s *unfenced) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	jobs, err := s.Store.ClaimJobs(ctx, lease, limit)
	for _, j := range jobs {
		s.now[j.InterviewID] = j
	}
	return jobs, err
}

func (s *unfenced) FinishJob(ctx context.Context, j store.Job) error {
	return s.Store.FinishJob(ctx, s.now[j.InterviewID])
}

// unextended forgets to extend a lease.
type unextended struct{ *memstore.Store }

func (s unextended) ExtendJob(ctx context.Context, j store.Job, _ time.Duration) error {
	return s.Store.ExtendJob(ctx, j, 0)
}

type youngest struct{ *memstore.Store }

func (s youngest) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		var all []store.Job
		for j, err := range s.Store.PendingJobs(ctx) {
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

func (s hasty) PostponeJob(ctx context.Context, j store.Job, _ time.Duration) error {
	return s.Store.PostponeJob(ctx, j, 0)
}

type reasonless struct{ *memstore.Store }

func (s reasonless) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	j.Reason = ""
	return s.Store.PostponeJob(ctx, j, wait)
}

func (s reasonless) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	d.Reason = ""
	return s.Store.AddDeadLetter(ctx, d)
}

type noDead struct{ *memstore.Store }

func (noDead) DeadJobs(context.Context) iter.Seq2[store.Job, error] {
	return func(func(store.Job, error) bool) {}
}

// fetchedForgotten forgets that a transcript is stored.
type fetchedForgotten struct{ *memstore.Store }

func (s fetchedForgotten) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	jobs, err := s.Store.ClaimJobs(ctx, lease, limit)
	for i := range jobs {
		jobs[i].Fetched = false
	}
	return jobs, err
}

type requeuesOne struct{ *memstore.Store }

func (s requeuesOne) RequeueJobs(ctx context.Context) (int, error) {
	for j := range s.DeadJobs(ctx) {
		return 1, s.RequeueJob(ctx, j.InterviewID)
	}
	return 0, nil
}
