package recipes

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

const imported = "imported-" // prefix of the interview ids that Import makes

// Import records users who completed the study before the app used askonce, each with
// the time of the interview. The provider does not know the interview ids that Import
// makes, so no transcripts are fetched for them.
//
// The key is 32 random bytes. After a failure, run Import again with the same key. Delete
// the key when the import is complete, so that nobody can link an interview's id to its
// user. Run Import before Kit.Run.
func Import(ctx context.Context, s store.Store, studyID string, users iter.Seq2[string, time.Time], key []byte) error {
	for user, completedAt := range users {
		k := store.Key{StudyID: studyID, UserID: user}
		if err := store.CheckKey(k); err != nil { // without a user the interview would be anonymous
			return err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(studyID + "\x00" + user))
		_, err := s.Record(ctx, store.Completion{
			Key:         k,
			InterviewID: imported + hex.EncodeToString(mac.Sum(nil)),
			CompletedAt: completedAt,
		})
		if err != nil {
			return err
		}
	}
	return dropImportedJobs(ctx, s)
}

// dropImportedJobs finishes the jobs that Record queued for imported users, and returns
// other jobs to the queue.
func dropImportedJobs(ctx context.Context, s store.Store) error {
	jobs, ok := store.As[store.Transcripts](s)
	if !ok {
		return nil
	}
	var others []store.Job
	for {
		claimed, err := jobs.ClaimJobs(ctx, time.Minute, 100)
		if err != nil {
			return err
		}
		for _, j := range claimed {
			if !strings.HasPrefix(j.InterviewID, imported) {
				others = append(others, j)
				continue
			}
			if err := jobs.FinishJob(ctx, j); err != nil {
				return err
			}
		}
		if len(claimed) == 0 {
			break
		}
	}
	for _, j := range others {
		if err := jobs.PostponeJob(ctx, j, 0); err != nil {
			return err
		}
	}
	return nil
}
