package console

import "net/http"

const (
	previewCookie = "preview" // as in examples/recipes/preview.go
	previewTime   = 3600      // in seconds
)

// A preview says whether staff see the prompt in this browser whatever they have
// answered. It is up to the app's middleware.Options.Preview.
type preview struct {
	On     bool
	Wanted bool // the console has set the cookie
}

// previewOf returns nil in a process that serves no pages.
func (c *console) previewOf(r *http.Request) *preview {
	if c.Middleware == nil {
		return nil
	}
	_, err := r.Cookie(previewCookie)
	return &preview{On: c.Middleware.IsPreview(r), Wanted: err == nil}
}

// preview is the action that turns previews on in this browser, or off.
func (c *console) preview(w http.ResponseWriter, r *http.Request) {
	if !isSwitch(r) {
		c.done(w, r, "people", "invalid")
		return
	}
	cookie := &http.Cookie{Name: previewCookie, Value: "1", Path: "/", MaxAge: previewTime, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode}
	code := "preview-on"
	if r.PostFormValue("on") != "true" {
		cookie.MaxAge, code = -1, "preview-off"
	}
	http.SetCookie(w, cookie)
	c.done(w, r, "people", code)
}
