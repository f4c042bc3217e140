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
)

// Check asks the server, or every master of a cluster, whether it is configured
// to keep what Record has acknowledged. The error names every setting that is
// not; it matches ErrNotDurable or ErrEvicts, or is that of the connection. A
// server that does not show its settings, as managed ones do not, passes: look
// them up there. Call it at start and log what it says.
func (s *Store) Check(ctx context.Context) error {
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
			continue // it may not be looked at
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
		faults = append(faults, fmt.Errorf("%w: appendonly is no", ErrNotDurable))
	case config["appendonly"] == "yes" && fsync != "" && fsync != "always":
		faults = append(faults, fmt.Errorf("%w: appendfsync is %s, not always", ErrNotDurable, fsync))
	}
	policy, bounded := config["maxmemory-policy"], config["maxmemory"] != "0"
	if bounded && policy != "" && policy != "noeviction" && !strings.HasPrefix(policy, "volatile-") { // no key of ours expires
		faults = append(faults, fmt.Errorf("%w: maxmemory-policy is %s", ErrEvicts, policy))
	}
	return errors.Join(faults...)
}
