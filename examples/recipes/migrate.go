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

const imported = "imported-" // begins the interview ids that stand for no interview

// Import records users who completed the study before askonce was there, each
// with the time of the interview. The provider has no interview with their id,
// so no transcript is fetched for them.
//
// Import may run again after a failure, with the same key: 32 random bytes.
// Throw them away when the import is complete, so that nobody can tell from an
// interview's id whose it was. Run it before the kit runs.
func Import(ctx context.Context, s store.Store, studyID string, users iter.Seq2[string, time.Time], key []byte) error {
	for user, completedAt := range users {
		k := store.Key{StudyID: studyID, UserID: user}
		if err := store.CheckKey(k); err != nil { // without a user the interview would be nobody's
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

// dropImportedJobs finishes the jobs that Record has queued for imported users,
// and puts other jobs back.
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
