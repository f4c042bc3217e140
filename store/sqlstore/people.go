package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// Every write about a user first locks the user's row with the study "", so that writes
// about one user are serialized: Erase sees an interview that is being recorded, and a
// later Record sees that the user was erased. Interviews are locked next, then the user's
// rows of studies, and last the funnel, which many users share.
const (
	lockPerson = `insert into {prefix}person (user_hash, study_id, key_check) values (?, '', ?)
		{conflict:user_hash, study_id} writes = {prefix}person.writes + 1`

	personColumns = `p.study_id, p.erased, p.completed_until, p.showings, p.opened_at, p.answer, p.answered_at, p.snoozed_until,
		p.first_shown, p.first_opened, p.first_snoozed, p.first_declined, p.first_completed, r.reset_at`

	// The join yields no row if the key has changed since it was loaded.
	selectPerson = `select ` + personColumns + ` from {prefix}secret k left join {prefix}person p on p.user_hash = ?
		left join {prefix}reset r on r.user_hash = p.user_hash and r.study_id = p.study_id where k.id = 1 and k.key_check = ?`
	selectCompleted = `select coalesce(p.completed_until, 0) from {prefix}secret k
		left join {prefix}person p on p.user_hash = ? and p.study_id = ? where k.id = 1 and k.key_check = ?`

	savePerson = `insert into {prefix}person (user_hash, study_id, key_check, completed_until, showings, opened_at, answer, answered_at, snoozed_until,
			first_shown, first_opened, first_snoozed, first_declined, first_completed)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {conflict:user_hash, study_id}
		completed_until = {new:completed_until}, showings = {new:showings}, opened_at = {new:opened_at}, answer = {new:answer},
		answered_at = {new:answered_at}, snoozed_until = {new:snoozed_until}, first_shown = {new:first_shown}, first_opened = {new:first_opened},
		first_snoozed = {new:first_snoozed}, first_declined = {new:first_declined}, first_completed = {new:first_completed}`

	saveReset = `insert into {prefix}reset (user_hash, study_id, reset_at) values (?, ?, ?)
		{conflict:user_hash, study_id} reset_at = {new:reset_at}`

	markErased = `update {prefix}person set erased = 1 where user_hash = ? and study_id = ''`
)

// person is what is stored about one user.
type person struct {
	hash    []byte
	erased  bool
	said    store.Person
	studies map[string]*personStudy
	funnel  []funnelChange // not yet written
}

// personStudy is what [store.Person] lacks.
type personStudy struct {
	completedUntil int64                  // 0 if the study is not completed
	firsts         [kinds]sql.Null[int64] // the days that the funnel counts
}

func (p *person) study(studyID string) *personStudy {
	st, ok := p.studies[studyID]
	if !ok {
		st = &personStudy{}
		p.studies[studyID] = st
	}
	return st
}

// person reads what is stored about a user.
func (q querier) person(ctx context.Context, userID string) (*person, error) {
	p := &person{hash: q.ready.hashes.user(userID), studies: map[string]*personStudy{}}
	if q.ready.hashes == nil {
		return p, nil
	}
	keyFits := false
	err := q.each(ctx, func(rows *sql.Rows) error {
		keyFits = true
		return p.scan(rows)
	}, selectPerson, p.hash, q.ready.hashes.check)
	if err == nil && !keyFits {
		err = errKeyChanged
	}
	slices.SortFunc(p.said.Studies, func(a, b store.PersonStudy) int { return strings.Compare(a.StudyID, b.StudyID) })
	return p, err
}

func (p *person) scan(rows *sql.Rows) error {
	var studyID sql.Null[string]
	var erased, until, opened, answer, answered, snoozed, reset sql.Null[int64]
	var showings []byte
	var st personStudy
	err := rows.Scan(&studyID, &erased, &until, &showings, &opened, &answer, &answered, &snoozed,
		&st.firsts[0], &st.firsts[1], &st.firsts[2], &st.firsts[3], &st.firsts[4], &reset)
	if err != nil || !studyID.Valid {
		return err
	}
	st.completedUntil = until.V
	p.studies[studyID.V] = &st
	said := store.PersonStudy{
		StudyID: studyID.V, Showings: unpack(showings), OpenedAt: optional(opened.V),
		Answer: store.InteractionKind(answer.V), AnsweredAt: optional(answered.V), Until: optional(snoozed.V),
		ResetAt: optional(reset.V),
	}
	if until.V != 0 && live(until.V) {
		said.Completed, said.CompletedUntil = true, untilTime(until.V)
	}
	switch {
	case studyID.V == "":
		p.erased = erased.V != 0
		p.said.OptedOut, p.said.OptedOutAt = said.Answer == store.InteractionOptedOut, said.AnsweredAt
	case said.Completed || len(said.Showings) > 0 || !said.OpenedAt.IsZero() || !said.AnsweredAt.IsZero() || !said.ResetAt.IsZero():
		p.said.Studies = append(p.said.Studies, said)
	}
	return nil
}

// lock waits for other writes about the user and reads what is stored. For the very first
// user it makes the key.
func (q querier) lock(ctx context.Context, userID string) (*person, error) {
	if q.ready.hashes == nil {
		return nil, errNoKey
	}
	if _, err := q.exec(ctx, lockPerson, q.ready.hashes.user(userID), q.ready.hashes.check); err != nil {
		return nil, err
	}
	return q.person(ctx, userID)
}

// save writes what is known about a study, "" for every study, and the funnel.
func (q querier) save(ctx context.Context, p *person, studyID string) error {
	said, st := p.said.Study(studyID), p.study(studyID)
	if studyID == "" {
		said.Answer, said.AnsweredAt = store.InteractionUndone, p.said.OptedOutAt
		if p.said.OptedOut {
			said.Answer = store.InteractionOptedOut
		}
	}
	args := []any{p.hash, studyID, q.ready.hashes.check, st.completedUntil, pack(said.Showings), micros(said.OpenedAt),
		int64(said.Answer), micros(said.AnsweredAt), micros(said.Until)}
	for _, first := range st.firsts {
		args = append(args, first)
	}
	if _, err := q.exec(ctx, savePerson, args...); err != nil {
		return err
	}
	return q.countFunnel(ctx, studyID, p.funnel)
}

// complete records that an interview completes its study, until the given time or a known
// later one.
func (p *person) complete(studyID string, until, completedAt int64) {
	st := p.study(studyID)
	st.completedUntil = max(st.completedUntil, until, 1)
	p.count(studyID, completed, instant(completedAt))
}

// pack and unpack store showings as 8 bytes each.
func pack(showings []time.Time) []byte {
	packed := make([]byte, 0, 8*len(showings))
	for _, at := range showings {
		packed = binary.BigEndian.AppendUint64(packed, uint64(at.Unix()))
	}
	return packed
}

func unpack(packed []byte) (showings []time.Time) {
	for ; len(packed) >= 8; packed = packed[8:] {
		showings = append(showings, time.Unix(int64(binary.BigEndian.Uint64(packed)), 0).UTC())
	}
	return showings
}

// Completed implements [store.Store].
func (s *Store) Completed(ctx context.Context, k store.Key) (done bool, err error) {
	if err := store.CheckKey(k); err != nil {
		return false, err
	}
	err = s.run(ctx, "look up a completion", func(q querier) error {
		var until int64
		hashes := q.ready.hashes
		if hashes == nil {
			return nil
		}
		err := q.one(ctx, []any{&until}, selectCompleted, hashes.user(k.UserID), k.StudyID, hashes.check)
		if errors.Is(err, sql.ErrNoRows) {
			return errKeyChanged
		}
		done = live(until)
		return err
	})
	return done && err == nil, err
}

// Person implements [store.Interactions].
func (s *Store) Person(ctx context.Context, userID string) (all store.Person, err error) {
	if err := store.CheckID(userID); err != nil {
		return store.Person{}, err
	}
	err = s.run(ctx, "look up a person", func(q querier) error {
		p, err := q.person(ctx, userID)
		if err == nil {
			all = p.said
		}
		return err
	})
	return all, err
}

// Note implements [store.Interactions]. It takes one short transaction.
func (s *Store) Note(ctx context.Context, i store.Interaction) error {
	if err := store.CheckInteraction(i); err != nil {
		return err
	}
	return s.runTx(ctx, "note an interaction", func(tx querier) error {
		p, err := tx.lock(ctx, i.UserID)
		if err != nil {
			return err
		}
		if err := p.said.CheckRoom(i.StudyID); err != nil {
			return err
		}
		p.said.Note(i)
		if kind, counts := kindOf[i.Kind]; counts {
			p.count(i.StudyID, kind, i.At)
		}
		return tx.save(ctx, p, i.StudyID)
	})
}

const (
	resetInterviews = `update {prefix}interview set was_reset = 1 where user_id = ? and study_id = ?`
	eraseInterviews = `update {prefix}interview set user_id = '', was_erased = 1, ` + noJob + ` where user_id = ?`
	usersInterviews = `select interview_id from {prefix}interview where user_id = ?`
)

// Reset implements [store.Resetter].
func (s *Store) Reset(ctx context.Context, k store.Key) error {
	if err := store.CheckKey(k); err != nil {
		return err
	}
	return s.runTx(ctx, "reset", func(tx querier) error {
		p, err := tx.lock(ctx, k.UserID)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, resetInterviews, k.UserID, k.StudyID); err != nil {
			return err
		}
		p.said.Reset(k.StudyID, time.Now())
		p.study(k.StudyID).completedUntil = 0
		if err := tx.save(ctx, p, k.StudyID); err != nil {
			return err
		}
		_, err = tx.exec(ctx, saveReset, p.hash, k.StudyID, micros(p.said.Study(k.StudyID).ResetAt))
		return err
	})
}

// Erase implements [store.Eraser]. It waits only for calls about the same user.
func (s *Store) Erase(ctx context.Context, userID string) error {
	if err := store.CheckID(userID); err != nil {
		return err
	}
	return s.runTx(ctx, "erase", func(tx querier) error {
		p, err := tx.lock(ctx, userID)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, markErased, p.hash); err != nil {
			return err
		}
		ids, err := tx.ids(ctx, usersInterviews, userID)
		if err != nil || len(ids) == 0 {
			return err
		}
		// Interviews first: SaveTranscript locks in the same order.
		if _, err := tx.exec(ctx, eraseInterviews, userID); err != nil {
			return err
		}
		_, err = tx.execForIDs(ctx, deleteTranscripts, nil, ids)
		return err
	})
}
