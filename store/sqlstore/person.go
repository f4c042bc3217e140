package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"time"

	"github.com/askonce/askonce/store"
)

// Person implements [store.Interactions], with one query.
func (s *Store) Person(ctx context.Context, userID string) (p store.Person, err error) {
	if err := store.CheckID(userID); err != nil {
		return store.Person{}, err
	}
	err = s.withKey(ctx, s.readable, func(ready *session) error {
		p = store.Person{}
		if ready.key == nil {
			return nil
		}
		fits := false
		err := s.outside().each(ctx, func(rows *sql.Rows) error {
			var hash []byte
			var until int64
			var st store.PersonStudy
			if err := scanStudy(rows.Scan, &st, &hash, &st.StudyID, &until); err != nil {
				return err
			}
			switch {
			case bytes.Equal(hash, ready.key.check):
				fits = true
				return nil
			case st.StudyID == "":
				p.OptedOut, p.OptedOutAt = st.Answer == store.InteractionOptedOut, st.AnsweredAt
				return nil
			}
			if st.Completed = until != 0 && live(until); st.Completed {
				st.CompletedUntil = untilTime(until)
			}
			if st.Completed || len(st.Showings) > 0 || !st.OpenedAt.IsZero() || !st.AnsweredAt.IsZero() {
				p.Studies = append(p.Studies, st)
			}
			return nil
		}, s.text.person, ready.key.user(userID), ready.key.check)
		if err == nil && !fits {
			err = errStale
		}
		return err
	})
	return p, s.failed(ctx, "look up a user", err)
}

// scanStudy scans into first, and then what the user has seen and answered.
func scanStudy(scan func(...any) error, st *store.PersonStudy, first ...any) error {
	var showings []byte
	var opened, answered, snoozed int64
	var answer uint8
	if err := scan(append(first, &showings, &opened, &answer, &answered, &snoozed)...); err != nil {
		return err
	}
	for ; len(showings) >= 4; showings = showings[4:] {
		st.Showings = append(st.Showings, time.Unix(int64(binary.BigEndian.Uint32(showings)), 0).UTC())
	}
	st.Answer = store.InteractionKind(answer)
	st.OpenedAt, st.AnsweredAt, st.Until = second(opened), second(answered), second(snoozed)
	return nil
}

// Interactions keep their times as seconds since 1970, 0 for none.

func second(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// Note implements [store.Interactions]. The row of the user and the study is locked
// while it is merged.
func (s *Store) Note(ctx context.Context, i store.Interaction) error {
	if err := store.CheckInteraction(i); err != nil {
		return err
	}
	err := s.withKey(ctx, s.writable, func(ready *session) error {
		return s.inTx(ctx, func(tx querier) error { return s.note(ctx, tx, ready.key, i) })
	})
	return s.failed(ctx, "note an interaction", err)
}

func (s *Store) note(ctx context.Context, tx querier, key *hasher, i store.Interaction) error {
	hash := key.user(i.UserID)
	if _, err := tx.exec(ctx, s.text.lockStudy, hash, i.StudyID, key.check); err != nil {
		return err
	}
	st := store.PersonStudy{StudyID: i.StudyID}
	err := scanStudy(tx.row(ctx, s.text.study, hash, i.StudyID).Scan, &st)
	if errors.Is(err, sql.ErrNoRows) {
		return errStale
	}
	if err != nil {
		return err
	}
	merged := merge(st, i)
	_, err = tx.exec(ctx, s.text.keepStudy, packed(merged.Showings), seconds(merged.OpenedAt), uint8(merged.Answer), seconds(merged.AnsweredAt),
		seconds(merged.Until), hash, i.StudyID)
	if err != nil {
		return err
	}
	if kind, counts := kindOf[i.Kind]; counts {
		return s.countFirst(ctx, tx, hash, i.StudyID, kind, i.At)
	}
	return nil
}

// merge merges an interaction into its row. The row of no study has the opt-out as
// its answer.
func merge(st store.PersonStudy, i store.Interaction) store.PersonStudy {
	if st.StudyID == "" {
		p := store.Person{OptedOut: st.Answer == store.InteractionOptedOut, OptedOutAt: st.AnsweredAt}
		p.Note(i)
		st.Answer, st.AnsweredAt = store.InteractionUndone, p.OptedOutAt
		if p.OptedOut {
			st.Answer = store.InteractionOptedOut
		}
		return st
	}
	p := store.Person{Studies: []store.PersonStudy{st}}
	p.Note(i)
	return p.Studies[0]
}

func packed(showings []time.Time) []byte {
	b := make([]byte, 0, 4*len(showings))
	for _, t := range showings {
		b = binary.BigEndian.AppendUint32(b, uint32(t.Unix()))
	}
	return b
}

// The kinds that the funnel counts, as they are stored.
const (
	shown = iota
	opened
	snoozed
	declined
	completed
	kinds
)

var kindOf = map[store.InteractionKind]int{
	store.InteractionShown: shown, store.InteractionOpened: opened,
	store.InteractionSnoozed: snoozed, store.InteractionDeclined: declined,
}

var kindColumns = [kinds]string{"shown_day", "opened_day", "snoozed_day", "declined_day", "completed_day"}

// countFirst counts a user in the funnel on the earliest day that is known. The
// user's row for the study is locked by now.
func (s *Store) countFirst(ctx context.Context, tx querier, userHash []byte, studyID string, kind int, at time.Time) error {
	var counted int64
	if err := tx.row(ctx, s.text.countedDay[kind], userHash, studyID).Scan(&counted); err != nil {
		return err
	}
	day := dayNumber(at)
	if counted >= 0 && counted <= day {
		return nil
	}
	if counted >= 0 {
		if _, err := tx.exec(ctx, s.text.count, studyID, counted, kind, -1); err != nil {
			return err
		}
	}
	if _, err := tx.exec(ctx, s.text.count, studyID, day, kind, 1); err != nil {
		return err
	}
	_, err := tx.exec(ctx, s.text.keepCountedDay[kind], day, userHash, studyID)
	return err
}

func dayNumber(t time.Time) int64 { return max(0, store.Day(t).Unix()/86400) }

// Funnel implements [store.Interactions].
func (s *Store) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	if err := store.CheckID(studyID); err != nil {
		return nil, err
	}
	var days []store.FunnelDay
	first := dayNumber(from)
	for day := store.Day(from); day.Before(store.Day(to)); day = day.AddDate(0, 0, 1) {
		days = append(days, store.FunnelDay{Day: day})
	}
	_, err := s.ready(ctx)
	if err == nil {
		err = s.outside().each(ctx, func(rows *sql.Rows) error {
			var day, kind int64
			var users int
			if err := rows.Scan(&day, &kind, &users); err != nil {
				return err
			}
			if n := day - first; n >= 0 && n < int64(len(days)) && kind < kinds {
				d := &days[n]
				*[...]*int{&d.Shown, &d.Opened, &d.Snoozed, &d.Declined, &d.Completed}[kind] = users
			}
			return nil
		}, s.text.funnel, studyID, first, dayNumber(to))
	}
	if err != nil {
		return nil, s.failed(ctx, "read the funnel", err)
	}
	return days, nil
}

// Reset implements [store.Resetter].
func (s *Store) Reset(ctx context.Context, k store.Key) error {
	if err := store.CheckKey(k); err != nil {
		return err
	}
	err := s.withKey(ctx, s.readable, func(ready *session) error {
		if ready.key == nil {
			return nil
		}
		return s.inTx(ctx, func(tx querier) error {
			if _, err := tx.exec(ctx, s.text.resetPerson, []byte{}, ready.key.user(k.UserID), k.StudyID); err != nil {
				return err
			}
			_, err := tx.exec(ctx, s.text.resetInterviews, k.UserID, k.StudyID)
			return err
		})
	})
	return s.failed(ctx, "reset", err)
}

// Erase implements [store.Eraser]. It waits for a Record of the same user that is
// under way, and nobody else waits for it.
func (s *Store) Erase(ctx context.Context, userID string) error {
	if err := store.CheckID(userID); err != nil {
		return err
	}
	err := s.withKey(ctx, s.writable, func(ready *session) error {
		return s.inTx(ctx, func(tx querier) error { return s.erase(ctx, tx, ready.key, userID) })
	})
	return s.failed(ctx, "erase", err)
}

func (s *Store) erase(ctx context.Context, tx querier, key *hasher, userID string) error {
	if _, err := s.lock(ctx, tx, key, userID); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, s.text.erasePerson, key.user(userID), "", key.check); err != nil {
		return err
	}
	// By their ids: MySQL scans the table for "delete … where id in (select …)".
	ids, err := tx.strings(ctx, s.text.interviewsOf, userID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		// Jobs go before transcripts: SaveTranscript locks them in this order too.
		for _, text := range []string{s.text.deleteJob, s.text.deleteTranscript, s.text.disown} {
			if _, err := tx.exec(ctx, text, id); err != nil {
				return err
			}
		}
	}
	return nil
}
