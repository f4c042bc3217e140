package webhook

import (
	"context"
	"sync"
	"time"
)

const (
	firstSkip   = 10 * time.Minute
	maxSkip     = 24 * time.Hour
	maxPoisoned = 10_000
)

// poison holds the interviews that this process could not record, because the
// app's code panics for them or the store refuses them. Each is left out of the
// walks for a while, longer each time.
type poison struct {
	mu    sync.Mutex
	items map[string]*poisoned // by interview id
}

type poisoned struct {
	until time.Time
	wait  time.Duration
}

// skips reports whether the interview is to be left out now.
func (p *poison) skips(interviewID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.items[interviewID]
	return ok && time.Now().Before(i.until)
}

// add notes a failure of the interview and reports whether it is the first.
func (p *poison) add(interviewID string) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, known := p.items[interviewID]
	if !known {
		if p.items == nil || len(p.items) >= maxPoisoned {
			p.items = map[string]*poisoned{}
		}
		i = &poisoned{wait: firstSkip / 2}
		p.items[interviewID] = i
	}
	i.wait = min(2*i.wait, maxSkip)
	i.until = time.Now().Add(i.wait)
	return !known
}

// forget removes an interview that was recorded after all.
func (p *poison) forget(interviewID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.items, interviewID)
}

func (h *Handler) logPoisoned(ctx context.Context, e event, result Result, err error) {
	h.log.ErrorContext(ctx, "askonce: interview cannot be recorded and is passed over", "interview", e.interviewID, "study", e.studyID, "reason", result, "err", err)
}
