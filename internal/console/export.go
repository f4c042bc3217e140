package console

import "net/http"

func (c *console) export(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}
