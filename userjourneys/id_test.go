package userjourneys_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
)

func TestCanonicalID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"E5F6A7B8-1234-56CD-EF78-222222222222":   "e5f6a7b8-1234-56cd-ef78-222222222222",
		"e5f6a7b8-1234-56cd-ef78-222222222222":   "e5f6a7b8-1234-56cd-ef78-222222222222",
		"E5f6A7b8-1234-56Cd-eF78-222222222222":   "e5f6a7b8-1234-56cd-ef78-222222222222",
		"G5F6A7B8-1234-56CD-EF78-222222222222":   "G5F6A7B8-1234-56CD-EF78-222222222222",
		"E5F6A7B81-234-56CD-EF78-222222222222":   "E5F6A7B81-234-56CD-EF78-222222222222",
		"E5F6A7B8-1234-56CD-EF78-2222222222222":  "E5F6A7B8-1234-56CD-EF78-2222222222222",
		"{E5F6A7B8-1234-56CD-EF78-222222222222}": "{E5F6A7B8-1234-56CD-EF78-222222222222}",
		"E5F6A7B8123456CDEF78222222222222":       "E5F6A7B8123456CDEF78222222222222",
		"int_9F8K-2":                             "int_9F8K-2",
		"":                                       "",
	} {
		require.Equal(t, want, userjourneys.CanonicalID(id))
	}
}
