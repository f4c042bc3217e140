package recipes

import (
	"fmt"
	"net/http"

	"github.com/askonce/askonce/middleware"
)

const singlePage = `<!doctype html>
<html lang="en"><title>App</title><body><main id="app"></main>
<script type="module">
import { createAskonce } from "/askonce/askonce.js";
const askonce = createAskonce();
const d = await askonce.decide();
if (d.ask) { // else d.reason says why
  const a = Object.assign(document.createElement("a"), { href: d.links.start, target: "_blank", rel: "noopener", textContent: d.texts.title });
  const later = Object.assign(document.createElement("button"), { textContent: d.texts.later });
  later.onclick = () => { askonce.later(d); a.remove(); later.remove(); };
  document.body.append(a, later);
  askonce.observe(a, d); // reports that the user has seen it
}
</script>
</body></html>
`

// SinglePage serves an app that renders the prompt itself, with the JavaScript client that
// the endpoints serve. It mounts only the endpoints, so nothing is injected. Mount them at
// their full path, for all methods, on the origin of the app's pages.
//
// An app with bearer tokens calls decide with {headers: {Authorization: "Bearer …"}}. The
// links of the decision then work without a token, for instance in a new tab, so mount the
// endpoints outside the API's token check. For a "Give feedback" item, pass the study
// to decide: then d.links.start is set even if the user would not be asked.
//
// A page that goes through Kit.Handler instead keeps the prompt of the user who loaded it.
// Reload it when a user signs in or out.
func SinglePage(m *middleware.Middleware) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/askonce/", m.Endpoints())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, singlePage)
	})
	return mux
}
