package middleware_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

func TestParseKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want middleware.Keys
		err  string
	}{
		"a variable that is not set": {"", nil, ""},
		"a pair":                     {"00ff,0A", middleware.Keys{{0, 255}, {10}}, ""},
		"with spaces and a line end": {"00ff, 0a\n", middleware.Keys{{0, 255}, {10}}, ""},
		"not in hex":                 {"00ff,secret", nil, "key 1 is not in hex"},
		"half a byte":                {"00f,0a", nil, "key 0 is not in hex"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := middleware.ParseKeys(tt.text)
			require.Equal(t, tt.want, keys)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "middleware: ParseKeys: "+tt.err)
		})
	}
}
