//go:build unix

package webhook_test

import (
	"path/filepath"
	"testing"

	"github.com/askonce/askonce/internal/crash"
	"github.com/askonce/askonce/store"
)

// TestCrash uses an append-only journal that is synced before each answer, because
// this module does not require the drivers of databases. store/integration has the
// same test for databases.
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
