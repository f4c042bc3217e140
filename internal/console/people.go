package console

import "net/http"

func (c *console) people(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "people", nil)
}
