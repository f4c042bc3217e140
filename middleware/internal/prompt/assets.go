package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// An asset is an embedded file under a name that changes with its content.
type asset struct {
	path, contentType string
	body              []byte
}

type assets struct{ style, script asset }

func newAssets(path string) assets {
	return assets{
		style:  newAsset(path, "prompt", ".css", "text/css; charset=utf-8"),
		script: newAsset(path, "prompt", ".js", "text/javascript; charset=utf-8"),
	}
}

func newAsset(path, name, ext, contentType string) asset {
	body, err := ui.ReadFile("ui/" + name + ext)
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(body)
	return asset{path + name + "-" + hex.EncodeToString(sum[:6]) + ext, contentType, body}
}

// Asset returns the handler of the asset with this URL path, or nil if there is
// none.
func (r *Renderer) Asset(path string) http.Handler {
	for _, a := range []asset{r.assets.style, r.assets.script} {
		if a.path == path {
			return http.HandlerFunc(a.serve)
		}
	}
	return nil
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
