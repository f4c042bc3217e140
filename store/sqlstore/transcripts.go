package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode"

	"github.com/askonce/askonce/store"
)

const (
	markFetched    = `update {prefix}interview set fetched = 1, due_at = due_at + 1` + ofClaim // MySQL counts only rows that change
	saveTranscript = `insert into {prefix}transcript (interview_id, fetched_at, content) values (?, ?, ?)
		{conflict:interview_id} fetched_at = {new:fetched_at}, content = {new:content}`
	selectTranscript  = `select fetched_at, content from {prefix}transcript where interview_id = ?`
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
