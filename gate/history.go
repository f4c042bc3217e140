package gate

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// History is what a visitor has seen of prompts so far. It is a value: each
// transition returns a new one and leaves the old one as it was. The zero value
// is a visitor who has seen nothing.
//
// Times are kept to the second. A clock that runs backwards neither asks too
// often nor silences a study for ever: a time in the future counts by its
// distance.
type History struct {
	optedOut  bool
	lastShown time.Time // of any study
	studies   []seen    // never modified in place
}

// seen is what a visitor has seen of one study.
type seen struct {
	study        studyKey
	declined     bool
	shown        int
	lastShown    time.Time
	openedAt     time.Time
	snoozedUntil time.Time
}

const (
	maxStudies = 16                   // in one History; the one touched longest ago goes first
	maxShown   = 255                  // counted
	maxSnooze  = 366 * 24 * time.Hour // a longer one is a broken clock
)

// Shown notes that the study's prompt was shown.
func (h History) WithShown(studyID string, now time.Time) History {
	h.lastShown = now
	return h.with(studyID, func(s *seen) { s.shown, s.lastShown = min(s.shown+1, maxShown), now })
}

// Opened notes that the study's interview was opened.
func (h History) WithOpened(studyID string, now time.Time) History {
	return h.with(studyID, func(s *seen) { s.openedAt = now })
}

// Snoozed silences the study until then. More than a year ahead is taken for a
// broken clock: such a snooze begins only when a year of it is left.
func (h History) WithSnooze(studyID string, until time.Time) History {
	return h.with(studyID, func(s *seen) { s.snoozedUntil = until })
}

// Declined silences the study for good.
func (h History) WithDecline(studyID string) History {
	return h.with(studyID, func(s *seen) { s.declined = true })
}

// OptedOut silences every study for good.
func (h History) WithOptOut() History {
	h.optedOut = true
	return h
}

// Showings is how often the study's prompt was shown.
func (h History) Showings(studyID string) int { return h.of(keyOf(studyID)).shown }

// IsZero reports whether the visitor has seen nothing.
func (h History) IsZero() bool { return !h.optedOut && h.lastShown.IsZero() && len(h.studies) == 0 }

func (h History) of(k studyKey) seen { return *find(h.studies, k) }

// find is of without a copy: its answer is never to be changed.
func find(studies []seen, k studyKey) *seen {
	for i := range studies {
		if studies[i].study == k {
			return &studies[i]
		}
	}
	return &unseen
}

var unseen seen

// with changes one study, which moves to the end: the front is what was
// touched longest ago. What was declined is the last to be forgotten.
func (h History) with(studyID string, change func(*seen)) History {
	k := keyOf(studyID)
	s := h.of(k)
	s.study = k
	change(&s)
	h.studies = slices.DeleteFunc(slices.Clone(h.studies), func(o seen) bool { return o.study == k })
	if len(h.studies) >= maxStudies {
		oldest := max(0, slices.IndexFunc(h.studies, func(o seen) bool { return !o.declined }))
		h.studies = slices.Delete(h.studies, oldest, oldest+1)
	}
	h.studies = append(h.studies, s)
	return h
}

func (s *seen) snoozed(now time.Time) bool {
	return now.Before(s.snoozedUntil) && s.snoozedUntil.Sub(now) <= maxSnooze
}

// within reports whether now is closer to then than d, on either side.
func within(now, then time.Time, d time.Duration) bool {
	return !then.IsZero() && now.Sub(then).Abs() < d
}

const historyVersion = 1

// AppendBinary appends h in a compact form: 7 bytes, and 25 for each study, of
// which a History keeps the last 16. The error is always nil.
func (h History) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, historyVersion, flag(h.optedOut))
	b = appendTime(b, h.lastShown)
	for _, s := range h.studies {
		b = append(b, s.study[:]...)
		b = append(b, flag(s.declined), byte(s.shown))
		b = appendTime(b, s.lastShown)
		b = appendTime(b, s.openedAt)
		b = appendTime(b, s.snoozedUntil)
	}
	return b, nil
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (h History) MarshalBinary() ([]byte, error) { return h.AppendBinary(nil) }

// UnmarshalBinary reads what AppendBinary wrote and nothing else; h stays as it
// was when there is an error.
func (h *History) UnmarshalBinary(b []byte) error {
	const head, each = 1 + 1 + 5, 8 + 2 + 3*5
	if len(b) < head || b[0] != historyVersion || b[1] > 1 || (len(b)-head)%each != 0 || (len(b)-head)/each > maxStudies {
		return errors.New("gate: not a history")
	}
	read := History{optedOut: b[1] == 1, lastShown: readTime(b[2:])}
	for b = b[head:]; len(b) > 0; b = b[each:] {
		if b[8] > 1 || read.of(studyKey(b[:8])) != (seen{}) {
			return errors.New("gate: not a history")
		}
		read.studies = append(read.studies, seen{
			study: studyKey(b[:8]), declined: b[8] == 1, shown: int(b[9]),
			lastShown: readTime(b[10:]), openedAt: readTime(b[15:]), snoozedUntil: readTime(b[20:]),
		})
	}
	*h = read
	return nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// appendTime writes the seconds since 1970 in 5 bytes, which last until the
// year 36812; 0 is no time.
func appendTime(b []byte, t time.Time) []byte {
	var secs int64
	if !t.IsZero() {
		secs = min(max(1, t.Unix()), 1<<40-1)
	}
	var buf [8]byte
	binary.BigEndian.PutUint64(buf[:], uint64(secs))
	return append(b, buf[3:]...)
}

func readTime(b []byte) time.Time {
	var buf [8]byte
	copy(buf[3:], b[:5])
	if secs := binary.BigEndian.Uint64(buf[:]); secs != 0 {
		return time.Unix(int64(secs), 0).UTC()
	}
	return time.Time{}
}
