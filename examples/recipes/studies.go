package recipes

import (
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
)

// Studies invites to two studies by priority, one prompt at a time. After a
// prompt of one study a week passes before a prompt of the other.
func Studies(cfg askonce.Config) (*askonce.Kit, error) {
	cfg.Studies = []string{"Checkout", "Onboarding"}
	cfg.Gate = &gate.Options{CoolDown: 7 * 24 * time.Hour}
	return askonce.New(cfg)
}
