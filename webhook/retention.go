package webhook

import (
	"context"
	"time"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/store"
)

const (
	deleteEvery = time.Hour
	deleteBatch = 500 // items in one call of the store
)

// A cleaner deletes what is older than Options.Retention.
type cleaner struct {
	*Handler
	items   store.Retention
	holder  string
	failing edge
}

// run cleans up once an hour. Replicas take turns: the lease lasts until the next
// time and is not given back.
func (c *cleaner) run(ctx context.Context) {
	for {
		err := c.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.failing.changed(err != nil) && err != nil {
			c.log.WarnContext(ctx, "askonce: what is older than Options.Retention cannot be deleted, trying again every hour", "err", err)
		}
		if backoff.Sleep(ctx, deleteEvery) != nil {
			return
		}
	}
}

func (c *cleaner) turn(ctx context.Context) error {
	_, acquired, err := c.acquire(ctx, "retention", c.holder, deleteEvery-time.Minute)
	if err != nil || !acquired {
		return err
	}
	before := time.Now().Add(-c.opts.Retention)
	for _, kind := range []store.Expirable{store.ExpiredTranscripts, store.ExpiredDeadJobs, store.ExpiredDeadLetters} {
		all := 0
		for n := deleteBatch; n == deleteBatch && err == nil; all += n {
			n, err = c.delete(ctx, kind, before)
		}
		if all > 0 {
			c.log.InfoContext(ctx, "askonce: deleted what was older than Options.Retention", "kind", kind, "items", all)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// delete deletes one batch and returns how many items it had.
func (c *cleaner) delete(ctx context.Context, kind store.Expirable, before time.Time) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer c.catch("Store.DeleteExpired", "", &err)
	return c.items.DeleteExpired(ctx, kind, before, deleteBatch)
}
