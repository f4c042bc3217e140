package storetest

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

var troubleCases = []contractCase{{
	name: "cancelled context writes nothing",
	rule: "Record with a context that has ended returns the error of the context and writes nothing",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		first, err := s.Record(cancelled(t), c)
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, first)
		require.False(t, s.completed(t, c.Key))
		require.True(t, s.record(t, c), "first, after a Record that wrote nothing")
	},
}, {
	name: "past deadline writes nothing",
	rule: "a deadline that has passed is an error that matches context.DeadlineExceeded",
	run: func(t *testing.T, s *subject) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		c := newCompletion()
		_, err := s.Record(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, s.completed(t, c.Key))
	},
}, {
	name: "cancelled context reads nothing",
	rule: "Completed with a context that has ended returns an error",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		other := newKey()
		_, err := s.Completed(cancelled(t), other)
		require.ErrorIs(t, err, context.Canceled)
		require.True(t, s.completed(t, c.Key), "the store serves on after a call that was cut off")
		require.False(t, s.completed(t, other))
	},
}, {
	name: "deadlines that fall anywhere",
	rule: "Record either records the interview and returns nil, or returns an error and first = false; it never records a part",
	run: func(t *testing.T, s *subject) {
		study := newID()
		for i := range 40 {
			c := completionOf(store.Key{StudyID: study, UserID: newID()})
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
			first, err := s.Record(ctx, c)
			cancel()
			if err != nil {
				require.False(t, first, "first, with an error")
				again := s.record(t, c) // may be first or not: the error may have come after the commit
				require.True(t, s.completed(t, c.Key), "Completed after the Record was repeated (first: %v)", again)
			} else {
				require.True(t, first)
				require.True(t, s.completed(t, c.Key))
			}
		}
		if s.has&lister != 0 {
			require.Len(t, s.list(t, store.Filter{StudyID: study}), 40)
		}
		if s.has&transcripts != 0 {
			require.Len(t, s.pending(t), 40, "jobs")
		}
	},
}, {
	name: "every method heeds its context",
	rule: "every method returns the error of a context that has ended",
	run: func(t *testing.T, s *subject) {
		for what, err := range s.everyCall(cancelled(t)) {
			require.ErrorIs(t, err, context.Canceled, what)
		}
	},
}, {
	name: "closed store",
	rule: "after Close every method returns ErrClosed, and another Close returns nil",
	run: func(t *testing.T, s *subject) {
		s.mustRecord(t, newCompletion())
		if _, ok := s.Store.(io.Closer); !ok {
			t.Skip("the store is not an io.Closer")
		}
		s.close(t)
		for what, err := range s.everyCall(t.Context()) {
			require.ErrorIs(t, err, store.ErrClosed, what)
		}
		s.close(t)
	},
}}

// everyCall calls every method that the store has, with valid arguments, and yields
// the errors.
func (s *subject) everyCall(ctx context.Context) func(yield func(string, error) bool) {
	calls := []struct {
		name  string
		needs capability
		do    func() error
	}{
		{"Completed", 0, func() error { _, err := s.Completed(ctx, newKey()); return err }},
		{"Record", 0, func() error { _, err := s.Record(ctx, newCompletion()); return err }},
		{"Completions", lister, func() error { _, err := collect(s.Completions(ctx, store.Filter{})); return err }},
		{"Reset", resetter, func() error { return s.Reset(ctx, newKey()) }},
		{"Erase", eraser, func() error { return s.Erase(ctx, newID()) }},
		{"ClaimJobs", transcripts, func() error { _, err := s.ClaimJobs(ctx, time.Minute, 1); return err }},
		{"ExtendJob", transcripts, func() error { return s.ExtendJob(ctx, unknownJob(), lease) }},
		{"SaveTranscript", transcripts, func() error { return s.SaveTranscript(ctx, unknownJob(), store.Transcript{}) }},
		{"FinishJob", transcripts, func() error { return s.FinishJob(ctx, unknownJob()) }},
		{"PostponeJob", transcripts, func() error { return s.PostponeJob(ctx, unknownJob(), lease) }},
		{"KillJob", transcripts, func() error { return s.KillJob(ctx, unknownJob()) }},
		{"RequeueJob", transcripts, func() error { return s.RequeueJob(ctx, newID()) }},
		{"RequeueJobs", transcripts, func() error { _, err := s.RequeueJobs(ctx); return err }},
		{"PendingJobs", transcripts, func() error { _, err := collect(s.PendingJobs(ctx)); return err }},
		{"DeadJobs", transcripts, func() error { _, err := collect(s.DeadJobs(ctx)); return err }},
		{"Transcript", transcripts, func() error { _, err := s.Transcript(ctx, newID()); return err }},
		{"AddDeadLetter", deadLetters, func() error { return s.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: base, Body: []byte(newID())}) }},
		{"DeadLetters", deadLetters, func() error { _, err := collect(s.DeadLetters.DeadLetters(ctx)); return err }},
		{"DeleteDeadLetter", deadLetters, func() error { return s.DeleteDeadLetter(ctx, letterID(newID())) }},
		{"Acquire", checkpoints, func() error { _, _, err := s.Acquire(ctx, newID(), newID(), lease); return err }},
		{"Save", checkpoints, func() error { return s.Save(ctx, newID(), newID(), "", lease) }},
		{"Release", checkpoints, func() error { return s.Release(ctx, newID(), newID(), "") }},
		{"Note", interactions, func() error { return s.Note(ctx, showing(newKey(), noon)) }},
		{"Person", interactions, func() error { _, err := s.Person(ctx, newID()); return err }},
		{"Funnel", interactions, func() error { _, err := s.Funnel(ctx, newID(), noon, noon.Add(aDay)); return err }},
		{"SetSwitch", switches, func() error { return s.SetSwitch(ctx, store.Switch{Name: newID(), At: base}) }},
		{"Switches", switches, func() error { _, err := s.Switches.Switches(ctx); return err }},
		{"DeleteTranscript", retention, func() error { return s.DeleteTranscript(ctx, newID()) }},
		{"DeleteExpired (transcripts)", retention, func() error { _, err := s.DeleteExpired(ctx, store.ExpirableTranscripts, base, 10); return err }},
		{"DeleteExpired (jobs)", retention, func() error { _, err := s.DeleteExpired(ctx, store.ExpirableDeadJobs, base, 10); return err }},
		{"DeleteExpired (letters)", retention, func() error { _, err := s.DeleteExpired(ctx, store.ExpirableDeadLetters, base, 10); return err }},
	}
	return func(yield func(string, error) bool) {
		for _, c := range calls {
			if c.needs&^s.has == 0 && !yield(c.name, c.do()) {
				return
			}
		}
	}
}

func unknownJob() store.Job { return store.Job{Completion: newCompletion(), Claim: "1"} }
