package console

import "net/http"

func (c *console) interviews(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "interviews", nil)
}

func (c *console) interview(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "interview", nil)
}
