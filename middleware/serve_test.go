package middleware_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// A request that gets no prompt reaches the handler unchanged. For one that cannot get
// a prompt, the user func is not called.
func TestNoPromptIsHandedOn(t *testing.T) {
	t.Parallel()
	noUser := func(*http.Request) string {
		t.Error("the user was looked up")
		return ""
	}
	user := func(id string) func(*http.Request) string { return func(*http.Request) string { return id } }
	for name, tt := range map[string]struct {
		d    gate.Decider
		user func(*http.Request) string
		r    *http.Request
	}{
		"not a page": {askEveryone{}, noUser, pageRequest("Accept", "*/*")},
		"anonymous":  {askEveryone{}, user(""), pageRequest()},
		"not asked":  {askNobody{}, user("ada"), pageRequest("If-None-Match", `"v1"`, "Accept-Encoding", "gzip")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := middleware.New(tt.d, tt.user, nil)
			require.NoError(t, err)
			w := &struct{ http.ResponseWriter }{} // whose methods must not be called
			called := false
			m.Handler(http.HandlerFunc(func(gotW http.ResponseWriter, gotR *http.Request) {
				called = true
				require.Same(t, w, gotW)
				require.Same(t, tt.r, gotR)
			})).ServeHTTP(w, tt.r)
			require.True(t, called)
		})
	}
}
