package askonce

import (
	"log/slog"
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

// Console returns the operator's pages: whether each study asks, and if not, why; a switch
// that pauses it; what users saw and answered; interviews with their transcripts; the
// queue; and the last deliveries. They need no JavaScript.
//
// Only requests for which allow returns true are served; others get a plain 404. Allow
// usually reads the session, and must be safe for concurrent use. A nil allow panics.
//
// Mount the console below a path that ends with a slash, with or without
// [http.StripPrefix]:
//
//	mux.Handle("/admin/askonce/", kit.Console(isAdmin))
//
// Actions are POST requests, checked by [http.CrossOriginProtection]. They are logged with
// the study or the interview, never with the user.
func (k *Kit) Console(allow func(*http.Request) bool) http.Handler {
	return Console(ConsoleParts{k.gates, k.webhook, k.store, k.middleware, k.log}, allow)
}

// ConsoleParts are the parts that a [Console] shows, for apps that wire them by hand. All
// but Middleware and Logger are required.
type ConsoleParts struct {
	Gates      *gate.Group
	Webhook    *webhook.Handler
	Store      store.Store            // the one that Gates and Webhook use
	Middleware *middleware.Middleware // nil in a process that serves no pages
	Logger     *slog.Logger           // defaults to slog.Default
}

// Console is [Kit.Console] for parts that are wired by hand. A nil allow or a missing
// part panics.
func Console(p ConsoleParts, allow func(*http.Request) bool) http.Handler {
	return console.New(console.Parts(p), allow)
}
