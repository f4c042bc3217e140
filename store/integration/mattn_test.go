//go:build cgo

package integration

import _ "github.com/mattn/go-sqlite3"

const cgo = true
