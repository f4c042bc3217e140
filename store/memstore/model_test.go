package memstore_test

import (
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
)

func TestModel(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, func(*testing.T) func(*testing.T) store.Store {
		s := memstore.New()
		return func(*testing.T) store.Store { return unclosed{s} }
	})
}

// unclosed survives the closing of one of its handles.
type unclosed struct{ *memstore.Store }

func (unclosed) Close() error { return nil }

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}
