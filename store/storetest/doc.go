// Package storetest tests a store against the contract of package store.
//
// Call it from a test of the store's own package:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return mystore.New(freshDatabase(t))
//		})
//	}
//
// [Run] has a case for each sentence of the contract and prints that sentence when
// the case fails. It finds the optional capabilities with [store.As] and skips the
// cases of those that the store lacks. For a store that can be opened twice on the
// same data, [RunShared] tests what replicas and restarts rely on, and [RunModel]
// compares the results of random calls, sequential and concurrent, with a model of
// the contract. [RunDamaged] tests what a store does when its backend fails or has
// lost a part of its data. [Bench] measures a store.
//
// [WithHooks] is for tests of code that uses a store: it makes calls fail, or
// changes the store while a call is under way.
package storetest
