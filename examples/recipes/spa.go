package recipes

import (
	"fmt"
	"net/http"

	"github.com/askonce/askonce/middleware"
)

const singlePage = `<!doctype html>
<html lang="en"><title>App</title><body><main id="app"></main>
<script>
fetch("/askonce/decision").then(r => r.json()).then(d => {
  if (!d.ask) return; // d.reason says why
  const a = Object.assign(document.createElement("a"), { href: d.links.start, target: "_blank", rel: "noopener", textContent: d.texts.title });
  const later = Object.assign(document.createElement("button"), { textContent: d.texts.later });
  later.onclick = () => { fetch(d.links.later, { method: "POST" }); a.remove(); later.remove(); };
  document.body.append(a, later);
});
</script>
</body></html>
`

// SinglePage serves an app that renders the prompt itself from the decision
// endpoint. Only the endpoints are mounted, and nothing is injected. An answer
// with "ask" counts as a showing, unless the request has the parameter peek.
func SinglePage(m *middleware.Middleware) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/askonce/", m.Endpoints())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, singlePage)
	})
	return mux
}
