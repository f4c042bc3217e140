package recipes

import (
	"net/http"

	"github.com/askonce/askonce/middleware"
)

// Preview is for askonce.Config.Middleware. It shows the prompt to staff whatever
// their history, the holdout and pacing say. What they answer is not recorded. A
// cookie turns it on, which the prompt's own endpoints get as well as the page.
func Preview(isStaff func(*http.Request) bool) *middleware.Options {
	return &middleware.Options{Preview: func(r *http.Request) bool {
		_, err := r.Cookie("preview")
		return err == nil && isStaff(r)
	}}
}
