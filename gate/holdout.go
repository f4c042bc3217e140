package gate

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/askonce/askonce/store"
)

// heldOut reports whether the user is in the study's holdout. The draw is the
// SHA-256 of study, NUL and user: it never changes, and two studies draw
// independently.
func heldOut(share float64, studyID, userID string) bool {
	return !inShare(draw("", studyID, userID), 1-share)
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

// inShare reports whether a draw is among the lowest fraction of all draws. The
// comparison is strict: of 2⁶⁴ draws, exactly fraction × 2⁶⁴ are lower.
func inShare(draw uint64, fraction float64) bool {
	return fraction >= 1 || draw < uint64(max(0, fraction)*0x1p64)
}
