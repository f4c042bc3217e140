package gate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

// A History is what one browser knows of earlier prompts and answers. It is a
// value: each method returns a new History and leaves the old one as it was. The
// zero value is a visitor who has seen nothing.
//
// It follows the rules of [store.Interactions]: showings are a set of instants,
// answers are ordered by when they were given, and a showing never changes an
// answer.
type History struct{ seen store.Person }

const (
	maxSnooze  = 366 * 24 * time.Hour // a longer one comes from a wrong clock
	maxEncoded = 1200                 // bytes; sealed, this makes a cookie of less than 2.5 KB
)

// WithShown returns h with a showing of the study's prompt.
func (h History) WithShown(studyID string, at time.Time) History {
	return h.with(store.Interaction{Key: store.Key{StudyID: studyID}, Kind: store.InteractionShown, At: at})
}

// WithOpened returns h with the study's interview opened.
func (h History) WithOpened(studyID string, at time.Time) History {
	return h.with(store.Interaction{Key: store.Key{StudyID: studyID}, Kind: store.InteractionOpened, At: at})
}

// WithSnooze returns h with the answer "later", which silences the study until the given
// time. The snooze has no effect while that is more than 366 days away, because only a
// wrong clock sets such a time.
func (h History) WithSnooze(studyID string, at, until time.Time) History {
	return h.with(store.Interaction{Key: store.Key{StudyID: studyID}, Kind: store.InteractionSnoozed, At: at, Until: until})
}

// WithDecline returns h with the answer "no", which silences the study forever.
func (h History) WithDecline(studyID string, at time.Time) History {
	return h.with(store.Interaction{Key: store.Key{StudyID: studyID}, Kind: store.InteractionDeclined, At: at})
}

// WithUndo returns h without the last answer about the study. An empty studyID undoes an
// opt-out.
func (h History) WithUndo(studyID string, at time.Time) History {
	return h.with(store.Interaction{Key: store.Key{StudyID: studyID}, Kind: store.InteractionUndone, At: h.AnsweredAt(studyID, at)})
}

// WithOptOut returns h with the answer "never", which silences every study.
func (h History) WithOptOut(at time.Time) History {
	return h.with(store.Interaction{Kind: store.InteractionOptedOut, At: at})
}

// AnsweredAt returns the time to record for an answer about the study that is given now.
// It is now, or just after the browser's last answer if that came from a replica whose
// clock is ahead. An empty studyID means an opt-out.
func (h History) AnsweredAt(studyID string, now time.Time) time.Time {
	last := h.seen.Study(studyID).AnsweredAt
	if studyID == "" {
		last = h.seen.OptedOutAt
	}
	if now.Sub(last) < time.Millisecond { // times are kept to the millisecond
		return last.Add(time.Millisecond)
	}
	return now
}

func (h History) with(i store.Interaction) History {
	i.At, i.Until = time.UnixMilli(millis(i.At)), time.Unix(seconds(i.Until), 0)
	h = h.clone()
	h.seen.Note(i)
	return h
}

// clone returns a deep copy of h.
func (h History) clone() History {
	h.seen.Studies = slices.Clone(h.seen.Studies)
	for i, s := range h.seen.Studies {
		h.seen.Studies[i].Showings = slices.Clone(s.Showings)
	}
	return h
}

// Merge returns what h and o know together. It is commutative, associative and
// idempotent.
func (h History) Merge(o History) History {
	h = h.clone()
	if !o.seen.OptedOutAt.IsZero() {
		kind := store.InteractionUndone
		if o.seen.OptedOut {
			kind = store.InteractionOptedOut
		}
		h.seen.Note(store.Interaction{Kind: kind, At: o.seen.OptedOutAt})
	}
	for _, s := range o.seen.Studies {
		i := store.Interaction{Key: store.Key{StudyID: s.StudyID}, Kind: store.InteractionShown}
		for _, i.At = range s.Showings {
			h.seen.Note(i)
		}
		if !s.OpenedAt.IsZero() {
			i.Kind, i.At = store.InteractionOpened, s.OpenedAt
			h.seen.Note(i)
		}
		if !s.AnsweredAt.IsZero() {
			i.Kind, i.At, i.Until = s.Answer, s.AnsweredAt, s.Until
			h.seen.Note(i)
		}
	}
	return h
}

// Showings returns the instants at which the study's prompt was seen, oldest
// first, of which at most [store.MaxShowings] are kept.
func (h History) Showings(studyID string) []time.Time {
	return slices.Clone(h.seen.Study(studyID).Showings)
}

// IsZero reports whether the visitor has seen nothing.
func (h History) IsZero() bool { return isBlank(&h.seen) }

const historyVersion = 3

// AppendBinary implements [encoding.BinaryAppender]. It appends at most 1,200 bytes. It
// drops the studies that do not fit, least recently touched first and declined ones
// last. The error is always nil.
func (h History) AppendBinary(b []byte) ([]byte, error) {
	studies := h.seen.Studies
	for {
		n := len(b)
		b = append(b, historyVersion, flag(h.seen.OptedOut))
		b = appendMillis(b, h.seen.OptedOutAt)
		for i := range studies {
			b = appendStudy(b, &studies[i])
		}
		if len(b)-n <= maxEncoded {
			return b, nil
		}
		b, studies = b[:n], withoutOldest(studies)
	}
}

func withoutOldest(studies []store.PersonStudy) []store.PersonStudy {
	oldest := slices.MinFunc(studies, func(a, b store.PersonStudy) int {
		return cmp.Or(cmp.Compare(flag(declined(&a)), flag(declined(&b))), touched(&a).Compare(touched(&b)), cmp.Compare(a.StudyID, b.StudyID))
	})
	return slices.DeleteFunc(slices.Clone(studies), func(s store.PersonStudy) bool { return s.StudyID == oldest.StudyID })
}

func appendStudy(b []byte, s *store.PersonStudy) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.StudyID)))
	b = append(b, s.StudyID...)
	b = append(b, byte(s.Answer))
	b = appendMillis(b, s.AnsweredAt)
	b = appendTime(b, s.Until)
	b = appendTime(b, s.OpenedAt)
	b = binary.AppendUvarint(b, uint64(len(s.Showings)))
	var last int64
	for _, at := range s.Showings {
		secs := seconds(at)
		b = binary.AppendUvarint(b, uint64(secs-last))
		last = secs
	}
	return b
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (h History) MarshalBinary() ([]byte, error) { return h.AppendBinary(nil) }

var errHistory = errors.New("gate: not a history")

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]. It accepts only what
// AppendBinary wrote. It does not change h if it fails.
func (h *History) UnmarshalBinary(b []byte) error {
	if len(b) > maxEncoded || len(b) < 8 || b[0] != historyVersion {
		return errHistory
	}
	r := reader{rest: b[1:]}
	read := History{}
	read.seen.OptedOut = r.byte() == 1
	read.seen.OptedOutAt = r.millis()
	for len(r.rest) > 0 && !r.failed {
		s := store.PersonStudy{StudyID: string(r.take(r.uvarint())), Answer: store.InteractionKind(r.byte())}
		s.AnsweredAt, s.Until, s.OpenedAt = r.millis(), r.time(), r.time()
		n, last := r.uvarint(), int64(0)
		for range min(n, uint64(len(r.rest))) {
			last += int64(r.uvarint())
			s.Showings = append(s.Showings, time.Unix(last, 0).UTC())
		}
		read.seen.Studies = append(read.seen.Studies, s)
	}
	// An encoding that is not canonical does not survive the round trip.
	again, err := History{}.Merge(read).AppendBinary(nil)
	if r.failed || err != nil || !bytes.Equal(again, b) {
		return errHistory
	}
	*h = read
	return nil
}

// reader reads the fields of an encoded History.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		n, r.failed = len(r.rest), true
	}
	r.take(uint64(n))
	return v
}

func (r *reader) time() time.Time {
	if secs := r.number(5); secs != 0 {
		return time.Unix(secs, 0).UTC()
	}
	return time.Time{}
}

func (r *reader) millis() time.Time {
	if ms := r.number(6); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// number reads a number of n bytes.
func (r *reader) number(n int) int64 {
	var buf [8]byte
	copy(buf[8-n:], r.take(uint64(n)))
	return int64(binary.BigEndian.Uint64(buf[:]))
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// seconds returns t as a Unix time, or the nearest one above 0 that 5 bytes can hold.
// They last until the year 36812.
func seconds(t time.Time) int64 { return min(max(1, t.Unix()), 1<<40-1) }

// millis is seconds in milliseconds. 6 bytes last until the year 10889. The least is a
// whole second, because showings are kept in seconds.
func millis(t time.Time) int64 { return min(max(1000, t.UnixMilli()), 1<<48-1) }

func appendTime(b []byte, t time.Time) []byte { return appendNumber(b, t, seconds(t), 5) }

func appendMillis(b []byte, t time.Time) []byte { return appendNumber(b, t, millis(t), 6) }

// appendNumber appends the size lowest bytes of n, which stands for t. The zero time is
// written as 0.
func appendNumber(b []byte, t time.Time, n int64, size int) []byte {
	var buf [8]byte
	if !t.IsZero() {
		binary.BigEndian.PutUint64(buf[:], uint64(n))
	}
	return append(b, buf[8-size:]...)
}

// A [store.PersonStudy] is what a visitor has seen of one study, by the browser, the store
// or both.

func declined(s *store.PersonStudy) bool {
	return s.Answer == store.InteractionDeclined && !s.AnsweredAt.IsZero()
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

// showings counts the showings, and returns when the last one began. Showings within
// linger of the first one count as one.
func showings(s *store.PersonStudy, linger time.Duration) (n int, began time.Time) {
	for _, at := range s.Showings {
		if n == 0 || at.Sub(began) > linger {
			n, began = n+1, at
		}
	}
	return n, began
}

// mergeSeen merges what the browser and the store know of one study, like
// [History.Merge]. It returns buf, which holds the showings if both have some.
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

// withoutReset returns what a browser remembers, without the studies' events before they
// were reset in the store.
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

// since returns s without its events up to then.
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

// within reports whether now is less than d away from then, in either direction. A clock
// that was ahead for a while must not silence a study for as long.
func within(now, then time.Time, d time.Duration) bool {
	return !then.IsZero() && now.Sub(then).Abs() < d
}
