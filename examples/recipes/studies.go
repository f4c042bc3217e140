package recipes

import (
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
)

// Studies invites users to two studies by priority, one prompt at a time, with at least a
// week between prompts of different studies. Only a tenth of the users are invited to the
// second study, whose other options are those of the first.
func Studies(cfg askonce.Config) (*askonce.Kit, error) {
	cfg.Studies = []string{"Checkout", "Onboarding"}
	cfg.Gate = &gate.Options{CoolDown: 7 * 24 * time.Hour}
	onboarding := *cfg.Gate
	onboarding.Holdout = 0.9
	cfg.StudyGates = map[string]*gate.Options{"Onboarding": &onboarding}
	return askonce.New(cfg)
}
