package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Interactions is a store that keeps what users have seen of prompts and how they
// have answered, so that an answer follows the user from browser to browser.
//
// Events may arrive late, repeatedly and in any order, on any number of replicas. The
// result is the same, up to [MaxStudies]. Showings are a set of times. The last answer
// counts; of two answers in the same millisecond, the one with the greater
// [InteractionKind] counts. A showing or an opening never changes an answer.
//
// Users are found by a keyed hash, as completions are. Times of answers are kept to the
// millisecond, because users are quick to take one back; other times are kept to the
// second. A store never forgets a user altogether: Reset clears one study and keeps the
// time of the reset, and Erase removes the id and keeps the hash.
type Interactions interface {
	// Note records one interaction, which is durable once Note returns nil. It returns
	// the errors of [CheckInteraction] and [Person.CheckRoom].
	Note(ctx context.Context, i Interaction) error

	// Person returns everything about one user, completions included, in one round
	// trip. It returns the zero Person for an unknown user, and does not write.
	Person(ctx context.Context, userID string) (Person, error)

	// Funnel returns one row for each UTC day from the day of from up to, not
	// including, the day of to, in order. Days without events are zero rows.
	Funnel(ctx context.Context, studyID string, from, to time.Time) ([]FunnelDay, error)
}

// An Interaction is one thing that a user did with a prompt.
type Interaction struct {
	Key   // StudyID is "" for InteractionOptedOut, and for undoing that
	Kind  InteractionKind
	At    time.Time // when the user did it, by the app's clock
	Until time.Time // how long InteractionSnoozed lasts; ignored for the others
}

// InteractionKind is what a user did. Stores and cookies keep the numbers.
type InteractionKind uint8

// The kinds.
const (
	InteractionShown     InteractionKind = 0 // saw the prompt
	InteractionOpened    InteractionKind = 1 // went on to the interview
	InteractionUndone    InteractionKind = 2 // took the last answer back
	InteractionSnoozed   InteractionKind = 3 // answered "later"
	InteractionDeclined  InteractionKind = 4 // answered "no"
	InteractionOptedOut  InteractionKind = 5 // answered "never", for every study
	InteractionCompleted InteractionKind = 6 // completed the interview; only for metrics: see [Store].Record
)

var interactionNames = [...]string{"shown", "opened", "undone", "snoozed", "declined", "opted_out", "completed"}

// String returns the kind in snake case, as in metrics and logs, or "unknown".
func (k InteractionKind) String() string {
	if int(k) < len(interactionNames) {
		return interactionNames[k]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (k InteractionKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// A Person is what a store knows about one user.
type Person struct {
	OptedOut   bool
	OptedOutAt time.Time     // when the user opted out or took that back; zero if never
	Studies    []PersonStudy // ordered by StudyID
}

// Study returns what is known about the user and one study.
func (p Person) Study(studyID string) PersonStudy {
	for _, s := range p.Studies {
		if s.StudyID == studyID {
			return s
		}
	}
	return PersonStudy{StudyID: studyID}
}

// A PersonStudy is what a store knows about one user and one study.
type PersonStudy struct {
	StudyID string

	Completed      bool
	CompletedUntil time.Time // when the completion ends; zero if never

	// Showings are when the prompt was shown, oldest first, to the second. A store
	// keeps the latest [MaxShowings] of them.
	Showings []time.Time

	OpenedAt time.Time // when the interview was opened last; zero if never

	// Answer is the last answer: InteractionSnoozed, InteractionDeclined or
	// InteractionUndone. It means nothing while AnsweredAt is zero.
	Answer     InteractionKind
	AnsweredAt time.Time
	Until      time.Time // when a snooze ends

	// ResetAt is when the study was last reset, to the millisecond; zero if never. See
	// [Resetter]. Events in a browser's cookie up to this time do not count.
	ResetAt time.Time
}

// MaxShowings is how many showings of one study a store keeps for one user.
const MaxShowings = 255

// MaxStudies is the greatest number of studies for which a store keeps what one user has
// seen and answered. It is far more than an app needs. Without a limit a user could fill
// the store, because the browser names the study that it answers.
const MaxStudies = 256

// CheckRoom returns [ErrTooManyStudies] if p has seen or answered [MaxStudies] studies and
// this one is not among them. It accepts an empty studyID. It is meant for implementations
// of [Interactions], which call it after reading p and before writing.
func (p *Person) CheckRoom(studyID string) error {
	kept := 0
	for i := range p.Studies {
		s := &p.Studies[i]
		if len(s.Showings) == 0 && s.OpenedAt.IsZero() && s.AnsweredAt.IsZero() {
			continue
		}
		if s.StudyID == studyID {
			return nil
		}
		kept++
	}
	if kept < MaxStudies || studyID == "" {
		return nil
	}
	return ErrTooManyStudies
}

// Note merges one interaction into p, by the rules of [Interactions]. The result does not
// depend on the order or the repetition of calls. It is meant for implementations of
// Interactions.
func (p *Person) Note(i Interaction) {
	at := i.At.UTC().Truncate(time.Millisecond)
	if i.StudyID == "" {
		out := i.Kind == InteractionOptedOut
		if at.After(p.OptedOutAt) || at.Equal(p.OptedOutAt) && out {
			p.OptedOut, p.OptedOutAt = out, at
		}
		return
	}
	p.study(i.StudyID).note(i.Kind, at, i.Until.UTC().Truncate(time.Second))
}

// Reset clears a study of p and keeps the time of the reset, as [Resetter] does. That is
// now, or the time of the latest event if a replica with a clock that is ahead recorded
// it. It is meant for implementations of [Interactions].
func (p *Person) Reset(studyID string, now time.Time) {
	s := p.study(studyID)
	at := now.UTC().Truncate(time.Millisecond)
	for _, known := range slices.Concat(s.Showings, []time.Time{s.OpenedAt, s.AnsweredAt, s.ResetAt}) {
		if known.After(at) {
			at = known
		}
	}
	*s = PersonStudy{StudyID: studyID, ResetAt: at}
}

// study returns the entry of a study, and adds it if there is none.
func (p *Person) study(studyID string) *PersonStudy {
	n, known := slices.BinarySearchFunc(p.Studies, studyID, func(s PersonStudy, id string) int { return strings.Compare(s.StudyID, id) })
	if !known {
		p.Studies = slices.Insert(p.Studies, n, PersonStudy{StudyID: studyID})
	}
	return &p.Studies[n]
}

func (s *PersonStudy) note(kind InteractionKind, at, until time.Time) {
	switch kind {
	case InteractionShown:
		at = at.Truncate(time.Second)
		n, known := slices.BinarySearchFunc(s.Showings, at, time.Time.Compare)
		if !known {
			s.Showings = slices.Insert(s.Showings, n, at)
			s.Showings = s.Showings[max(0, len(s.Showings)-MaxShowings):]
		}
	case InteractionOpened:
		if at = at.Truncate(time.Second); at.After(s.OpenedAt) {
			s.OpenedAt = at
		}
	default:
		if kind != InteractionSnoozed {
			until = time.Time{}
		}
		later := cmp.Or(at.Compare(s.AnsweredAt), cmp.Compare(kind, s.Answer), until.Compare(s.Until))
		if s.AnsweredAt.IsZero() || later > 0 {
			s.Answer, s.AnsweredAt, s.Until = kind, at, until
		}
	}
}

// A FunnelDay counts the users who did something for the first time in a study on one
// day. A user counts at most once per study and kind, on the earliest day. Reset and
// Erase do not change the counts.
type FunnelDay struct {
	Day                                         time.Time // 00:00 UTC
	Shown, Opened, Snoozed, Declined, Completed int
}

// Day returns the start of the UTC day of t.
func Day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
