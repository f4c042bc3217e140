//go:build !cgo

package integration

const cgo = false
