package storetest_test

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

// leases multiplies the lease.
type leases struct {
	*store.Memory
	times time.Duration
}

func (s leases) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	return s.Memory.ClaimJobs(ctx, now, lease*s.times, limit)
}

// unfenced takes any claim for the present one.
type unfenced struct {
	*store.Memory
	now map[string]store.Job
}

func (s *unfenced) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	jobs, err := s.Memory.ClaimJobs(ctx, now, lease, limit)
	for _, j := range jobs {
		s.now[j.InterviewID] = j
	}
	return jobs, err
}

func (s *unfenced) FinishJob(ctx context.Context, j store.Job, t store.Transcript) error {
	return s.Memory.FinishJob(ctx, s.now[j.InterviewID], t)
}

type eager struct{ *store.Memory }

func (s eager) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	return s.Memory.ClaimJobs(ctx, now.Add(3*time.Hour), lease, limit)
}

type youngest struct{ *store.Memory }

func (s youngest) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		var all []store.Job
		for j, err := range s.Memory.Jobs(ctx, dead) {
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

type hasty struct{ *store.Memory }

func (s hasty) PostponeJob(ctx context.Context, j store.Job, _ time.Time) error {
	return s.Memory.PostponeJob(ctx, j, time.Now())
}

type reasonless struct{ *store.Memory }

func (s reasonless) PostponeJob(ctx context.Context, j store.Job, next time.Time) error {
	j.Reason = ""
	return s.Memory.PostponeJob(ctx, j, next)
}

func (s reasonless) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	d.Reason = ""
	return s.Memory.AddDeadLetter(ctx, d)
}

type noDead struct{ *store.Memory }

func (s noDead) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	if dead {
		return func(func(store.Job, error) bool) {}
	}
	return s.Memory.Jobs(ctx, dead)
}
