package redisstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
)

func Example() {
	client := redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDR"), ContextTimeoutEnabled: true})
	defer client.Close()
	done, err := redisstore.New(client, &redisstore.Options{Prefix: "myapp"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := done.Check(ctx); err != nil { // serve all the same, but let somebody know
		slog.Warn("redis is not set up to keep completions", "err", err)
	}
	asked := store.NewCached(done, nil) // a page view seldom reaches Redis
	_ = asked                           // hand it to gate.New and webhook.NewHandler
	// Output:
}

// A wrong way: the braces that make a hash tag of the prefix are put around it
// here. A prefix that has its own would spread the keys over a cluster.
func ExampleOptions_braces() {
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	_, err := redisstore.New(client, &redisstore.Options{Prefix: "{myapp}"})
	fmt.Println(err)
	// Output: redisstore: Options.Prefix must be 1 to 64 letters, digits, dashes, underscores, dots or colons
}
