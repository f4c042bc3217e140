package webhook

import (
	"time"

	"github.com/askonce/askonce/store"
)

// Verdict is what Options.Policy makes of a completion: Complete, Snooze or
// Ignore. The zero value is Complete.
type Verdict struct {
	ignore bool
	snooze time.Duration
}

// Complete lets the completion count for ever.
func Complete() Verdict { return Verdict{} }

// Snooze lets the user be asked again once d has passed since the interview.
// Nothing above zero is the same as Ignore.
func Snooze(d time.Duration) Verdict { return Verdict{ignore: d <= 0, snooze: d} }

// Ignore records the interview, and fetches its transcript, as nobody's: the
// user counts as one who has not been interviewed.
func Ignore() Verdict { return Verdict{ignore: true} }

func (v Verdict) apply(c *store.Completion) {
	switch {
	case v.ignore:
		c.UserID = ""
	case v.snooze > 0:
		c.Until = store.Instant(c.CompletedAt.Add(v.snooze))
	}
}
