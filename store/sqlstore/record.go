package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/askonce/askonce/store"
)

// Completed implements [store.Store].
func (s *Store) Completed(ctx context.Context, k store.Key) (done bool, err error) {
	if err := store.CheckKey(k); err != nil {
		return false, err
	}
	err = s.withKey(ctx, s.readable, func(ready *session) error {
		done = false
		if ready.key == nil {
			return nil
		}
		fits := false
		err := s.outside().each(ctx, func(rows *sql.Rows) error {
			var study string
			var until int64
			if err := rows.Scan(&study, &until); err != nil {
				return err
			}
			fits = fits || study == ""
			done = done || study == k.StudyID && live(until)
			return nil
		}, s.text.completed, ready.key.user(k.UserID), ready.key.check, k.StudyID)
		if err == nil && !fits {
			err = errStale
		}
		return err
	})
	return done && err == nil, s.failed(ctx, "look up a completion", err)
}

// state is what the store keeps of an interview beside the completion.
type state struct {
	study, user, quality             string
	until, completedAt               int64
	ignored, erased, reset, finished bool
}

// read returns false if the interview is not known.
func (st *state) read(row *sql.Row) (bool, error) {
	err := row.Scan(&st.study, &st.user, &st.quality, &st.until, &st.completedAt, &st.ignored, &st.erased, &st.reset, &st.finished)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// adds reports whether c says something about the interview that is not stored.
func (st *state) adds(c store.Completion) bool {
	return st.quality == "" && c.Quality != "" || st.user == "" && c.UserID != "" && !st.erased
}

// Record implements [store.Store]. Repeating what is stored does not write.
func (s *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := store.CheckCompletion(c); err != nil {
		return false, err
	}
	c.CompletedAt, c.Until = store.Instant(c.CompletedAt), store.Instant(c.Until)
	err = s.withKey(ctx, s.writable, func(ready *session) error {
		if settled, err := s.settled(ctx, ready.key, c); err != nil || settled {
			return err
		}
		return s.inTx(ctx, func(tx querier) error {
			first, err = s.record(ctx, tx, ready.key, c)
			return err
		})
	})
	return first && err == nil, s.failed(ctx, "record", err)
}

// settled reports whether nothing is left to do about an interview.
func (s *Store) settled(ctx context.Context, key *hasher, c store.Completion) (bool, error) {
	var st state
	known, err := st.read(s.outside().row(ctx, s.text.interview, c.InterviewID))
	if err != nil || !known || st.adds(c) {
		return false, err
	}
	var job, mark bool
	err = s.outside().row(ctx, s.text.healed, c.InterviewID, key.user(st.user), st.study).Scan(&job, &mark)
	return (job || st.finished) && (mark || !st.completes()), err
}

// completes reports whether the interview completes its study for its user.
func (st *state) completes() bool { return st.user != "" && !st.ignored && !st.reset }

func (s *Store) record(ctx context.Context, tx querier, key *hasher, c store.Completion) (first bool, err error) {
	erased := false
	if c.UserID != "" {
		if erased, err = s.lock(ctx, tx, key, c.UserID); err != nil {
			return false, err
		}
	}
	user := c.UserID
	if erased {
		user = ""
	}
	n, err := tx.exec(ctx, s.text.insertInterview, c.InterviewID, c.StudyID, user, c.CompletedAt.UnixMicro(), untilMicros(c.Until),
		c.Duration.Microseconds(), c.Quality, c.Language, number(c.Ignored), number(erased), number(erased))
	switch {
	case err != nil:
		return false, err
	case n != 1:
		return false, s.recordAgain(ctx, tx, key, c, erased)
	case c.UserID != "" && !c.Ignored:
		err = s.complete(ctx, tx, key.user(c.UserID), c.StudyID, untilMicros(c.Until), c.CompletedAt)
	}
	if err == nil && !erased {
		_, err = tx.exec(ctx, s.text.insertJob, c.InterviewID)
	}
	return err == nil, err
}

// lock holds the user's row until the transaction ends, so that Erase waits for
// Record and Record for Erase, and nobody else for either.
func (s *Store) lock(ctx context.Context, tx querier, key *hasher, userID string) (erased bool, err error) {
	hash := key.user(userID)
	if _, err := tx.exec(ctx, s.text.lockPerson, hash, "", key.check); err != nil {
		return false, err
	}
	err = tx.row(ctx, s.text.isErased, hash).Scan(&erased)
	if errors.Is(err, sql.ErrNoRows) {
		err = errStale
	}
	return erased, err
}

// recordAgain adds what a later call knows, and restores what has been lost.
func (s *Store) recordAgain(ctx context.Context, tx querier, key *hasher, c store.Completion, erased bool) error {
	var st state
	if known, err := st.read(tx.row(ctx, s.text.lockInterview, c.InterviewID)); err != nil || !known {
		return err
	}
	if st.quality == "" && c.Quality != "" {
		st.until, st.ignored = untilMicros(c.Until), c.Ignored
		if _, err := tx.exec(ctx, s.text.revise, c.Quality, st.until, number(st.ignored), c.InterviewID); err != nil {
			return err
		}
		if st.user != "" {
			var until int64
			if err := tx.row(ctx, s.text.latest, st.user, st.study).Scan(&until); err != nil {
				return err
			}
			if _, err := tx.exec(ctx, s.text.mark, until, key.user(st.user), st.study); err != nil {
				return err
			}
		}
	}
	if st.user == "" && c.UserID != "" && !st.erased {
		if err := s.attribute(ctx, tx, key, &st, c, erased); err != nil {
			return err
		}
	}
	if st.completes() {
		if err := s.complete(ctx, tx, key.user(st.user), st.study, st.until, instant(st.completedAt)); err != nil {
			return err
		}
	}
	if st.finished || st.erased {
		return nil
	}
	_, err := tx.exec(ctx, s.text.insertJob, c.InterviewID)
	return err
}

// attribute gives an interview that is nobody's to a user.
func (s *Store) attribute(ctx context.Context, tx querier, key *hasher, st *state, c store.Completion, erased bool) error {
	if !erased {
		st.user = c.UserID
		_, err := tx.exec(ctx, s.text.attribute, c.UserID, c.InterviewID)
		return err
	}
	st.erased = true
	for _, text := range []string{s.text.disown, s.text.deleteJob, s.text.deleteTranscript} {
		if _, err := tx.exec(ctx, text, c.InterviewID); err != nil {
			return err
		}
	}
	if st.ignored {
		return nil
	}
	return s.complete(ctx, tx, key.user(c.UserID), st.study, st.until, instant(st.completedAt))
}

// complete notes that a user has completed a study, and counts it.
func (s *Store) complete(ctx context.Context, tx querier, userHash []byte, studyID string, until int64, at time.Time) error {
	if _, err := tx.exec(ctx, s.text.complete, userHash, studyID, until); err != nil {
		return err
	}
	return s.countFirst(ctx, tx, userHash, studyID, completed, at)
}

// Times are kept as microseconds since 1970.

const never = math.MaxInt64

func untilMicros(until time.Time) int64 {
	if until.IsZero() {
		return never
	}
	if until.UnixMicro() == 0 {
		return 1 // 0 is for "not completed"
	}
	return until.UnixMicro()
}

func untilTime(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return instant(micros)
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// live reports whether a completion that ends at until counts now.
func live(until int64) bool { return until == never || until > time.Now().UnixMicro() }

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
