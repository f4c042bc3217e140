package recipes

import (
	"net/http"

	"github.com/askonce/askonce/middleware"
)

// Preview returns options for askonce.Config.Middleware that show the prompt to staff,
// whatever their history, the holdout and pacing say. Their answers are not recorded. A
// cookie turns it on, because the prompt's endpoints receive it too, not only the page.
func Preview(isStaff func(*http.Request) bool) *middleware.Options {
	return &middleware.Options{Preview: func(r *http.Request) bool {
		_, err := r.Cookie("preview")
		return err == nil && isStaff(r)
	}}
}
