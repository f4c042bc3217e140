package recipes

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
)

// Studies asks for the first of two studies that has room for the user, and a
// week after one prompt at the earliest for the other one. One webhook serves
// both: tell both gates in webhook.Options.OnRecorded.
func Studies(uj gate.StudyFinder, done store.Store, user func(*http.Request) string, log *slog.Logger) (*middleware.Middleware, error) {
	checkout, err := gate.New(uj, "Checkout", done, &gate.Options{CoolDown: 7 * 24 * time.Hour, Logger: log})
	onboarding, err2 := gate.New(uj, "Onboarding", done, &gate.Options{CoolDown: 7 * 24 * time.Hour, Logger: log, Holdout: 0.9})
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return middleware.New(gate.First(checkout, onboarding), user, nil)
}
