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

// An asset is a file that browsers load.
type asset struct {
	path        string
	stem, ext   string // of a path with a hash of the content between them, else empty
	contentType string
	body        []byte
}

// The indexes of the prompt's own assets.
const style, script = 0, 1

// newAssets returns the style sheet, the script, and the client for single-page apps with
// its types.
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

// Asset returns the handler of the asset with this URL path, or nil if there is none. A
// page that a replica of another version has served names another hash. It gets the
// current asset, but no cache may keep it under that name.
func (r *Renderer) Asset(path string) http.Handler {
	for _, a := range r.assets {
		switch {
		case path == a.path && a.ext != "":
			return a.handler("public, max-age=31536000, immutable")
		case path == a.path, a.isOtherVersion(path):
			return a.handler("no-cache")
		}
	}
	return nil
}

func (a asset) isOtherVersion(path string) bool {
	rest, hasStem := strings.CutPrefix(path, a.stem)
	hash, hasExt := strings.CutSuffix(rest, a.ext)
	_, err := hex.DecodeString(hash)
	return a.ext != "" && hasStem && hasExt && len(hash) == 12 && err == nil
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
