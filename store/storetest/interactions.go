package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// noon is a time of the suite's interactions, to the second.
var noon = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

func showing(k store.Key, at time.Time) store.Interaction {
	return store.Interaction{Key: k, Kind: store.InteractionShown, At: at}
}

func answer(k store.Key, kind store.InteractionKind, at time.Time) store.Interaction {
	return store.Interaction{Key: k, Kind: kind, At: at}
}

func snooze(k store.Key, at, until time.Time) store.Interaction {
	return store.Interaction{Key: k, Kind: store.InteractionSnoozed, At: at, Until: until}
}

func optOut(userID string, at time.Time) store.Interaction {
	return store.Interaction{Key: store.Key{UserID: userID}, Kind: store.InteractionOptedOut, At: at}
}

func optIn(userID string, at time.Time) store.Interaction {
	return store.Interaction{Key: store.Key{UserID: userID}, Kind: store.InteractionUndone, At: at}
}

func (s *subject) note(t *testing.T, is ...store.Interaction) {
	t.Helper()
	for _, i := range is {
		require.NoError(t, s.Note(t.Context(), i), "Note(%v)", i.Kind)
	}
}

// reset resets k and returns when the store did.
func (s *subject) reset(t *testing.T, k store.Key) time.Time {
	t.Helper()
	before := time.Now().Truncate(time.Millisecond)
	require.NoError(t, s.Reset(t.Context(), k))
	at := s.person(t, k.UserID).Study(k.StudyID).ResetAt
	require.WithinRange(t, at, before, time.Now())
	require.Equal(t, at.UTC().Truncate(time.Millisecond), at)
	return at
}

func (s *subject) person(t *testing.T, userID string) store.Person {
	t.Helper()
	p, err := s.Person(t.Context(), userID)
	require.NoError(t, err, "Person")
	require.True(t, slices.IsSortedFunc(p.Studies, func(a, b store.PersonStudy) int { return strings.Compare(a.StudyID, b.StudyID) }), "the order of a person's studies")
	return tidy(p)
}

var interactionCases = []contractCase{{
	name:  "an unknown person",
	rule:  "Person returns the zero Person for an unknown user, and does not store the user",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		user := newID()
		for range 2 {
			require.Zero(t, s.person(t, user))
		}
	},
}, {
	name:  "everything about one user",
	rule:  "Person returns what was shown, opened and answered in each study, and what was completed; times are kept in UTC, of answers to the millisecond and others to the second",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		zone := time.FixedZone("", -9*3600)
		s.note(t,
			showing(k, noon.In(zone).Add(400*time.Millisecond)), showing(k, noon.Add(time.Minute)),
			answer(k, store.InteractionOpened, noon.Add(2*time.Minute+time.Millisecond)),
			snooze(k, noon.Add(3*time.Minute+1999*time.Microsecond), noon.Add(24*time.Hour).In(zone)))
		elsewhere := completionOf(store.Key{StudyID: "zz" + newID(), UserID: k.UserID})
		s.mustRecord(t, elsewhere)
		require.Equal(t, store.Person{Studies: []store.PersonStudy{{
			StudyID: k.StudyID, Showings: []time.Time{noon, noon.Add(time.Minute)}, OpenedAt: noon.Add(2 * time.Minute),
			Answer: store.InteractionSnoozed, AnsweredAt: noon.Add(3*time.Minute + time.Millisecond), Until: noon.Add(24 * time.Hour),
		}, {
			StudyID: elsewhere.StudyID, Completed: true,
		}}}, s.person(t, k.UserID))
	},
}, {
	name:  "a completion and an answer of one study",
	rule:  "Completed of a PersonStudy is what Completed returns, and CompletedUntil when that ends",
	needs: interactions | resetter,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.note(t, showing(c.Key, noon))
		require.False(t, s.person(t, c.UserID).Study(c.StudyID).Completed)
		s.mustRecord(t, c)
		require.Equal(t, store.PersonStudy{StudyID: c.StudyID, Completed: true, Showings: []time.Time{noon}}, s.person(t, c.UserID).Study(c.StudyID))
		ended := completionOf(store.Key{StudyID: newID(), UserID: c.UserID})
		ended.Until = base.Add(time.Hour) // long ago
		s.mustRecord(t, ended)
		require.Zero(t, s.person(t, c.UserID).Study(ended.StudyID).Completed)
		again := completionOf(ended.Key)
		again.Until = time.Now().UTC().Truncate(time.Millisecond).Add(time.Hour)
		s.mustRecord(t, again)
		require.Equal(t, store.PersonStudy{StudyID: again.StudyID, Completed: true, CompletedUntil: again.Until}, s.person(t, c.UserID).Study(again.StudyID))
		require.NoError(t, s.Reset(t.Context(), c.Key))
		require.False(t, s.person(t, c.UserID).Study(c.StudyID).Completed)
	},
}, {
	name:  "the last answer counts",
	rule:  "of several answers the one that was given last counts, in whatever order they arrive",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		inAnyOrder(t, s, func(k store.Key) []store.Interaction {
			return []store.Interaction{
				snooze(k, noon, noon.Add(time.Hour)),
				answer(k, store.InteractionDeclined, noon.Add(1*time.Second)),
				answer(k, store.InteractionUndone, noon.Add(2*time.Second)),
				snooze(k, noon.Add(3*time.Second), noon.Add(2*time.Hour)),
			}
		}, store.PersonStudy{Answer: store.InteractionSnoozed, AnsweredAt: noon.Add(3 * time.Second), Until: noon.Add(2 * time.Hour)})
	},
}, {
	name:  "answers of one second",
	rule:  "answers are ordered by the millisecond: declining, taking that back and declining again count in this order within a second, in whatever order they arrive",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		given := func(ms ...int) func(k store.Key) []store.Interaction {
			return func(k store.Key) (all []store.Interaction) {
				for i, n := range ms {
					kind := []store.InteractionKind{store.InteractionDeclined, store.InteractionUndone}[i%2]
					all = append(all, answer(k, kind, noon.Add(time.Duration(n)*time.Millisecond)))
				}
				return all
			}
		}
		inAnyOrder(t, s, given(1, 2), store.PersonStudy{Answer: store.InteractionUndone, AnsweredAt: noon.Add(2 * time.Millisecond)})
		inAnyOrder(t, s, given(0, 500, 999), store.PersonStudy{Answer: store.InteractionDeclined, AnsweredAt: noon.Add(999 * time.Millisecond)})
		inAnyOrder(t, s, given(0, 300, 600, 900), store.PersonStudy{Answer: store.InteractionUndone, AnsweredAt: noon.Add(900 * time.Millisecond)})
	},
}, {
	name:  "answers of the same millisecond",
	rule:  "of two answers given in the same millisecond the one whose kind is greater counts; of two snoozes the longer one",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		inAnyOrder(t, s, func(k store.Key) []store.Interaction {
			return []store.Interaction{
				answer(k, store.InteractionUndone, noon.Add(900*time.Microsecond)), snooze(k, noon, noon.Add(time.Hour)), answer(k, store.InteractionDeclined, noon),
			}
		}, store.PersonStudy{Answer: store.InteractionDeclined, AnsweredAt: noon})
		inAnyOrder(t, s, func(k store.Key) []store.Interaction {
			return []store.Interaction{
				snooze(k, noon, noon.Add(time.Hour)), snooze(k, noon, noon.Add(2*time.Hour)), answer(k, store.InteractionUndone, noon),
			}
		}, store.PersonStudy{Answer: store.InteractionSnoozed, AnsweredAt: noon, Until: noon.Add(2 * time.Hour)})
	},
}, {
	name:  "a showing never changes an answer",
	rule:  "a showing or an opening never changes an answer, whenever it was and whenever it arrives",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		inAnyOrder(t, s, func(k store.Key) []store.Interaction {
			return []store.Interaction{
				showing(k, noon.Add(-time.Hour)), answer(k, store.InteractionDeclined, noon), showing(k, noon.Add(time.Hour)),
				answer(k, store.InteractionOpened, noon.Add(2*time.Hour)),
			}
		}, store.PersonStudy{
			Showings: []time.Time{noon.Add(-time.Hour), noon.Add(time.Hour)}, OpenedAt: noon.Add(2 * time.Hour),
			Answer: store.InteractionDeclined, AnsweredAt: noon,
		})
	},
}, {
	name:  "the last opening counts",
	rule:  "OpenedAt is the last opening, in whatever order they arrive",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		inAnyOrder(t, s, func(k store.Key) []store.Interaction {
			return []store.Interaction{
				answer(k, store.InteractionOpened, noon), answer(k, store.InteractionOpened, noon.Add(time.Hour)), answer(k, store.InteractionOpened, noon.Add(-time.Hour)),
			}
		}, store.PersonStudy{OpenedAt: noon.Add(time.Hour)})
	},
}, {
	name:  "opting out and in",
	rule:  "an opt-out covers all studies; of opting out and taking that back the later one counts, and in the same millisecond the opt-out",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		for _, tc := range []struct {
			notes func(user string) []store.Interaction
			want  store.Person
		}{
			{func(u string) []store.Interaction { return []store.Interaction{optOut(u, noon)} }, store.Person{OptedOut: true, OptedOutAt: noon}},
			{func(u string) []store.Interaction {
				return []store.Interaction{optOut(u, noon), optIn(u, noon.Add(time.Second))}
			}, store.Person{OptedOutAt: noon.Add(time.Second)}},
			{func(u string) []store.Interaction {
				return []store.Interaction{optIn(u, noon.Add(time.Second)), optOut(u, noon)}
			}, store.Person{OptedOutAt: noon.Add(time.Second)}},
			{func(u string) []store.Interaction {
				return []store.Interaction{optIn(u, noon.Add(time.Millisecond)), optOut(u, noon)}
			}, store.Person{OptedOutAt: noon.Add(time.Millisecond)}},
			{func(u string) []store.Interaction { return []store.Interaction{optIn(u, noon), optOut(u, noon)} }, store.Person{OptedOut: true, OptedOutAt: noon}},
			{func(u string) []store.Interaction { return []store.Interaction{optOut(u, noon), optIn(u, noon)} }, store.Person{OptedOut: true, OptedOutAt: noon}},
		} {
			user := newID()
			s.note(t, tc.notes(user)...)
			require.Equal(t, tc.want, s.person(t, user))
		}
		k := newKey()
		s.note(t, optOut(k.UserID, noon), answer(k, store.InteractionUndone, noon.Add(time.Hour)))
		require.True(t, s.person(t, k.UserID).OptedOut, "an answer about one study took the opt-out back")
	},
}, {
	name:  "the latest showings are kept",
	rule:  "a store keeps the latest MaxShowings showings of one study, whatever order they arrive in",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k, other := newKey(), newKey()
		const more = 20
		var want []time.Time
		for n := range store.MaxShowings + more {
			if n >= more {
				want = append(want, noon.Add(time.Duration(n)*time.Hour))
			}
		}
		s.note(t, showing(other, noon))
		for _, n := range rand.Perm(store.MaxShowings + more) {
			s.note(t, showing(k, noon.Add(time.Duration(n)*time.Hour)))
		}
		require.Equal(t, want, s.person(t, k.UserID).Study(k.StudyID).Showings)
		require.Len(t, s.person(t, other.UserID).Study(other.StudyID).Showings, 1, "showings of another user")
	},
}, {
	name:  "the studies of a user are bounded",
	rule:  "Note returns ErrTooManyStudies, and counts nothing, if the user has seen or answered MaxStudies studies and it is about another; completed and reset ones do not count",
	needs: interactions | resetter,
	run: func(t *testing.T, s *subject) {
		user := newID()
		about := func(study string) store.Key { return store.Key{StudyID: study, UserID: user} }
		kinds := []store.InteractionKind{store.InteractionShown, store.InteractionOpened, store.InteractionDeclined, store.InteractionUndone}
		s.mustRecord(t, completionOf(about("completed")))
		s.reset(t, about("reset"))
		s.note(t, optOut(user, noon))
		for n := range store.MaxStudies - 1 {
			s.note(t, answer(about(fmt.Sprint("study ", n)), kinds[n%len(kinds)], noon))
		}
		var kept atomic.Int32
		atOnce(8, func(n int) {
			switch err := s.Note(t.Context(), showing(about(fmt.Sprint("last ", n)), noon)); {
			case err == nil:
				kept.Add(1)
			case !errors.Is(err, store.ErrTooManyStudies):
				t.Errorf("Note: %v", err)
			}
		})
		require.EqualValues(t, 1, kept.Load(), "studies that had room for one more")
		for _, kind := range kinds {
			for _, study := range []string{"one more", "completed", "reset"} {
				err := s.Note(t.Context(), answer(about(study), kind, noon))
				require.ErrorIs(t, err, store.ErrTooManyStudies)
				require.ErrorIs(t, err, store.ErrInvalid)
			}
			s.note(t, answer(about("study 0"), kind, noon.Add(time.Hour)))
		}
		require.Equal(t, []store.FunnelDay{{Day: store.Day(noon)}}, s.funnel(t, "one more", noon, 1))
		s.mustRecord(t, completionOf(about("by mail")))
		s.note(t, optIn(user, noon.Add(time.Hour)), showing(store.Key{StudyID: "one more", UserID: newID()}, noon))
		p := s.person(t, user)
		require.False(t, p.OptedOut)
		require.True(t, p.Study("by mail").Completed)
		require.Len(t, p.Studies, store.MaxStudies+3)

		s.reset(t, about("study 1"))
		s.note(t, showing(about("one more"), noon))
		require.ErrorIs(t, s.Note(t.Context(), showing(about("two more"), noon)), store.ErrTooManyStudies)
	},
}, {
	name:  "users and studies are separate",
	rule:  "an interaction is about its own user and its own study alone, whatever the ids look like",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		study := newID()
		for i, user := range oddIDs {
			require.Zero(t, s.person(t, user), "user %+q is taken for one of %+q", user, oddIDs[:i])
			k := store.Key{StudyID: study, UserID: user}
			s.note(t, answer(k, store.InteractionDeclined, noon))
			require.Equal(t, store.InteractionDeclined, s.person(t, user).Study(study).Answer, "user %+q", user)
		}
		user := newID()
		for i, study := range oddIDs {
			require.Zero(t, s.person(t, user).Study(study).OpenedAt, "study %+q is taken for one of %+q", study, oddIDs[:i])
			s.note(t, answer(store.Key{StudyID: study, UserID: user}, store.InteractionOpened, noon))
		}
		require.Len(t, s.person(t, user).Studies, len(oddIDs))
	},
}, {
	name:  "interactions that make no sense",
	rule:  "Note returns an error that matches ErrInvalid unless the ids pass CheckID, the kind is known and the time is set; Person and Funnel check their id",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		for _, i := range []store.Interaction{
			{Key: k, Kind: store.InteractionShown},
			{Key: k, Kind: store.InteractionOptedOut + 1, At: noon},
			{Key: k, Kind: store.InteractionOptedOut, At: noon},
			{Key: store.Key{UserID: k.UserID}, Kind: store.InteractionDeclined, At: noon},
			{Key: store.Key{StudyID: k.StudyID}, Kind: store.InteractionShown, At: noon},
			{Key: store.Key{StudyID: k.StudyID, UserID: "secret\n"}, Kind: store.InteractionShown, At: noon},
			{Key: store.Key{StudyID: "secret\xff", UserID: k.UserID}, Kind: store.InteractionShown, At: noon},
		} {
			refused(t, s.Note(t.Context(), i), i.Kind.String())
		}
		require.Zero(t, s.person(t, k.UserID), "after interactions that were refused")
		for what, id := range badIDs {
			_, err := s.Person(t.Context(), id)
			refused(t, err, what)
			_, err = s.Funnel(t.Context(), id, noon, noon.Add(time.Hour))
			refused(t, err, what)
		}
	},
}, {
	name:  "100 writers of one user",
	rule:  "interactions that are noted at once are all kept",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		var want []time.Time
		for i := range 100 {
			want = append(want, noon.Add(time.Duration(i)*time.Second))
		}
		atOnce(100, func(i int) {
			at := noon.Add(time.Duration(i) * time.Second)
			for _, n := range []store.Interaction{showing(k, at), snooze(k, at, at.Add(time.Hour)), answer(k, store.InteractionOpened, at), showing(k, at)} {
				if err := s.Note(t.Context(), n); err != nil {
					t.Errorf("Note(%v): %v", n.Kind, err)
				}
			}
		})
		last := noon.Add(99 * time.Second)
		require.Equal(t, store.PersonStudy{
			StudyID: k.StudyID, Showings: want, OpenedAt: last,
			Answer: store.InteractionSnoozed, AnsweredAt: last, Until: last.Add(time.Hour),
		}, s.person(t, k.UserID).Study(k.StudyID))
		day := s.funnel(t, k.StudyID, noon, 1)[0]
		require.Equal(t, store.FunnelDay{Day: store.Day(noon), Shown: 1, Opened: 1, Snoozed: 1}, day)
	},
}, {
	name:  "reset forgets the answer",
	rule:  "Reset forgets the showings, the opening and the answer of its key, and of no other, and keeps the time of the reset; an opt-out stays",
	needs: interactions | resetter,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		elsewhere, other := store.Key{StudyID: newID(), UserID: k.UserID}, store.Key{StudyID: k.StudyID, UserID: newID()}
		for _, one := range []store.Key{k, elsewhere, other} {
			s.note(t, showing(one, noon), answer(one, store.InteractionOpened, noon), answer(one, store.InteractionDeclined, noon))
		}
		s.note(t, optOut(k.UserID, noon))
		resetAt := s.reset(t, k)
		p := s.person(t, k.UserID)
		require.Equal(t, store.PersonStudy{StudyID: k.StudyID, ResetAt: resetAt}, p.Study(k.StudyID))
		require.Equal(t, store.InteractionDeclined, p.Study(elsewhere.StudyID).Answer)
		require.Zero(t, p.Study(elsewhere.StudyID).ResetAt, "another study was reset")
		require.Zero(t, s.person(t, other.UserID).Study(k.StudyID).ResetAt, "another user was reset")
		require.True(t, p.OptedOut)
		require.Equal(t, store.InteractionDeclined, s.person(t, other.UserID).Study(k.StudyID).Answer)

		s.note(t, showing(k, noon.Add(time.Hour)))
		require.Equal(t, []time.Time{noon.Add(time.Hour)}, s.person(t, k.UserID).Study(k.StudyID).Showings)
	},
}, {
	name:  "a reset is remembered",
	rule:  "ResetAt is the time of the last Reset, also of a key that was not known; interactions, interviews and Erase leave it",
	needs: interactions | resetter | eraser,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		first := s.reset(t, k)
		s.note(t, showing(k, noon), answer(k, store.InteractionOpened, noon), answer(k, store.InteractionDeclined, noon), optOut(k.UserID, noon))
		s.mustRecord(t, completionOf(k))
		require.NoError(t, s.Erase(t.Context(), k.UserID))
		require.Equal(t, store.PersonStudy{
			StudyID: k.StudyID, Completed: true, Showings: []time.Time{noon}, OpenedAt: noon, Answer: store.InteractionDeclined, AnsweredAt: noon, ResetAt: first,
		}, s.person(t, k.UserID).Study(k.StudyID))
		require.False(t, s.reset(t, k).Before(first))
	},
}, {
	name:  "a reset and a clock that is ahead",
	rule:  "ResetAt is not before anything that the reset forgets, whatever the clocks of replicas say",
	needs: interactions | resetter,
	run: func(t *testing.T, s *subject) {
		ahead := time.Now().UTC().Truncate(time.Second).Add(time.Hour)
		for _, n := range []func(k store.Key) store.Interaction{
			func(k store.Key) store.Interaction { return showing(k, ahead) },
			func(k store.Key) store.Interaction { return answer(k, store.InteractionOpened, ahead) },
			func(k store.Key) store.Interaction { return answer(k, store.InteractionDeclined, ahead) },
		} {
			k := newKey()
			s.note(t, showing(k, noon), n(k))
			for range 2 {
				require.NoError(t, s.Reset(t.Context(), k))
				require.Equal(t, ahead, s.person(t, k.UserID).Study(k.StudyID).ResetAt)
			}
		}
	},
}, {
	name:  "an erased user is still not asked",
	rule:  "after Erase, Person still returns that the user declined or opted out, and also what is noted later",
	needs: interactions | eraser,
	run: func(t *testing.T, s *subject) {
		declined, out := newKey(), newKey()
		s.note(t, answer(declined, store.InteractionDeclined, noon), optOut(out.UserID, noon))
		for range 2 {
			require.NoError(t, s.Erase(t.Context(), declined.UserID))
			require.NoError(t, s.Erase(t.Context(), out.UserID))
			require.Equal(t, store.InteractionDeclined, s.person(t, declined.UserID).Study(declined.StudyID).Answer)
			require.Equal(t, noon, s.person(t, declined.UserID).Study(declined.StudyID).AnsweredAt)
			require.True(t, s.person(t, out.UserID).OptedOut)
		}
		s.note(t, answer(declined, store.InteractionUndone, noon.Add(time.Hour)), optIn(out.UserID, noon.Add(time.Hour)))
		require.Equal(t, store.InteractionUndone, s.person(t, declined.UserID).Study(declined.StudyID).Answer)
		require.False(t, s.person(t, out.UserID).OptedOut)
		late := completionOf(store.Key{StudyID: newID(), UserID: out.UserID})
		s.mustRecord(t, late)
		require.True(t, s.person(t, out.UserID).Study(late.StudyID).Completed, "a completion that came after the erasure")
	},
}, {
	name:  "a person is the caller's own",
	rule:  "a store shares no slices with its caller",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		s.note(t, showing(k, noon))
		for range 3 { // the last two times perhaps from a cache
			p, err := s.Person(t.Context(), k.UserID)
			require.NoError(t, err)
			require.Equal(t, noon, p.Studies[0].Showings[0])
			p.Studies[0].Showings[0], p.Studies[0].StudyID = time.Time{}, "scribble"
		}
	},
}}

// inAnyOrder notes the same interactions in every order, with one of them repeated, each
// order for another user. It requires the same result each time.
func inAnyOrder(t *testing.T, s *subject, notes func(k store.Key) []store.Interaction, want store.PersonStudy) {
	t.Helper()
	for _, order := range permutations(len(notes(store.Key{}))) {
		k := newKey()
		all := notes(k)
		for _, i := range order {
			s.note(t, all[i])
		}
		s.note(t, all[order[0]])
		want.StudyID = k.StudyID
		require.Equal(t, want, s.person(t, k.UserID).Study(k.StudyID), "noted in the order %v", order)
	}
}

// permutations returns the orders of the numbers below n.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			longer := append(append(append([]int{}, shorter[:at]...), n-1), shorter[at:]...)
			all = append(all, longer)
		}
	}
	return all
}
