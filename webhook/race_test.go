//go:build race

package webhook_test

// raceDetector makes tests that only take processor time do fewer rounds: the
// detector finds no more in the twentieth round than in the fifth.
const raceDetector = true
