package storetest_test

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/stretchr/testify/require"
)

// plain has no optional capability.
type plain struct{ store.Store }

func TestStoreWithoutCapabilities(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return plain{memstore.New()} })
}

func BenchmarkMemory(b *testing.B) {
	storetest.Bench(b, func(*testing.B) store.Store { return memstore.New() })
}

func TestExamplesKeepTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return &myStore{interviews: map[string]store.Completion{}} })
	storetest.RunModel(t, func(*testing.T) func(*testing.T) store.Store {
		s := &myStore{interviews: map[string]store.Completion{}}
		return func(*testing.T) store.Store { return s }
	})
}

func TestSharedMemory(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, func(*testing.T) func(*testing.T) store.Store {
		m := memstore.New()
		return func(*testing.T) store.Store { return uncloseable{m} }
	})
}

// uncloseable is a store of which each handle may be closed.
type uncloseable struct{ *memstore.Store }

func (uncloseable) Close() error { return nil }

// TestBrokenStoresAreCaught runs the suite against each broken store in a
// process of its own and wants it to fail in the case that names the rule.
func TestBrokenStoresAreCaught(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	slots := make(chan struct{}, 2)
	for _, b := range slices.Concat(brokenStores, brokenInteractions) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			limit := "60s"
			if b.hangs {
				limit = "2s"
			}
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestBrokenStore$/"+b.caught, "-test.timeout="+limit, "-test.count=1")
			cmd.Env = append(os.Environ(), "STORETEST_BROKEN="+b.name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the suite passed a broken store:\n%s", out)
			if b.hangs {
				require.Contains(t, string(out), "test timed out")
				return
			}
			if !b.model {
				require.Contains(t, string(out), "the contract: ")
			}
		})
	}
}

// TestBrokenStore is what the child runs.
func TestBrokenStore(t *testing.T) {
	all := slices.Concat(brokenStores, brokenInteractions)
	i := slices.IndexFunc(all, func(b broken) bool { return b.name == os.Getenv("STORETEST_BROKEN") })
	if i < 0 {
		t.Skip("the child of TestBrokenStoresAreCaught, which sets STORETEST_BROKEN")
	}
	if all[i].model {
		storetest.RunModel(t, func(*testing.T) func(*testing.T) store.Store {
			s := all[i].open(memstore.New())
			return func(*testing.T) store.Store { return s }
		})
		return
	}
	storetest.Run(t, func(*testing.T) store.Store { return all[i].open(memstore.New()) })
}

// A broken store breaks one rule. caught is the group and the case, as go test
// spells them, that must catch it.
type broken struct {
	name, caught string
	open         func(m *memstore.Store) store.Store
	hangs        bool // it is caught by the time limit of go test
	model        bool // it is caught by RunModel
}

var brokenStores = []broken{
	{name: "every record is first", caught: "record/recorded_twice", open: func(m *memstore.Store) store.Store { return &everyFirst{Store: m} }},
	{name: "checks and then acts", caught: "record/100_goroutines", open: func(m *memstore.Store) store.Store { return &racyFirst{Store: m, seen: map[string]bool{}} }},
	{name: "the last record wins", caught: "record/repeated_record_changes", open: func(m *memstore.Store) store.Store { return &lastWins{Store: m, last: map[string]store.Completion{}} }},
	{name: "drops late values", caught: "record/late", open: func(m *memstore.Store) store.Store { return &dropsLate{Store: m, seen: map[string]bool{}} }},
	{name: "loses until", caught: "record/until_has_passed", open: func(m *memstore.Store) store.Store {
		return record{m, func(c *store.Completion) { c.Until = time.Time{} }}
	}},
	{name: "loses milliseconds", caught: "record/times", open: func(m *memstore.Store) store.Store {
		return record{m, func(c *store.Completion) { c.CompletedAt = c.CompletedAt.Truncate(time.Second) }}
	}},
	{name: "loses the duration", caught: "record/recorded_is_completed", open: func(m *memstore.Store) store.Store { return record{m, func(c *store.Completion) { c.Duration = 0 }} }},
	{name: "lists local times", caught: "list/filters", open: func(m *memstore.Store) store.Store {
		return listed{m, func(cs []store.Completion) []store.Completion {
			for i := range cs {
				cs[i].CompletedAt = cs[i].CompletedAt.In(time.FixedZone("", 3600))
			}
			return cs
		}}
	}},
	{name: "folds case", caught: "ids/odd_users", open: func(m *memstore.Store) store.Store { return keyed{m, foldCase} }},
	{name: "trims ids", caught: "ids/odd_users", open: func(m *memstore.Store) store.Store { return keyed{m, trimIDs} }},
	{name: "normalises ids", caught: "ids/odd_studies", open: func(m *memstore.Store) store.Store { return keyed{m, normalise} }},
	{name: "joins ids", caught: "ids/study_and_user", open: func(m *memstore.Store) store.Store { return keyed{m, joinIDs} }},
	{name: "cuts long ids", caught: "ids/odd_users", open: func(m *memstore.Store) store.Store { return keyed{m, cutIDs} }},
	{name: "mends bad ids", caught: "ids/bad_ids", open: func(m *memstore.Store) store.Store { return keyed{m, mendIDs} }},
	{name: "tells ids", caught: "ids/bad_ids", open: func(m *memstore.Store) store.Store { return tellsIDs{m} }},
	{name: "writes after the context", caught: "trouble/cancelled_context_writes", open: func(m *memstore.Store) store.Store { return heedless{m} }},
	{name: "answers after the context", caught: "trouble/cancelled_context_reads", open: func(m *memstore.Store) store.Store { return heedless{m} }},
	{name: "serves after close", caught: "trouble/closed", open: func(m *memstore.Store) store.Store { return unclosed{m} }},
	{name: "a replay undoes a reset", caught: "reset/a_replay", open: func(m *memstore.Store) store.Store { return &replayed{Store: m, done: map[store.Key]bool{}} }},
	{name: "a replay undoes a reset of the erased", caught: "erase/reset_of_the_erased$", open: func(m *memstore.Store) store.Store { return &replayed{Store: m, done: map[store.Key]bool{}} }},
	{name: "the interview of the erased goes to another", caught: "erase/an_interview_of", open: func(m *memstore.Store) store.Store { return &replayed{Store: m, done: map[store.Key]bool{}} }},
	{name: "late users all count", caught: "record/two_late", open: func(m *memstore.Store) store.Store { return &replayed{Store: m, done: map[store.Key]bool{}} }},
	{name: "reset sticks", caught: "reset/(a_new|reset_of)", open: func(m *memstore.Store) store.Store { return &stickyReset{Store: m, reset: map[store.Key]bool{}} }},
	{name: "reset resets the study", caught: "reset/reset_asks", open: func(m *memstore.Store) store.Store { return wideReset{m} }},
	{name: "erase asks again", caught: "erase/erase_keeps", open: func(m *memstore.Store) store.Store { return &eraseAsks{Store: m, gone: map[string]bool{}} }},
	{name: "erase keeps transcripts", caught: "erase/erase_deletes", open: func(m *memstore.Store) store.Store {
		return &keepsTranscripts{Store: m, kept: map[string]store.Transcript{}}
	}},
	{name: "a fetch in flight resurrects", caught: "erase/erase_deletes", open: func(m *memstore.Store) store.Store {
		return &resurrects{Store: m, kept: map[string]store.Transcript{}}
	}},
	{name: "a late webhook resurrects", caught: "erase/a_late_webhook", open: func(m *memstore.Store) store.Store { return &forgetsErasure{Store: m, lives: map[string]int{}} }},
	{name: "erase does nothing", caught: "erase/erase_takes", open: func(m *memstore.Store) store.Store { return noErase{m} }},
	{name: "ignores the lease", caught: "jobs/a_claim_hides", open: func(m *memstore.Store) store.Store { return leases{m, 0} }},
	{name: "shares jobs", caught: "jobs/workers", open: func(m *memstore.Store) store.Store { return leases{m, 0} }},
	{name: "leases never end", caught: "jobs/an_expired", open: func(m *memstore.Store) store.Store { return leases{m, time.Hour} }},
	{name: "any claim will do", caught: "jobs/a_lost_lease", open: func(m *memstore.Store) store.Store { return &unfenced{Store: m, now: map[string]store.Job{}} }},
	{name: "jobs are claimed before they are due", caught: "jobs/not_due", open: func(m *memstore.Store) store.Store { return hasty{m} }},
	{name: "youngest first", caught: "jobs/oldest", open: func(m *memstore.Store) store.Store { return youngest{m} }},
	{name: "postpones to now", caught: "jobs/postpone", open: func(m *memstore.Store) store.Store { return hasty{m} }},
	{name: "loses reasons", caught: "jobs/odd_reasons", open: func(m *memstore.Store) store.Store { return reasonless{m} }},
	{name: "dead jobs vanish", caught: "jobs/dead_jobs_are_listed", open: func(m *memstore.Store) store.Store { return noDead{m} }},
	{name: "a lease is not extended", caught: "jobs/a_lease_is_extended", open: func(m *memstore.Store) store.Store { return unextended{m} }},
	{name: "forgets that a transcript is stored", caught: "jobs/a_fetched_job", open: func(m *memstore.Store) store.Store { return fetchedForgotten{m} }},
	{name: "requeues one dead job of many", caught: "jobs/all_dead", open: func(m *memstore.Store) store.Store { return requeuesOne{m} }},
	{name: "locks while listing", caught: "list/writing", open: func(m *memstore.Store) store.Store { return &locked{Store: m} }, hangs: true},
	{name: "lists one page", caught: "list/stable", open: func(m *memstore.Store) store.Store {
		return listed{m, func(cs []store.Completion) []store.Completion { return cs[:min(len(cs), 1000)] }}
	}},
	{name: "lists by id", caught: "list/stable", open: func(m *memstore.Store) store.Store { return listed{m, sortByID} }},
	{name: "ignores since", caught: "list/filters", open: func(m *memstore.Store) store.Store { return timeless{m} }},
	{name: "cuts bodies at 64 KB", caught: "transcripts/a_large", open: func(m *memstore.Store) store.Store {
		return bodies{m, func(b []byte) []byte { return b[:min(len(b), 1<<16-1)] }}
	}},
	{name: "mends bodies", caught: "transcripts/odd", open: func(m *memstore.Store) store.Store { return bodies{m, mendBody} }},
	{name: "shares bodies", caught: "transcripts/bodies_are", open: func(m *memstore.Store) store.Store { return &shared{Store: m, kept: map[string]store.Transcript{}} }},
	{name: "keeps the last dead letter", caught: "deadletters/the_same", open: func(m *memstore.Store) store.Store { return lastLetter{m} }},
	{name: "loses a dead letter's reason", caught: "deadletters/dead_letters_are_kept", open: func(m *memstore.Store) store.Store { return reasonless{m} }},
	{name: "one holder for all", caught: "checkpoints/one_holder", open: func(m *memstore.Store) store.Store { return anyHolder{m} }},
	{name: "saves what was lost", caught: "checkpoints/(a_lease|save_without)", open: func(m *memstore.Store) store.Store { return lenientSave{m} }},
}
