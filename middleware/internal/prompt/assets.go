package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"time"
)

// An asset is a file that browsers load. The path of the prompt's own assets
// changes with their content.
type asset struct {
	path        string
	stem, ext   string // what the path is made of, besides the hash
	contentType string
	body        []byte
}

// newAssets returns the style sheet, the script, and the client for single-page
// apps with its types.
func newAssets(base string) []asset {
	return []asset{
		hashed(base, "prompt", ".css", "text/css; charset=utf-8", file("prompt.min.css")),
		hashed(base, "prompt", ".js", "text/javascript; charset=utf-8", file("prompt.min.js")),
		{path: base + "askonce.js", contentType: "text/javascript; charset=utf-8", body: file("askonce.min.js")},
		{path: base + "askonce.d.ts", contentType: "application/typescript; charset=utf-8", body: file("askonce.d.ts")},
	}
}

func hashed(base, stem, ext, contentType string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{base + stem + "-" + hex.EncodeToString(sum[:6]) + ext, base + stem + "-", ext, contentType, body}
}

func file(name string) []byte {
	b, err := ui.ReadFile(path.Join("ui", name))
	if err != nil {
		panic(err) // it is embedded
	}
	return b
}

// Asset returns the handler of the asset with this URL path, or nil if there is
// none. A path with another hash is that of another version, which a page may
// name that a replica has served before or after a deployment: the current asset
// answers it, but no cache may keep it under that name.
func (r *Renderer) Asset(path string) http.Handler {
	for _, a := range r.assets {
		if path == a.path && a.ext != "" {
			return a.handler("public, max-age=31536000, immutable")
		}
		if path == a.path || a.ext != "" && strings.HasPrefix(path, a.stem) && strings.HasSuffix(path, a.ext) && isHash(path[len(a.stem):max(len(a.stem), len(path)-len(a.ext))]) {
			return a.handler("no-cache")
		}
	}
	return nil
}

func isHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 12
}

func (a asset) handler(cacheControl string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", a.contentType)
		h.Set("Cache-Control", cacheControl)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin") // for pages with Cross-Origin-Embedder-Policy
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
}
