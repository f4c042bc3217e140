package integration

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/storetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	eachDatabase(t, nil, func(t *testing.T, d database) {
		storetest.Run(t, func(t *testing.T) store.Store { return migrated(t, d.open(t), d.dialect, prefix()) })
	})
}

func TestContractShared(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		storetest.RunShared(t, func(t *testing.T) func(t *testing.T) store.Store {
			name := prefix()
			return func(t *testing.T) store.Store { return migrated(t, d.open(t), d.dialect, name) }
		})
	})
}

func TestContractCached(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "mysql", "sqlite-modernc"}, func(t *testing.T, d database) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return store.Cached(migrated(t, d.open(t), d.dialect, prefix()), &store.CacheOptions{Open: time.Hour})
		})
	})
}
