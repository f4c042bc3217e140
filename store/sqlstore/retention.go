package sqlstore

import (
	"context"
	"time"

	"github.com/askonce/askonce/store"
)

const (
	deleteJob = `update {prefix}interview set ` + noJob + ` where interview_id = ? and job <> 0`

	deleteDeadJobs    = `update {prefix}interview set ` + noJob + ` where job = 2 and interview_id in `
	deleteDeadLetters = `delete from {prefix}dead_letter where letter_id in `

	oldTranscripts = `select t.interview_id from {prefix}transcript t where t.fetched_at < ?
		and not exists (select 1 from {prefix}interview i where i.interview_id = t.interview_id and i.job <> 0)
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
	case store.ExpiredTranscripts:
		find, remove = oldTranscripts, deleteTranscripts
	case store.ExpiredDeadJobs:
		find, remove = oldDeadJobs, deleteDeadJobs
	case store.ExpiredDeadLetters:
		find, remove = oldDeadLetters, deleteDeadLetters
	}
	err = s.run(ctx, "delete expired "+what.String(), func(q querier) error {
		n = 0
		if limit <= 0 {
			return nil
		}
		ids, err := q.ids(ctx, find, before.UnixMicro(), limit)
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
		transcripts, err := tx.execForIDs(ctx, deleteTranscripts, nil, []string{interviewID})
		if err == nil && jobs+transcripts == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}
