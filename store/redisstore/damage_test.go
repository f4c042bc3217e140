package redisstore_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// TestDamaged takes the server and parts of the data away behind the back of a
// store, as evictions and operators do.
func TestDamaged(t *testing.T) {
	t.Parallel()
	connect(t)
	storetest.RunDamaged(t, func(t *testing.T) (store.Store, storetest.Backend) {
		client := connect(t)
		prefix := place(t, client)
		key := func(name string) string { return "{" + prefix + "}:" + name }
		broken := connect(t)
		var server outage
		broken.AddHook(&server)
		s, err := redisstore.New(broken, &redisstore.Options{Prefix: prefix})
		require.NoError(t, err)
		return s, storetest.Backend{
			Fail: func(_ *testing.T, fail bool) { server.now.Store(fail) },
			LoseCompletion: func(t *testing.T, _ store.Key) {
				people, err := client.HKeys(t.Context(), key("people")).Result()
				require.NoError(t, err)
				for _, hash := range people {
					if hash != "" { // it shows that the key of the hashes fits
						require.NoError(t, client.HDel(t.Context(), key("people"), hash).Err())
					}
				}
			},
			LoseJob: func(t *testing.T, interviewID string) {
				require.NoError(t, client.HDel(t.Context(), key("jobs"), interviewID).Err())
				require.NoError(t, client.ZRem(t.Context(), key("due"), interviewID).Err())
			},
			LoseInterview: func(t *testing.T, interviewID string) {
				require.NoError(t, client.HDel(t.Context(), key("interviews"), interviewID).Err())
			},
		}
	})
}

// outage is a server that cannot be reached now and then.
type outage struct{ now atomic.Bool }

func (o *outage) err() error {
	if o.now.Load() {
		return errors.New("connection refused")
	}
	return nil
}

func (o *outage) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *outage) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := o.err(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (o *outage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := o.err(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}
