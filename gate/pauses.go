package gate

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/store"
)

// A switch takes effect on every replica within 10 seconds: an answer of the store is
// used for pauseStale, and refreshed in the background from pauseFresh on.
const (
	pauseFresh   = 4 * time.Second
	pauseStale   = 9 * time.Second
	pauseTimeout = 5 * time.Second
)

// pauses caches which studies are paused by an operator.
type pauses struct {
	gate       *Gate
	switches   store.Switches
	latest     atomic.Pointer[paused]
	refreshing atomic.Bool
	flight     singleflight.Group
}

// paused is one answer of the store. It is immutable.
type paused struct {
	readAt time.Time
	all    bool
	names  map[string]struct{} // the switches that are on
}

// isNotPaused waits for the store only if nothing recent is known.
func (q *question) isNotPaused(ctx context.Context) (bool, error) {
	p := q.gate.pauses
	if p == nil {
		return true, nil
	}
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	s, age := p.latest.Load(), pauseStale
	if s != nil {
		age = q.now.Sub(s.readAt).Abs()
	}
	switch {
	case age >= pauseStale:
		var err error
		if s, err = lookUp(ctx, q, "Switches", p.read); err != nil {
			return false, err
		}
	case age >= pauseFresh && p.refreshing.CompareAndSwap(false, true):
		go p.refresh()
	}
	if s.all || len(s.names) == 0 {
		return !s.all, nil
	}
	_, is := s.names[store.PauseSwitch(q.study.ID)]
	return !is, nil
}

func (p *pauses) refresh() {
	defer p.refreshing.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), pauseTimeout)
	defer cancel()
	var err error // a failure matters only once the last answer is too old
	defer p.gate.recovered("the store's Switches", &err)
	_, err = p.read(ctx)
}

// read reads the switches. Concurrent calls share one look-up.
func (p *pauses) read(ctx context.Context) (*paused, error) {
	v, err, _ := p.flight.Do("", func() (_ any, err error) {
		defer p.gate.recovered("the store's Switches", &err)
		s := &paused{readAt: time.Now(), names: map[string]struct{}{}}
		all, err := p.switches.Switches(ctx)
		if err != nil {
			return nil, err
		}
		for _, sw := range all {
			if sw.On {
				s.names[sw.Name] = struct{}{}
			}
		}
		_, s.all = s.names[store.PauseAll]
		p.latest.Store(s)
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*paused), nil
}
