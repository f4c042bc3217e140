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

// run cleans up once an hour, on one of the replicas: the lease is not released and
// lasts for almost an hour.
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
	for _, kind := range []store.Expirable{store.ExpirableTranscripts, store.ExpirableDeadJobs, store.ExpirableDeadLetters} {
		n, err := c.delete(ctx, kind, before)
		if n > 0 {
			c.log.InfoContext(ctx, "askonce: deleted what was older than Options.Retention", "kind", kind, "items", n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// delete deletes all expired items of one kind and returns how many there were.
func (c *cleaner) delete(ctx context.Context, kind store.Expirable, before time.Time) (all int, err error) {
	defer c.catch("Store.DeleteExpired", "", &err)
	for {
		bounded, cancel := context.WithTimeout(ctx, storeTimeout)
		n, err := c.items.DeleteExpired(bounded, kind, before, deleteBatch)
		cancel()
		all += n
		if err != nil || n < deleteBatch {
			return all, err
		}
	}
}
