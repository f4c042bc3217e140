package others

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/rest"
)

func TestGoZero(t *testing.T) {
	t.Parallel()
	logx.Disable()
	server, err := rest.NewServer(rest.RestConf{Host: "127.0.0.1", Port: 1, MaxBytes: 1 << 20})
	require.NoError(t, err)
	prompt := newPrompt(t)
	hook, s := newHook(t)
	server.Use(rest.ToMiddleware(prompt.Handler))
	server.AddRoutes([]rest.Route{
		{Method: http.MethodGet, Path: "/page", Handler: servePage},
		{Method: http.MethodPost, Path: hookPath, Handler: hook.ServeHTTP},
		{Method: http.MethodGet, Path: "/askonce/:endpoint", Handler: prompt.Endpoints().ServeHTTP},
		{Method: http.MethodPost, Path: "/askonce/:endpoint", Handler: prompt.Endpoints().ServeHTTP},
	})
	serverless, err := rest.NewServerless(server)
	require.NoError(t, err)
	web := httptest.NewServer(http.HandlerFunc(serverless.Serve))
	defer web.Close()
	do := over(web.URL)

	requirePrompt(t, do, "/page")
	requireEndpoints(t, do, "ada")
	requireWebhook(t, do, s)
}
