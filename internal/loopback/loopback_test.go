package loopback_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/internal/loopback"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"http://localhost":             true,
		"http://localhost:8080/hook":   true,
		"http://127.0.0.1":             true,
		"http://127.1.2.3:1":           true,
		"https://[::1]:1":              true,
		"http://localhost.example.com": false,
		"http://127.0.0.1.example.com": false,
		"http://192.168.0.1":           false,
		"http://[::]":                  false,
		"http://0.0.0.0":               false,
		"/hook":                        false,
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want, loopback.URL(u), raw)
	}
}

func TestSecure(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://example.com":   true,
		"https://127.0.0.1":     true,
		"http://localhost:8080": true,
		"http://[::1]/hook":     true,
		"http://example.com":    false,
		"ftp://localhost":       false,
		"//localhost":           false,
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want, loopback.Secure(u), raw)
	}
}
