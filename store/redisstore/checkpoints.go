package redisstore

import (
	"cmp"
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

var acquireScript = redis.NewScript(`
local name, holder, now, ends = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local c = redis.call('HGET', KEYS[1], name)
c = c and cjson.decode(c) or {h = '', u = '0', s = ''}
if c.h ~= '' and c.h ~= holder and tonumber(c.u) > tonumber(now) then return {1, c.s} end
c.h, c.u = holder, ends
redis.call('HSET', KEYS[1], name, cjson.encode(c))
return {0, c.s}
`)

// Acquire implements store.Checkpoints.
func (s *Store) Acquire(ctx context.Context, name, holder string, now time.Time, lease time.Duration) (state string, held bool, err error) {
	if err := check(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return "", false, err
	}
	row, err := acquireScript.Run(ctx, s.client, []string{s.keys.checkpoints}, name, holder, micros(now), micros(now.Add(lease))).Slice()
	if err != nil {
		return "", false, failed("acquire", err)
	}
	n, _ := row[0].(int64)
	state, _ = row[1].(string)
	return state, n == 1, nil
}

var saveScript = redis.NewScript(`
local name, holder, ends, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local c = redis.call('HGET', KEYS[1], name)
if not c or cjson.decode(c).h ~= holder then return 0 end
redis.call('HSET', KEYS[1], name, cjson.encode({h = holder, u = ends, s = state}))
return 1
`)

// Save implements store.Checkpoints.
func (s *Store) Save(ctx context.Context, name, holder, state string, until time.Time) error {
	if err := check(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return err
	}
	n, err := saveScript.Run(ctx, s.client, []string{s.keys.checkpoints}, name, holder, micros(until), state).Int()
	if err == nil && n == 0 {
		return store.ErrLeaseLost
	}
	return failed("save", err)
}
