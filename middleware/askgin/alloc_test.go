//go:build !race

package askgin_test

import (
	"testing"

	"github.com/askonce/askonce/middleware/askgin"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// The race detector makes sync.Pool forget at random, so this is not for it.
func TestNotAskedAllocatesNothing(t *testing.T) {
	page := func(*gin.Context) {}
	ask := askgin.New(adaptertest.New(t), func(*gin.Context) string { return "bob" })
	require.InDelta(t, adaptertest.Allocs(serve(page)), adaptertest.Allocs(serve(page, ask)), 0.5)
}
