// Package webhooktest signs deliveries as the provider does, for tests of an
// app's webhook endpoint:
//
//	req := webhooktest.NewRequest(secret, webhooktest.Completed("user_12345"))
//	rec := httptest.NewRecorder()
//	app.ServeHTTP(rec, req)
package webhooktest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

// Sign returns the value of the X-Webhook-Signature field for the body: sha256=
// and the hex HMAC-SHA256 of the body. The key is the secret as the literal
// string, as [github.com/askonce/askonce/webhook.Verify] expects it.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// An Event is the body of a delivery as the provider documents it.
type Event struct {
	Event     string `json:"event"`
	Timestamp string `json:"timestamp"`
	Data      Data   `json:"data"`
}

// Data describes the interview of an [Event]. A nil pointer is encoded as null.
type Data struct {
	InterviewID     string  `json:"interview_id"`
	StudyID         string  `json:"study_id"`
	StudyName       string  `json:"study_name"`
	InterviewLink   string  `json:"interview_link"`
	Status          string  `json:"status"`
	StartedAt       string  `json:"started_at"`
	CompletedAt     string  `json:"completed_at"`
	DurationSecs    int     `json:"duration_secs"`
	QualityScore    *string `json:"quality_score"`
	Language        string  `json:"language"`
	ReferenceID     *string `json:"reference_id"`
	RespondentEmail *string `json:"respondent_email"`
	RespondentID    *string `json:"respondent_id"`
}

// StudyID is the id of the study of the events that [Completed] returns; its name is
// "Onboarding Feedback". The webhook ignores the events unless the app asks about this
// study: for another one set StudyID and StudyName of [Data].
const StudyID = "e5f6a7b8-1234-56cd-ef78-222222222222"

// Completed returns the event of a new interview that has just been completed with
// the reference: the user's id, or for an app with signed or sealed references the
// result of [github.com/askonce/askonce/gate.References.Reference]. An empty reference
// means an anonymous user.
func Completed(reference string) Event {
	const format = "2006-01-02T15:04:05.000Z"
	now := time.Now().UTC()
	quality := "insightful"
	e := Event{
		Event:     "interview.completed",
		Timestamp: now.Format(format),
		Data: Data{
			InterviewID: newID(), StudyID: StudyID, StudyName: "Onboarding Feedback", InterviewLink: "https://app.userjourneys.ai/i/xK9mR2pQ",
			Status: "completed", StartedAt: now.Add(-10 * time.Minute).Format(format), CompletedAt: now.Format(format), DurationSecs: 580,
			QualityScore: &quality, Language: "en",
		},
	}
	if reference != "" {
		e.Data.ReferenceID = &reference
	}
	return e
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// NewRequest returns the signed delivery of the event, for a handler's ServeHTTP.
// The event is an [Event], a []byte that is sent as it is, or any other value,
// which is encoded as JSON. NewRequest panics if that fails.
func NewRequest(secret string, event any) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/userjourneys", nil)
	setBody(r, secret, event)
	return r
}

// Deliver sends the signed event to the URL and returns the status. The event is
// as for [NewRequest]. Deliver does not follow redirects, because senders of
// webhooks cannot be relied on to do so.
func Deliver(ctx context.Context, url, secret string, event any) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return 0, err
	}
	setBody(r, secret, event)
	client := http.Client{
		// The default transport is shared: an httptest.Server of another test closes
		// its idle connections, sometimes before the response is returned.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

func setBody(r *http.Request, secret string, event any) {
	body, ok := event.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(event); err != nil {
			panic(err)
		}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-Event", "interview.completed")
	r.Header.Set("X-Webhook-Signature", Sign(secret, body))
	r.ContentLength = int64(len(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
}
