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
// Events may arrive late, repeatedly and in any order, on any number of replicas:
// the result is the same, up to [MaxStudies]. Showings are a set of instants. Of the answers the one
// that was given last counts; of two given in the same millisecond, the one whose
// [InteractionKind] is greater. A showing or an opening never changes an answer.
//
// Users are found by a keyed hash, as completions are. The times of answers are kept
// to the millisecond, because users are quick to take one back, and others to the
// second. What is known about a user is never deleted: Reset clears one study and
// keeps the time of that, and Erase takes away the id and keeps the hash.
type Interactions interface {
	// Note records one interaction. It is durable once it returns nil. It returns
	// an error that matches [ErrInvalid] as [CheckInteraction] does, and
	// [ErrTooManyStudies] as [Person.CheckRoom] does.
	Note(ctx context.Context, i Interaction) error

	// Person returns everything about one user, completions included, in one round
	// trip. An unknown user has a zero Person. It does not write.
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

// InteractionKind says what a user did. Stores and cookies keep its number: values are
// only ever added at the end.
type InteractionKind uint8

const (
	InteractionShown     InteractionKind = iota // saw the prompt
	InteractionOpened                           // went on to the interview
	InteractionUndone                           // took the last answer back
	InteractionSnoozed                          // answered "later"
	InteractionDeclined                         // answered "no"
	InteractionOptedOut                         // answered "never", for every study
	InteractionCompleted                        // completed the interview: for metrics, as Note refuses it, see [Store].Record
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

	// ResetAt is when [Resetter] forgot all of the above, to the millisecond; zero if
	// never. What a browser remembers from this time or before does not count.
	ResetAt time.Time
}

// MaxShowings is how many showings of one study a store keeps for one user.
const MaxShowings = 255

// MaxStudies is how many studies that one user has seen or answered a store keeps. A
// browser names the study that it answers, so a user could make the store grow without
// end. It is far more than an app asks one user about.
const MaxStudies = 256

// CheckRoom returns [ErrTooManyStudies] if p has seen or answered [MaxStudies] studies,
// and this one is not among them. It is meant for implementations of Interactions,
// between the reading of p and the writing, and accepts an empty studyID.
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

// Note merges one interaction into p, by the rules of [Interactions]. The result
// does not depend on the order of the calls, nor on repetitions. It is meant for
// implementations of Interactions.
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

// Reset forgets what p knows about a study and keeps the time of that, as [Resetter]
// does: now, or the time of the latest event if that is from a replica whose clock is
// ahead. It is meant for implementations of Interactions.
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

// study returns what is known about a study, to be changed.
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

// A FunnelDay counts the users who did something for the first time in a study on
// one day. A user counts at most once for each kind in each study, on the earliest
// day, whatever Reset or Erase do later.
type FunnelDay struct {
	Day                                         time.Time // 00:00 UTC
	Shown, Opened, Snoozed, Declined, Completed int
}

// Day returns the start of the UTC day of t.
func Day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
