// Package adaptertest holds what the tests of the adapters share: the tests that hold
// for any framework, and all those of Echo, whose two lines differ in types alone. What
// only one framework or line has is tested beside its adapter. It imports no framework.
package adaptertest
