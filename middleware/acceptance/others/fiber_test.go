package others

import (
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/stretchr/testify/require"
)

func TestFiber(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	prompt := newPrompt(t)
	hook, s := newHook(t)
	app.Post(hookPath, adaptor.HTTPHandler(hook))
	app.All("/askonce/*", adaptor.HTTPHandler(prompt.Endpoints()))
	servePage := func(c fiber.Ctx) error {
		c.Set("Content-Type", htmlType)
		return c.SendString(page)
	}
	app.Get("/page", servePage)
	app.Get("/wrapped", adaptor.HTTPMiddleware(prompt.Handler), servePage)
	do := func(r *http.Request) (*http.Response, error) { return app.Test(r) }

	requireWebhook(t, do, s)
	requireEndpoints(t, do, "ada")
	for _, path := range []string{"/page", "/wrapped"} {
		_, body := get(t, do, path, "ada")
		require.Equal(t, page, body, "the adaptor throws the middleware's writer away")
	}
}
