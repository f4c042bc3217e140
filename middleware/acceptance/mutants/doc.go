// Package mutants breaks the adapters in every way that comes to mind, one at
// a time, and shows that the matrix or the adapter's own tests notice. By
// default it tries a few of the mutations; ASKONCE_MUTANTS=all tries all:
//
//	ASKONCE_MUTANTS=all go test -v -timeout 30m ./mutants
package mutants
