package recipes

import (
	"fmt"
	"net/http"
)

const branded = `<!doctype html>
<html lang="en"><title>Home</title>
<style>
.askonce {
  --askonce-background: #fffdf7;   --askonce-color: #2b2118;
  --askonce-muted: #7a6a58;        --askonce-border: #e6d9c4;
  --askonce-accent: #b4481e;       --askonce-accent-color: #ffffff; /* the button and its text */
  --askonce-font: Georgia, serif;  --askonce-radius: 0.25rem;
  --askonce-offset: 2rem;          --askonce-z: 50; /* from the page's edge; above the page */
}
</style>
<body><h1>Home</h1></body></html>
`

// Branded is a page that gives the prompt its own colours, font and place with
// the ten custom properties that the prompt's style sheet reads.
func Branded(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, branded)
}
