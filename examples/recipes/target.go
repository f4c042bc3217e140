package recipes

import (
	"context"
	"time"

	"github.com/askonce/askonce/gate"
)

// An Account is what an app's session middleware puts into the request's context.
type Account struct {
	Paying bool
	Since  time.Time
}

// AccountKey is the key of the [Account] in the context.
type AccountKey struct{}

// Target returns options for Config.Gate that invite only paying customers whose account
// is older than 30 days, and only on their dashboard. The func is not called again for a
// click. With several studies, v.StudyID is the study to decide on, as Config.Studies
// names it.
func Target() *gate.Options {
	return &gate.Options{Target: func(ctx context.Context, v gate.Visitor) bool {
		a, ok := ctx.Value(AccountKey{}).(Account)
		return ok && v.Path == "/dashboard" && a.Paying && time.Since(a.Since) > 30*24*time.Hour
	}}
}
