package console

import "net/http"

func (c *console) deliveries(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "deliveries", nil)
}
