package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Faults of a server's configuration, matched with errors.Is.
var (
	ErrNotDurable = errors.New("redisstore: the server may lose what it has acknowledged")
	ErrEvicts     = errors.New("redisstore: the server may forget who has completed what")
	ErrForbidden  = errors.New("redisstore: the server refuses commands that the store needs")
)

// needed calls every command that the store uses, on separate keys, and returns those
// that are refused. A refused command would stop a script halfway, and Redis does not roll
// scripts back.
var needed = redis.NewScript(`
local text, hash, zset = KEYS[1], KEYS[2], KEYS[3]
local refused = {}
for _, command in ipairs({
	{'TIME'}, {'SET', text, '1', 'EX', '60'}, {'GET', text}, {'EXISTS', text},
	{'HSET', hash, 'f', '1'}, {'HGET', hash, 'f'}, {'HMGET', hash, 'f'}, {'HGETALL', hash}, {'HEXISTS', hash, 'f'}, {'HINCRBY', hash, 'f', '1'}, {'HDEL', hash, 'f'},
	{'ZADD', zset, '0', 'm'}, {'ZRANGE', zset, '0', '0'}, {'ZSCORE', zset, 'm'}, {'ZRANGEBYLEX', zset, '-', '+'}, {'ZRANGEBYSCORE', zset, '-inf', '+inf'}, {'ZREM', zset, 'm'},
	{'DEL', text, hash, zset},
}) do
	local reply = redis.pcall(unpack(command))
	if type(reply) == 'table' and reply.err then table.insert(refused, command[1] .. ': ' .. reply.err) end
end
return refused
`)

// Check reports whether the server, or every master of a cluster, is configured to keep
// what Record has acknowledged, and whether the client's user may call every command that
// the store uses. The error names every wrong setting and refused command. It matches
// [ErrNotDurable], [ErrEvicts] or [ErrForbidden], or is an error of the connection. A
// server that hides its settings, like most managed ones, passes: check them with its
// operator. Call Check at startup and log its error.
func (s *Store) Check(ctx context.Context) error {
	return errors.Join(s.checkCommands(ctx), s.checkSettings(ctx))
}

func (s *Store) checkCommands(ctx context.Context) error {
	refused, err := needed.Run(ctx, s.client, []string{s.prefix + "check:text", s.prefix + "check:hash", s.prefix + "check:zset"}).StringSlice()
	var reply redis.Error
	if errors.As(err, &reply) {
		refused, err = []string{reply.Error()}, nil
	}
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("%w: %s", ErrForbidden, strings.Join(refused, "; "))
	}
	return failed("check", err)
}

func (s *Store) checkSettings(ctx context.Context) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return checkServer(ctx, s.client)
	}
	var mu sync.Mutex
	var all []error
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		err := checkServer(ctx, master)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err)
		return nil
	})
	return errors.Join(append(all, failed("check", err))...)
}

func checkServer(ctx context.Context, client redis.Cmdable) error {
	config := map[string]string{}
	for _, name := range []string{"appendonly", "appendfsync", "maxmemory", "maxmemory-policy"} {
		found, err := client.ConfigGet(ctx, name).Result()
		var refused redis.Error
		if errors.As(err, &refused) {
			continue // the server hides its settings
		}
		if err != nil {
			return failed("check", err)
		}
		for n, v := range found {
			config[n] = v
		}
	}
	var faults []error
	switch fsync := config["appendfsync"]; {
	case config["appendonly"] == "no":
		faults = append(faults, fmt.Errorf("%w: appendonly is no: set it to yes, and appendfsync to always", ErrNotDurable))
	case config["appendonly"] == "yes" && fsync != "" && fsync != "always":
		faults = append(faults, fmt.Errorf("%w: appendfsync is %s: set it to always", ErrNotDurable, fsync))
	}
	policy, bounded := config["maxmemory-policy"], config["maxmemory"] != "0"
	if bounded && policy != "" && policy != "noeviction" && !strings.HasPrefix(policy, "volatile-") { // no key of the store expires
		faults = append(faults, fmt.Errorf("%w: maxmemory-policy is %s: set it to noeviction", ErrEvicts, policy))
	}
	return errors.Join(faults...)
}
