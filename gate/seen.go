package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

// What a visitor has seen of one study is a [store.PersonStudy], whether it comes
// from the browser, from the store or from both.

func declined(s *store.PersonStudy) bool {
	return s.Answer == store.InteractionDeclined && !s.AnsweredAt.IsZero()
}

func completed(s *store.PersonStudy, now time.Time) bool {
	return s.Completed && (s.CompletedUntil.IsZero() || now.Before(s.CompletedUntil))
}

func snoozed(s *store.PersonStudy, now time.Time) bool {
	return s.Answer == store.InteractionSnoozed && now.Before(s.Until) && s.Until.Sub(now) <= maxSnooze
}

// touched returns the time of the latest event.
func touched(s *store.PersonStudy) time.Time {
	return latest(latest(lastShown(s), s.OpenedAt), s.AnsweredAt)
}

func lastShown(s *store.PersonStudy) time.Time {
	if n := len(s.Showings); n > 0 {
		return s.Showings[n-1]
	}
	return time.Time{}
}

// showings counts the showings, of which those within linger of the first one are
// the same, and returns when the last one began.
func showings(s *store.PersonStudy, linger time.Duration) (n int, began time.Time) {
	for _, at := range s.Showings {
		if n == 0 || at.Sub(began) > linger {
			n, began = n+1, at
		}
	}
	return n, began
}

// mergeSeen returns what the browser has of its own and what is known to the store,
// together, as [History.Merge] does for a whole History. It uses buf for the
// showings if both have some.
func mergeSeen(own, known *store.PersonStudy, buf []time.Time) (store.PersonStudy, []time.Time) {
	m := *known
	m.OpenedAt = latest(own.OpenedAt, known.OpenedAt)
	if cmp.Or(own.AnsweredAt.Compare(known.AnsweredAt), cmp.Compare(own.Answer, known.Answer), own.Until.Compare(known.Until)) > 0 {
		m.Answer, m.AnsweredAt, m.Until = own.Answer, own.AnsweredAt, own.Until
	}
	switch {
	case len(known.Showings) == 0:
		m.Showings = own.Showings
	case len(own.Showings) > 0:
		buf = append(append(buf[:0], known.Showings...), own.Showings...)
		slices.SortFunc(buf, time.Time.Compare)
		m.Showings = slices.CompactFunc(buf, time.Time.Equal)
	}
	return m, buf
}

// withoutReset returns what a browser remembers without what the store has reset since.
func withoutReset(own store.Person, known *store.Person) store.Person {
	shared := true // with the visitor's History
	for i := range own.Studies {
		at := known.Study(own.Studies[i].StudyID).ResetAt
		if at.IsZero() {
			continue
		}
		if shared {
			own.Studies, shared = slices.Clone(own.Studies), false
		}
		own.Studies[i] = since(own.Studies[i], at)
	}
	return own
}

// since returns s without what happened until then.
func since(s store.PersonStudy, then time.Time) store.PersonStudy {
	n, _ := slices.BinarySearchFunc(s.Showings, then, func(at, then time.Time) int {
		if at.After(then) {
			return 1
		}
		return -1
	})
	s.Showings = s.Showings[n:]
	if !s.OpenedAt.After(then) {
		s.OpenedAt = time.Time{}
	}
	if !s.AnsweredAt.After(then) {
		s.Answer, s.AnsweredAt, s.Until = 0, time.Time{}, time.Time{}
	}
	return s
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// within reports whether now is closer to then than d, on either side, so that a
// clock that was ahead for a while does not silence a study for as long.
func within(now, then time.Time, d time.Duration) bool {
	return !then.IsZero() && now.Sub(then).Abs() < d
}
