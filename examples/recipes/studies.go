package recipes

import (
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
)

// Studies invites to two studies by priority, one prompt at a time. After a
// prompt of one study a week passes before a prompt of the other. Of all users a
// tenth is invited to the second, whose options are otherwise those of the first.
func Studies(cfg askonce.Config) (*askonce.Kit, error) {
	cfg.Studies = []string{"Checkout", "Onboarding"}
	cfg.Gate = &gate.Options{CoolDown: 7 * 24 * time.Hour}
	onboarding := *cfg.Gate
	onboarding.Holdout = 0.9
	cfg.StudyGates = map[string]*gate.Options{"Onboarding": &onboarding}
	return askonce.New(cfg)
}
