package store_test

import (
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/storetest"
)

func TestMemoryContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return store.NewMemory() })
}
