package webhook

import (
	"time"

	"github.com/askonce/askonce/store"
)

// A Verdict is what [Options.Policy] makes of a completion: [Complete], [Snooze]
// or [Ignore]. The zero value is Complete.
type Verdict struct {
	ignore bool
	snooze time.Duration
}

// Complete returns the verdict that the user has completed the study for good.
func Complete() Verdict { return Verdict{} }

// Snooze returns the verdict that the user may be asked again once d has passed
// since the interview. A d of zero or less is the same as [Ignore].
func Snooze(d time.Duration) Verdict { return Verdict{ignore: d <= 0, snooze: d} }

// Ignore returns the verdict that the interview does not count: the user may be
// asked again at once. The interview is recorded all the same, and its
// transcript is fetched.
func Ignore() Verdict { return Verdict{ignore: true} }

// apply writes the verdict into c.
func (v Verdict) apply(c *store.Completion) {
	c.Ignored, c.Until = v.ignore, time.Time{}
	if v.snooze > 0 {
		c.Until = store.Instant(c.CompletedAt.Add(v.snooze))
	}
}
