//go:build race

package webhook_test

// raceDetector says that what only takes processor time is tested with less of
// it: the detector finds no more in the twentieth round than in the fifth.
const raceDetector = true
