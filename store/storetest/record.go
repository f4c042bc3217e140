package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

var recordCases = []contractCase{{
	name: "unknown user is not completed",
	rule: "for an unknown user Completed returns false, without an error",
	run: func(t *testing.T, s *subject) {
		require.False(t, s.completed(t, newKey()))
	},
}, {
	name: "recorded is completed",
	rule: "after Record returns nil, Completed is true, and stays so",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		require.False(t, s.completed(t, c.Key))
		s.mustRecord(t, c)
		for range 3 {
			require.True(t, s.completed(t, c.Key))
		}
		s.kept(t, c)
	},
}, {
	name: "recorded twice is first once",
	rule: "first is true for exactly one of any number of calls with the same InterviewID",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		for range 3 {
			require.False(t, s.record(t, c), "first, on a repeated Record")
		}
		require.True(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "repeated record changes nothing",
	rule: "a later Record fills in a Quality or a UserID that was empty; if neither was, it changes nothing",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		other := completionOf(newKey())
		other.InterviewID = c.InterviewID
		other.CompletedAt, other.Until = base.Add(time.Hour), base.Add(2*time.Hour)
		other.Quality, other.Language, other.Duration = "unsuccessful", "fr", time.Second
		require.False(t, s.record(t, other), "first")
		require.True(t, s.completed(t, c.Key))
		require.False(t, s.completed(t, other.Key), "a repeated Record moved the interview to another user")
		s.kept(t, c)
	},
}, {
	name: "100 goroutines record one interview",
	rule: "first is true for exactly one of any number of concurrent calls",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		var firsts atomic.Int32
		atOnce(100, func(int) {
			first, err := s.Record(t.Context(), c)
			if err != nil {
				t.Errorf("Record: %v", err)
			}
			if first {
				firsts.Add(1)
			}
		})
		require.EqualValues(t, 1, firsts.Load(), "calls that were first")
		require.True(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "many users at once",
	rule: "Record is atomic: no concurrent call is lost, and each caller sees what it has recorded",
	run: func(t *testing.T, s *subject) {
		study := newKey().StudyID
		atOnce(16, func(int) {
			for range 10 {
				c := completionOf(store.Key{StudyID: study, UserID: newID()})
				first, err := s.Record(t.Context(), c)
				if err != nil || !first {
					t.Errorf("Record = %v, %v; want true, nil", first, err)
				}
				if done, err := s.Completed(t.Context(), c.Key); err != nil || !done {
					t.Errorf("Completed after Record = %v, %v; want true, nil", done, err)
				}
			}
		})
		if s.has&lister != 0 {
			require.Len(t, s.list(t, store.Filter{StudyID: study}), 160)
		}
	},
}, {
	name: "second interview of one user",
	rule: "one user may have several interviews in a study; each is first",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		again := completionOf(c.Key)
		s.mustRecord(t, c, again)
		require.True(t, s.completed(t, c.Key))
		s.kept(t, c)
		s.kept(t, again)
	},
}, {
	name: "studies are separate",
	rule: "a completion counts for its own study alone",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		require.False(t, s.completed(t, store.Key{StudyID: newID(), UserID: c.UserID}))
	},
}, {
	name: "users are separate",
	rule: "a completion counts for its own user alone",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		require.False(t, s.completed(t, store.Key{StudyID: c.StudyID, UserID: newID()}))
	},
}, {
	name: "anonymous interview",
	rule: "an interview without a user is kept and completes the study for nobody",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		k := c.Key
		c.UserID = ""
		s.mustRecord(t, c)
		require.False(t, s.record(t, c), "first, on a repeated Record")
		require.False(t, s.completed(t, k))
		s.kept(t, c)
	},
}, {
	name: "late quality",
	rule: "a later Record fills in a Quality that was empty, once",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Quality = ""
		s.mustRecord(t, c)
		s.kept(t, c)
		for _, quality := range []string{"successful", "", "insightful"} {
			late := c
			late.Quality = quality
			require.False(t, s.record(t, late), "first, on a repeated Record")
		}
		c.Quality = "successful"
		s.kept(t, c)
	},
}, {
	name: "late reference",
	rule: "a later Record fills in a UserID that was empty; from then on this user has completed the study",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		anonymous := c
		anonymous.UserID = ""
		s.mustRecord(t, anonymous)
		require.False(t, s.completed(t, c.Key))
		require.False(t, s.record(t, c), "first, on a repeated Record")
		require.True(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "late reference names another study",
	rule: "an interview stays in the study that it was first recorded for; a user who is filled in later has completed that study",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		anonymous, other := c, c
		anonymous.UserID = ""
		s.mustRecord(t, anonymous)
		other.StudyID = newID()
		require.False(t, s.record(t, other), "first, on a repeated Record")
		require.True(t, s.completed(t, c.Key))
		require.False(t, s.completed(t, other.Key))
		s.kept(t, c)
	},
}, {
	name: "two late references at once",
	rule: "of several users that concurrent calls name exactly one is filled in, and no other has completed the study",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.UserID = ""
		s.mustRecord(t, c)
		late := make([]store.Completion, 8)
		for i := range late {
			late[i] = c
			late[i].UserID = newID()
		}
		atOnce(len(late), func(i int) {
			if first, err := s.Record(t.Context(), late[i]); err != nil || first {
				t.Errorf("Record = %v, %v; want false, nil", first, err)
			}
		})
		var done []store.Completion
		for _, l := range late {
			if s.completed(t, l.Key) {
				done = append(done, l)
			}
		}
		require.Len(t, done, 1, "users who have completed the study by one interview")
		s.kept(t, done[0])
	},
}, {
	name: "second reference",
	rule: "an interview keeps the user that it has",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		for _, user := range []string{newID(), ""} {
			other := c
			other.UserID = user
			require.False(t, s.record(t, other), "first, on a repeated Record")
			if user != "" {
				require.False(t, s.completed(t, other.Key))
			}
		}
		require.True(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "until has passed",
	rule: "from Until on, the completion does not count and the user may be asked again; it stays recorded",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Until = base.Add(time.Hour) // long ago
		s.mustRecord(t, c)
		require.False(t, s.completed(t, c.Key))
		require.False(t, s.record(t, c), "first, on a repeated Record")
		require.False(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "until is to come",
	rule: "before Until the completion counts",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Until = time.Now().Add(time.Hour)
		s.mustRecord(t, c)
		require.True(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "one completion counts where another has ended",
	rule: "Until ends its own completion; another interview of the same user still counts",
	run: func(t *testing.T, s *subject) {
		forGood := newCompletion()
		ended := completionOf(forGood.Key)
		ended.Until = base.Add(time.Hour)
		again := newCompletion()
		endedBefore := completionOf(again.Key)
		endedBefore.Until = base.Add(time.Hour)
		s.mustRecord(t, forGood, ended, endedBefore, again)
		require.True(t, s.completed(t, forGood.Key))
		require.True(t, s.completed(t, again.Key))
	},
}, {
	name: "late reference to an interview with until",
	rule: "a user who is filled in later has completed the study until the Until of the first Record",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Until = base.Add(time.Hour)
		anonymous := c
		anonymous.UserID = ""
		s.mustRecord(t, anonymous)
		late := c
		late.Until = time.Time{}
		require.False(t, s.record(t, late), "first, on a repeated Record")
		require.False(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name: "times in UTC to the millisecond",
	rule: "CompletedAt and Until are kept in UTC, at least to the millisecond, from 1900 to 2200 and from any zone",
	run: func(t *testing.T, s *subject) {
		zone := time.FixedZone("far east", 13*3600+45*60)
		for _, at := range []time.Time{
			base, base.In(zone), base.Add(time.Millisecond),
			time.Date(1900, 1, 1, 0, 0, 0, 1e6, time.UTC),
			time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC),
			time.Date(2200, 12, 31, 23, 59, 59, 999e6, zone),
		} {
			c := newCompletion()
			c.CompletedAt, c.Until = at, at.Add(time.Millisecond)
			s.mustRecord(t, c)
			s.kept(t, c)
			require.Equal(t, c.Until.After(time.Now()), s.completed(t, c.Key), "Completed, where Until is %v", c.Until)
		}
	},
}, {
	name: "the least that a completion needs",
	rule: "a study, an interview and a time are enough",
	run: func(t *testing.T, s *subject) {
		c := store.Completion{Key: store.Key{StudyID: newID()}, InterviewID: newID(), CompletedAt: base}
		s.mustRecord(t, c)
		s.kept(t, c)
	},
}}

// atOnce runs do n times at once and waits for all.
func atOnce(n int, do func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}
