// Package adaptertest holds what the tests of the adapters share: the tests for every
// framework, and those for both versions of Echo, whose APIs differ only in types. Tests
// for one framework or version are beside its adapter. The package imports no framework.
package adaptertest
