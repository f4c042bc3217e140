package gate

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/askonce/askonce/store"
)

// sampled reports whether the user is in the study's sample of this fraction.
// The draw is SHA-256 of study, NUL and user: the same for ever, and
// independent between studies.
func sampled(fraction float64, studyID, userID string) bool {
	return fraction >= 1 || fraction > 0 && draw("", studyID, userID) < threshold(fraction)
}

// draw is uniform over all 64-bit numbers.
func draw(purpose, studyID, userID string) uint64 {
	var buf [20 + 2*store.MaxIDLen]byte
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
	return uint64(max(0, min(fraction, 1-0x1p-53)) * 0x1p64)
}
