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

// Import marks users as done who were so before askonce was there, and of whom
// the provider has no interview with their id. It may be run again after a
// failure, with the same key: 32 random bytes that are thrown away when the
// import is complete, so that nobody can tell from an interview's id whose it
// was. Run it before webhook.Handler.Run: there is no transcript to fetch.
func Import(ctx context.Context, s store.Store, studyID string, users iter.Seq[string], key []byte) error {
	for user := range users {
		k := store.Key{StudyID: studyID, UserID: user}
		if err := store.CheckKey(k); err != nil { // an empty user would be an anonymous interview
			return err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(studyID + "\x00" + user))
		_, err := s.Record(ctx, store.Completion{
			Key:         k,
			InterviewID: imported + hex.EncodeToString(mac.Sum(nil)),
			CompletedAt: time.Now(),
		})
		if err != nil {
			return err
		}
	}
	return dropImportedJobs(ctx, s)
}

// dropImportedJobs finishes the jobs that Record has queued, because the
// provider has no such interviews. Other jobs are put back.
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
