package recipes

import (
	"fmt"
	"net/http"
)

const branded = `<!doctype html>
<html lang="en"><title>Home</title>
<style>
.askonce {
  --askonce-accent: #b4481e;       /* the button; its text is made readable */
  --askonce-background: #fffdf7;   /* defaults to a shade that suits the page */
  --askonce-font: Georgia, serif;  /* defaults to the page's */
  --askonce-radius: 0.25rem;
  --askonce-offset: 2rem;          /* from the window's edge */
  --askonce-z: 50;                 /* the z-index */
}
</style>
<body><h1>Home</h1></body></html>
`

// Branded serves a page that styles the prompt with the six custom properties that the
// prompt's style sheet reads.
func Branded(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, branded)
}
