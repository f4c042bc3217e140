package userjourneystest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

type webhook struct {
	url, secret string
	events      []string
}

func (h *webhook) json(secret string) map[string]any {
	o := map[string]any{"object": "webhook", "url": h.url, "events": h.events}
	if secret != "" {
		o["signing_secret"] = secret
	}
	return o
}

// Delivery is one attempt to deliver the webhook.
type Delivery struct {
	InterviewID string
	Status      int // 0 when there was no answer
	Err         error
	Dropped     bool // as NextDeliveries said
}

// Deliveries returns the attempts so far, in the order in which they ended.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivery(nil), s.deliveries...)
}

// Redeliver delivers the webhook of an interview once more, in the background.
func (s *Server) Redeliver(interviewID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.interview(interviewID); i != nil {
		s.deliver(s.study(i.StudyID), i)
	}
}

// deliver sends the webhook as it is configured now, or as NextDeliveries said.
func (s *Server) deliver(st *study, i *interview) {
	if s.webhook == nil || s.ctx.Err() != nil {
		return
	}
	var fate Fate
	if len(s.plan) > 0 {
		fate, s.plan = s.plan[0], s.plan[1:]
	}
	if fate.Drop {
		s.deliveries = append(s.deliveries, Delivery{InterviewID: i.ID, Dropped: true})
		return
	}
	body := s.event(st, i)
	target, secret := s.webhook.url, s.webhook.secret
	s.senders.Go(func() {
		select {
		case <-time.After(fate.Delay):
		case <-s.ctx.Done():
			return
		}
		for range 1 + fate.Copies {
			status, err := s.send(target, secret, body)
			s.mu.Lock()
			s.deliveries = append(s.deliveries, Delivery{InterviewID: i.ID, Status: status, Err: err})
			s.mu.Unlock()
		}
	})
}

func (s *Server) send(target, secret string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Webhook-Event", userjourneys.EventInterviewCompleted)
	req.Header.Set("X-Webhook-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := s.opts.HTTPClient.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

func (s *Server) event(st *study, i *interview) []byte {
	b, err := json.Marshal(map[string]any{
		"event":     userjourneys.EventInterviewCompleted,
		"timestamp": stamp(s.now()),
		"data": map[string]any{
			"interview_id": i.ID, "study_id": st.ID, "study_name": st.Name, "interview_link": s.link(st), "status": i.Status,
			"started_at": stamp(i.CompletedAt.Add(-i.Duration)), "completed_at": stamp(i.CompletedAt), "duration_secs": int(i.Duration.Seconds()),
			"quality_score": nullable(i.Quality), "language": i.Language, "reference_id": nullable(i.ReferenceID),
			"respondent_email": nil, "respondent_id": nil,
		},
	})
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return b
}
