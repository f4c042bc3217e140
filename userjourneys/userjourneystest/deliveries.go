package userjourneystest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
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

// Fate is what happens to a delivery. The zero value delivers it once, at once.
type Fate struct {
	Drop   bool          // never delivered
	Copies int           // delivered this many times more
	Delay  time.Duration // delivered this much later
}

// NextDeliveries sets what happens to the next deliveries, in order. Later ones have the
// fate of [Conditions].
func (s *Server) NextDeliveries(fates ...Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = append(s.plan, fates...)
}

// RotateSecret gives the webhook a new signing secret that nobody else knows,
// and returns it, or "" if there is no webhook.
func (s *Server) RotateSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook == nil {
		return ""
	}
	s.webhook.secret = s.nextSecret()
	s.created++
	return s.webhook.secret
}

// Delivery is one attempt to deliver the webhook.
type Delivery struct {
	InterviewID string
	Status      int // 0 if there was no response
	Err         error
	Dropped     bool // by its Fate
}

// Deliveries returns the attempts so far, in the order in which they ended.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// Redeliver delivers the webhook of an interview again, in the background.
func (s *Server) Redeliver(interviewID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.interview(interviewID)
	if i == nil {
		return
	}
	if st := s.study(i.StudyID); st != nil {
		s.deliver(st, i)
	}
}

// deliver sends the webhook to the URL that is registered now.
func (s *Server) deliver(st *study, i *interview) {
	if s.webhook == nil || s.ctx.Err() != nil {
		return
	}
	fate := s.conditions.Deliveries
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
			d := Delivery{InterviewID: i.ID}
			d.Status, d.Err = s.send(target, secret, body)
			s.mu.Lock()
			s.deliveries = append(s.deliveries, d)
			s.mu.Unlock()
			if s.opts.OnDelivery != nil {
				s.opts.OnDelivery(d)
			}
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
	resp, err := s.sender.Do(req)
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
