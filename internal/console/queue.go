package console

import "net/http"

func (c *console) queue(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "queue", nil)
}
