package webhook

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// inspector keeps the last deliveries for looking at.
type inspector struct {
	mu   sync.Mutex
	last []inspected // oldest first
}

type inspected struct {
	Delivery
	Header []string
	Body   string
}

const (
	inspectorKeeps = 100
	inspectorBody  = 8 << 10 // bytes
	inspectorLines = 50      // of a header
	inspectorDepth = 200
)

// Inspector returns a page with the last 100 deliveries, newest first: verdict,
// reason, header and body. It is for development, in the place of the public
// sites that show what was sent to them: from its first call on, the handler
// keeps those deliveries in memory, and whoever sees the page sees whom they are
// about. Most of a signature, cookies, credentials and e-mail addresses are left
// out. It has no protection of its own; nothing is kept or shown unless it is
// called.
func (h *Handler) Inspector() http.Handler {
	h.inspector.CompareAndSwap(nil, &inspector{})
	return http.HandlerFunc(h.inspector.Load().page)
}

func (h *Handler) inspect(r *http.Request, body []byte, d Delivery) {
	in := h.inspector.Load()
	if in == nil {
		return
	}
	i := inspected{Delivery: d, Header: redactedHeader(r.Header), Body: pretty(body)}
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.last) == inspectorKeeps {
		in.last = slices.Delete(in.last, 0, 1)
	}
	in.last = append(in.last, i)
}

func redactedHeader(h http.Header) []string {
	var lines []string
	for name, values := range h {
		for _, v := range values {
			if len(lines) == inspectorLines {
				return append(lines, "…")
			}
			switch {
			case name == signatureHeader:
				v = v[:min(len(v), len(scheme)+4)] + "…"
			case hasSecret.MatchString(name):
				v = "…"
			}
			lines = append(lines, name+": "+cut(redacted(v), 256))
		}
	}
	slices.Sort(lines)
	return lines
}

var (
	hasSecret = regexp.MustCompile(`(?i)auth|cookie|token|key|secret|session|signature`)
	email     = regexp.MustCompile(`[^\s"'<>@:,;]+(?:@|\\u0040)[^\s"'<>@:,;]+`)
)

// redacted is s without e-mail addresses, or what looks like one.
func redacted(s string) string {
	if !strings.Contains(s, "@") && !strings.Contains(s, `\u0040`) {
		return s // most of what is sent; the expression is slow
	}
	return email.ReplaceAllString(s, "…@…")
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

func pretty(body []byte) string {
	body = body[:min(len(body), inspectorBody+1)]
	// Indenting costs the square of the depth, which a stranger chooses.
	if bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) < inspectorDepth {
		var b bytes.Buffer
		if json.Indent(&b, body, "", "  ") == nil {
			body = b.Bytes()
		}
	}
	return cut(redacted(string(body)), inspectorBody)
}

var inspectorTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Deliveries</title></head>
<body>
<h1>Deliveries</h1>
<p>The last 100, newest first. For development: this page says whom they are about.</p>
{{range .}}<section>
<h2>{{.Result.Status}} {{.Result}}</h2>
<p>{{.ReceivedAt.Format "2006-01-02 15:04:05.000"}}, {{.Size}} bytes, {{.Duration}}</p>
<pre>{{range .Header}}{{.}}
{{end}}</pre>
<pre>{{.Body}}</pre>
</section>
{{else}}<p>None yet.</p>
{{end}}</body>
</html>
`))

func (in *inspector) page(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	in.mu.Lock()
	list := slices.Clone(in.last)
	in.mu.Unlock()
	slices.Reverse(list)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = inspectorTemplate.Execute(w, list) // the client is gone
}
