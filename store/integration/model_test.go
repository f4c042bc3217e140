package integration

import (
	"os"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/storetest"
)

// TestModel compares every driver with the model of the contract. In a long run the
// settings of drivers that users have are compared as well.
func TestModel(t *testing.T) {
	t.Parallel()
	names := drivers
	if os.Getenv(longVariable) != "" {
		names = nil
	}
	eachDatabase(t, names, func(t *testing.T, d database) {
		storetest.RunModel(t, func(t *testing.T) func(t *testing.T) store.Store {
			prefix := d.fresh(t)
			return func(t *testing.T) store.Store { return d.store(t, prefix) }
		})
	})
}
