package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/askonce/askonce/store"
)

const (
	markFetched    = `update {prefix}interview set fetched = 1, due_at = due_at + 1` + ofClaim // MySQL counts only rows that change
	saveTranscript = `insert into {prefix}transcript (interview_id, fetched_at, content) values (?, ?, ?)
		{conflict:interview_id} fetched_at = {new:fetched_at}, content = {new:content}`
	selectTranscript  = `select fetched_at, content from {prefix}transcript where interview_id = ?`
	deleteTranscript  = `delete from {prefix}transcript where interview_id = ?`
	deleteTranscripts = `delete from {prefix}transcript where interview_id in `
)

// SaveTranscript implements [store.Transcripts].
func (s *Store) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	return s.runTx(ctx, "save a transcript", func(tx querier) error {
		if err := tx.withClaim(ctx, j, markFetched); err != nil {
			return err
		}
		_, err := tx.exec(ctx, saveTranscript, j.InterviewID, t.FetchedAt.UnixMicro(), notNil(t.Body))
		return err
	})
}

// Transcript implements [store.Transcripts].
func (s *Store) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	if err := store.CheckID(interviewID); err != nil {
		return store.Transcript{}, err
	}
	t := store.Transcript{InterviewID: interviewID}
	err := s.run(ctx, "read a transcript", func(q querier) error {
		var fetched int64
		err := q.one(ctx, []any{&fetched, &t.Body}, selectTranscript, interviewID)
		if errors.Is(err, sql.ErrNoRows) {
			err = store.ErrNotFound
		}
		t.FetchedAt = instant(fetched)
		return err
	})
	if err != nil {
		return store.Transcript{}, err
	}
	return t, nil
}

const (
	deleteJob = `update {prefix}interview set ` + noJob + ` where interview_id = ? and job <> 0`

	deleteDeadJobs    = `update {prefix}interview set ` + noJob + ` where job = 2 and interview_id in `
	deleteDeadLetters = `delete from {prefix}dead_letter where letter_id in `

	// MariaDB reads every job for a "not exists" here, and for a join only those of the transcripts.
	oldTranscripts = `select t.interview_id from {prefix}transcript t
		left join {prefix}interview i on i.interview_id = t.interview_id and i.job <> 0
		where t.fetched_at < ? and i.interview_id is null
		order by t.fetched_at, t.interview_id limit ?`
	oldDeadJobs    = `select interview_id from {prefix}interview where job = 2 and queued_at < ? limit ?`
	oldDeadLetters = `select letter_id from {prefix}dead_letter where received_at < ? order by received_at, letter_id limit ?`
)

// DeleteExpired implements [store.Retention].
func (s *Store) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (n int, err error) {
	if err := store.CheckExpirable(what); err != nil {
		return 0, err
	}
	var find, remove string
	switch what {
	case store.ExpirableTranscripts:
		find, remove = oldTranscripts, deleteTranscripts
	case store.ExpirableDeadJobs:
		find, remove = oldDeadJobs, deleteDeadJobs
	case store.ExpirableDeadLetters:
		find, remove = oldDeadLetters, deleteDeadLetters
	}
	err = s.run(ctx, "delete expired "+what.String(), func(q querier) error {
		ids, err := q.ids(ctx, find, before.UnixMicro(), max(limit, 0))
		if err != nil {
			return err
		}
		deleted, err := q.execForIDs(ctx, remove, nil, ids)
		n = int(deleted)
		return err
	})
	return n, err
}

// DeleteTranscript implements [store.Retention].
func (s *Store) DeleteTranscript(ctx context.Context, interviewID string) error {
	if err := store.CheckID(interviewID); err != nil {
		return err
	}
	return s.runTx(ctx, "delete a transcript", func(tx querier) error {
		jobs, err := tx.exec(ctx, deleteJob, interviewID)
		if err != nil {
			return err
		}
		transcripts, err := tx.exec(ctx, deleteTranscript, interviewID)
		if err == nil && jobs+transcripts == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// notNil keeps an empty body from becoming NULL.
func notNil(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

// printable returns at most 1,024 bytes that every database accepts as text.
func printable(reason string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(reason[:min(len(reason), 1024)], " "))
}
