package others

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	const shout, count = "/others.v1.Others/Shout", "/others.v1.Others/Count"
	mux := http.NewServeMux()
	mux.Handle(shout, connect.NewUnaryHandler(shout, func(_ context.Context, r *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
		return connect.NewResponse(wrapperspb.String(strings.ToUpper(r.Msg.GetValue()))), nil
	}, connect.WithIdempotency(connect.IdempotencyNoSideEffects)))
	mux.Handle(count, connect.NewServerStreamHandler(count, func(_ context.Context, r *connect.Request[wrapperspb.Int64Value], s *connect.ServerStream[wrapperspb.Int64Value]) error {
		for i := range r.Msg.GetValue() {
			if err := s.Send(wrapperspb.Int64(i)); err != nil {
				return err
			}
		}
		return nil
	}))
	mux.HandleFunc("GET /page", servePage)
	hook, s := newHook(t)
	mux.Handle("POST "+hookPath, hook)
	server := httptest.NewServer(newPrompt(t).Handler(mux))
	defer server.Close()
	do := over(server.URL)

	requirePrompt(t, do, "/page")
	requireEndpoints(t, do, "ada")
	requireWebhook(t, do, s)

	// A page's own script sends the user's cookie along with its calls.
	asAda := connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			r.Header().Set("X-User", "ada")
			return next(ctx, r)
		}
	}))
	for name, opts := range map[string][]connect.ClientOption{
		"POST": {asAda}, "GET": {asAda, connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects)},
	} {
		c := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](server.Client(), server.URL+shout, opts...)
		resp, err := c.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("</body></html>")))
		require.NoError(t, err, name)
		require.Equal(t, "</BODY></HTML>", resp.Msg.GetValue(), name)
	}
	c := connect.NewClient[wrapperspb.Int64Value, wrapperspb.Int64Value](server.Client(), server.URL+count)
	stream, err := c.CallServerStream(t.Context(), connect.NewRequest(wrapperspb.Int64(3)))
	require.NoError(t, err)
	n := int64(0)
	for ; stream.Receive(); n++ {
		require.Equal(t, n, stream.Msg().GetValue())
	}
	require.NoError(t, stream.Err())
	require.EqualValues(t, 3, n)
}
