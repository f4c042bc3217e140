package recipes

import (
	"net/http"

	"github.com/askonce/askonce/middleware"
)

// Preview is for askonce.Config.Middleware. It shows the prompt to staff whatever
// their history, the holdout and pacing say. Nothing of it is counted.
func Preview(isStaff func(*http.Request) bool) *middleware.Options {
	return &middleware.Options{Preview: func(r *http.Request) bool {
		return isStaff(r) && r.URL.Query().Has("preview")
	}}
}
