package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/askonce/askonce/store"
)

// maxLeases is how many places at most are leased in the store. While a study has
// more, the holds of each process are enough.
const maxLeases = 20

// leases hold the last places of a study for users who have clicked, over all
// replicas. Each place is a checkpoint.
type leases struct{ checkpoints store.Checkpoints }

// take leases one of the study's places for the user. It reports false if others
// have leased all.
func (l leases) take(ctx context.Context, s *study, userID string) (bool, error) {
	holder, first := leaseHolder(s.ID, userID)
	for i := range s.places {
		_, taken, err := l.checkpoints.Acquire(ctx, leaseName(s.ID, (first+i)%s.places), holder, holdFor)
		if taken || err != nil {
			return taken, err
		}
	}
	return false, nil
}

// end gives back the place of a user who has completed the interview, which the
// provider counts from now on.
func (l leases) end(ctx context.Context, studyID, userID string) {
	holder, _ := leaseHolder(studyID, userID)
	for i := range maxLeases {
		// Another user holds it, or it ends by itself.
		_ = l.checkpoints.Release(ctx, leaseName(studyID, i), holder, "")
	}
}

func leaseName(studyID string, place int) string { return fmt.Sprintf("place/%s/%d", studyID, place) }

// leaseHolder returns a name for the user that does not show the id, and where the
// user begins to look for a place.
func leaseHolder(studyID, userID string) (name string, first int) {
	sum := sha256.Sum256([]byte("askonce place\x00" + studyID + "\x00" + userID))
	return hex.EncodeToString(sum[:16]), int(sum[16])
}

// hold holds a place for a visitor who has clicked. It reports false if there is
// none.
func (g *Gate) hold(ctx context.Context, q *question) (bool, error) {
	s, id := q.study, q.visitor.UserID
	if !g.holds.take(id, s, q.now()) {
		return false, nil
	}
	if g.leases.checkpoints == nil || s.places < 0 || s.places > maxLeases {
		return true, nil
	}
	taken, err := lookUp(ctx, q, "Acquire", func(ctx context.Context) (bool, error) { return g.leases.take(ctx, s, id) })
	if !taken {
		g.holds.drop(id)
	}
	return taken, err
}

// endHold ends the hold of a user who has completed the interview. It never blocks.
func (g *Gate) endHold(userID string, now time.Time) {
	g.holds.completed(userID, now)
	known := g.capacity.latest().known
	if g.leases.checkpoints == nil || userID == "" || known == nil || known.places < 0 || known.places > maxLeases {
		return
	}
	select {
	case g.lookups <- struct{}{}:
	default:
		return // the lease ends by itself
	}
	go func() {
		defer func() { <-g.lookups }()
		var err error // which changes nothing
		defer g.recovered("the store's Release", &err)
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		g.leases.end(ctx, known.ID, userID)
	}()
}
