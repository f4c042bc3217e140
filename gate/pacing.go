package gate

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// pace limits invitations to a study that is nearly full. It invites another user while
// the outstanding invitations are fewer than the places left need at the expected
// uptake.
//
// An invitation is outstanding for about a day: users who first saw the prompt today
// count in full, and those of yesterday count less as today passes. So an invitation that
// leads to no interview is replaced. The number of replacements follows from the uptake
// so far, so that a study fills even if its uptake is lower than expected. Only the
// current period of the study's limit counts.
//
// With [store.Interactions] these users are counted in the store, across replicas and
// restarts. The count is read again for each user who would be invited, of whom there are
// few. Pages do not write, so a user counts there only once the prompt was seen. Until
// then the process that invited the user counts the user itself, and invites few users
// within a minute, because other replicas do not know of them yet.
type pace struct {
	uptake float64
	local  bool          // the store cannot count
	turn   chan struct{} // held by the decision that invites

	seed    maphash.Seed
	mu      sync.Mutex
	since   time.Time           // the period of the counts below
	invited map[uint64]struct{} // in this period by this process, by a hash of the user's id

	readAt      time.Time // when the store was last read
	day         time.Time // the day that today means below
	today       int       // users who were first shown the prompt today
	yesterday   int
	before      int // and earlier in this period
	unseen      int // users invited today who, as far as is known, have not seen the prompt yet
	latest      int // those of them invited within about the last minute
	lastInvited time.Time
}

const (
	// maxInvited bounds the memory to about 4 MB. A study that needs more users is
	// not near its limit.
	maxInvited = 100_000
	countFor   = 5 * time.Second // how long a count that leaves no room is used
	latestFor  = time.Minute     // by then a prompt was seen, or its page was left too soon

	// priorWeight is how many completions the expected uptake counts for, beside the
	// actual ones.
	priorWeight = 2
)

func newPace(uptake float64, local bool) *pace {
	return &pace{
		uptake: uptake, local: local, turn: make(chan struct{}, 1),
		seed: maphash.MakeSeed(), invited: map[uint64]struct{}{},
	}
}

// isInvited reports whether the visitor is invited already, or needs no pacing: the study
// has no limit, or no places left, which is another check's refusal.
func (p *pace) isInvited(q *question) bool {
	s := q.study
	if s.places <= 0 || float64(s.places)/p.uptake > maxInvited || lastShown(&q.seen).After(s.since) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, is := p.invited[p.hash(q.visitor.UserID)]
	return is && !s.since.After(p.since)
}

// mayPass reports whether the visitor may be invited, as far as is known without reading
// the store. It invites nobody.
func (p *pace) mayPass(q *question) bool {
	if p.isInvited(q) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.local || q.now.Sub(p.readAt).Abs() < countFor
	return !known || p.hasRoom(q.study, q.now)
}

// admit invites and counts a visitor who has passed every check. The reason is ReasonPaced
// if there is no room.
func (p *pace) admit(ctx context.Context, q *question) (Reason, error) {
	if p.isInvited(q) {
		return ReasonEligible, nil
	}
	wait, cancel := context.WithDeadline(ctx, q.deadline())
	defer cancel()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-wait.Done():
		return ReasonUnavailable, fmt.Errorf("gate: no time left for pacing: %w", wait.Err())
	}
	if !p.mayPass(q) {
		return ReasonPaced, nil
	}
	if err := p.count(ctx, q); err != nil {
		return ReasonUnavailable, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hasRoom(q.study, q.now) {
		return ReasonPaced, nil
	}
	p.invited[p.hash(q.visitor.UserID)] = struct{}{}
	p.unseen++
	p.latest++
	p.lastInvited = q.now
	return ReasonEligible, nil
}

// count brings the counts up to date.
func (p *pace) count(ctx context.Context, q *question) error {
	day := store.Day(q.now)
	var days []store.FunnelDay
	if !p.local {
		id, since, persons := q.study.ID, q.study.since, q.gate.persons
		var err error
		days, err = lookUp(ctx, q, "Funnel", func(ctx context.Context) ([]store.FunnelDay, error) {
			return persons.Funnel(ctx, id, since, day.AddDate(0, 0, 1))
		})
		if err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.study.since.After(p.since) { // invitations of the last period no longer count
		p.since, p.today, p.yesterday, p.before, p.unseen, p.latest = q.study.since, 0, 0, 0, 0, 0
		clear(p.invited)
	}
	p.turnTo(day)
	if p.local {
		p.today, p.unseen = p.today+p.unseen, 0
		return nil
	}
	var today int
	p.yesterday, p.before = 0, 0
	for _, d := range days {
		switch {
		case d.Day.Equal(day):
			today = d.Shown
		case d.Day.Equal(day.AddDate(0, 0, -1)):
			p.yesterday = d.Shown
		default:
			p.before += d.Shown
		}
	}
	if today >= p.today+p.unseen {
		p.today, p.unseen, p.latest = today, 0, 0
	}
	if q.now.Sub(p.lastInvited) > latestFor {
		p.latest = 0
	}
	p.readAt = q.now
	return nil
}

// turnTo starts a new day. It is called with mu held.
func (p *pace) turnTo(day time.Time) {
	if day.Equal(p.day) {
		return
	}
	p.before += p.yesterday
	p.yesterday = p.today + p.unseen
	if !day.AddDate(0, 0, -1).Equal(p.day) {
		p.before, p.yesterday = p.before+p.yesterday, 0
	}
	p.day, p.today, p.unseen, p.latest = day, 0, 0, 0
}

// hasRoom reports whether to invite another user. It is called with mu held.
func (p *pace) hasRoom(s *study, now time.Time) bool {
	if s.since.After(p.since) {
		return s.places > 0
	}
	today, yesterday, before := float64(p.today+p.unseen), float64(p.yesterday), float64(p.before)
	day := store.Day(now)
	if !day.Equal(p.day) { // the counts are yesterday's
		today, yesterday, before = 0, today, before+yesterday
	}
	left := 1 - float64(now.Sub(day))/float64(24*time.Hour) // of today
	lapsed := before + yesterday*(1-left)
	uptake := min(p.uptake, (float64(s.used)+priorWeight)/(lapsed+priorWeight/p.uptake))
	room := math.Ceil(float64(s.places)/uptake) - math.Round(today+yesterday*left)
	return room > 0 && (p.local || float64(p.latest) < max(1, math.Floor(room/4)))
}

func (p *pace) hash(userID string) uint64 { return maphash.String(p.seed, userID) }
