//go:build unix

package webhook_test

import (
	"path/filepath"
	"testing"

	"github.com/askonce/askonce/internal/crash"
	"github.com/askonce/askonce/store"
)

// TestCrash uses an append-only journal that is synced before each answer: the
// databases' drivers are not among what this module requires. The same test of
// the databases is in store/integration.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := 20
	switch {
	case testing.Short():
		rounds = 2
	case raceDetector:
		rounds = 5
	}
	crash.Test(t, rounds, func(dir string) (store.Store, error) {
		return crash.OpenJournal(filepath.Join(dir, "completions.jsonl"))
	})
}
