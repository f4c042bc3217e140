package gate

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/askonce/askonce/store"
)

// sampled reports whether the user is in the study's sample. The draw is
// SHA-256 of study, NUL and user: the same for ever, and independent between
// studies.
func (g *Gate) sampled(studyID, userID string) bool {
	return g.opts.Sample == 1 || draw("", studyID, userID) < threshold(g.opts.Sample)
}

// paced reports whether the user is within the share that the study's places
// can still serve. Its draw is another than the sample's, or the two would cut
// the same users.
func (g *Gate) paced(e *entry, userID string) bool {
	left := e.places()
	if g.opts.ExpectedUptake == 0 || left < 0 {
		return true
	}
	share := float64(left) / g.opts.ExpectedUptake / float64(g.opts.Audience)
	return share >= 1 || draw("pace\x00", e.study.ID, userID) < threshold(share)
}

// draw is uniform over all 64-bit numbers.
func draw(purpose, studyID, userID string) uint64 {
	var buf [16 + 2*store.MaxIDLen]byte
	b := append(buf[:0], purpose...)
	b = append(b, studyID...)
	b = append(b, 0)
	b = append(b, userID...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// threshold is the number below which a fraction of all draws lie. A fraction
// of 1 is the caller's: no 64-bit number has all draws below it.
func threshold(fraction float64) uint64 {
	return uint64(max(0, min(fraction, 1-0x1p-53)) * math.Exp2(64))
}
