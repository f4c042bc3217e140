//go:build race

package browser

// raceDetector leaves out what takes long: it finds no race that the other
// tests do not, and takes minutes.
const raceDetector = true
