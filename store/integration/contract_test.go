package integration

import (
	"os"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/storetest"
)

// TestContract runs the suite with every driver, and in a long run with all
// settings.
func TestContract(t *testing.T) {
	t.Parallel()
	names := drivers
	if os.Getenv(longVariable) != "" {
		names = nil
	}
	eachDatabase(t, names, func(t *testing.T, d database) {
		storetest.Run(t, func(t *testing.T) store.Store { return d.store(t, d.fresh(t)) })
	})
}

// TestContractShared is short, so it runs with all settings.
func TestContractShared(t *testing.T) {
	t.Parallel()
	eachDatabase(t, nil, func(t *testing.T, d database) {
		storetest.RunShared(t, func(t *testing.T) func(t *testing.T) store.Store {
			prefix := d.fresh(t)
			return func(t *testing.T) store.Store { return d.store(t, prefix) }
		})
	})
}

// TestContractCached uses the fastest driver. Package store runs the suite through
// its cache as well.
func TestContractCached(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"sqlite-mattn"}, func(t *testing.T, d database) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return store.NewCached(d.store(t, d.fresh(t)), &store.CacheOptions{Open: time.Hour})
		})
	})
}
