package userjourneystest

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

// Study is what AddStudy adds. Fields left zero get a plausible value.
type Study struct {
	ID, Name     string
	Code         string // the last part of the interview link
	WeeklyLimit  int    // counts from Monday 00:00 UTC; 0: none
	MonthlyLimit int    // counts from the 1st 00:00 UTC; 0: none
	Languages    []string
}

type study struct {
	Study
	created        time.Time
	closed, paused bool
}

// Interview is what FinishInterview adds. Fields left zero get a plausible
// value, except ReferenceID, which may well be empty. CompletedAt decides which week
// and month it counts against, so one in the past can leave the limits free.
type Interview struct {
	ID, ReferenceID   string
	Quality, Language string
	Duration          time.Duration
	CompletedAt       time.Time
	Status            string
	Transcript        json.RawMessage
}

type interview struct {
	Interview
	StudyID string
}

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

// AddStudy adds an active study and returns it with its id and code.
func (s *Server) AddStudy(st Study) Study {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.ID = cmp.Or(st.ID, newID())
	st.Name = cmp.Or(st.Name, "Onboarding Feedback")
	st.Code = cmp.Or(st.Code, newID()[:8])
	if st.Languages == nil {
		st.Languages = []string{"en", "de"}
	}
	s.studies = append(s.studies, &study{Study: st, created: s.now()})
	return st
}

// FinishInterview does what the button of the interview page does: it counts
// the interview against the limits, makes its transcript available and delivers
// the signed webhook, in the background. It returns the interview's id.
func (s *Server) FinishInterview(studyID string, in Interview) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.study(studyID)
	if st == nil {
		panic("userjourneystest: no study " + studyID)
	}
	in.ID = cmp.Or(in.ID, newID())
	in.Quality = cmp.Or(in.Quality, userjourneys.QualityInsightful)
	in.Language = cmp.Or(in.Language, "en")
	in.Duration = cmp.Or(in.Duration, 580*time.Second)
	in.Status = cmp.Or(in.Status, userjourneys.StatusCompleted)
	if in.CompletedAt.IsZero() {
		in.CompletedAt = s.now()
	}
	if in.Transcript == nil {
		in.Transcript = json.RawMessage(`[{"role":"assistant","text":"How did you find us?"},{"role":"user","text":"A friend told me."}]`)
	}
	i := &interview{in, studyID}
	s.interviews = append(s.interviews, i)
	if in.Status == userjourneys.StatusCompleted {
		s.deliver(st, i)
	}
	return in.ID
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

const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

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

func (s *Server) link(st *study) string { return s.http.URL + "/i/" + st.Code }

func (s *Server) studyJSON(st *study, detail bool) map[string]any {
	week, month := periods(s.now())
	weekly, monthly := s.count(st.ID, week), s.count(st.ID, month)
	free := func(limit, used int) bool { return limit == 0 || used < limit }
	limit := func(limit, used int) any {
		if limit == 0 {
			return nil
		}
		return map[string]any{"limit": limit, "used": used}
	}
	o := map[string]any{
		"id": st.ID, "object": "study", "name": st.Name, "status": "active", "interview_link": s.link(st),
		"accepting_responses": !st.closed && free(s.opts.ProjectLimit, s.count("", month)) && free(st.WeeklyLimit, weekly) && free(st.MonthlyLimit, monthly),
		"supported_languages": st.Languages, "created_at": stamp(st.created),
		"limits": map[string]any{"monthly": limit(st.MonthlyLimit, monthly), "weekly": limit(st.WeeklyLimit, weekly)},
	}
	if detail {
		o["research_goal"], o["product_name"], o["interview_count"] = "Learn how people start", "Example", s.count(st.ID, time.Time{})
		o["questions"] = []any{map[string]any{"text": "How did you find us?"}}
	}
	return o
}

// periods returns when the present week (Monday 00:00 UTC, as the provider
// documents) and month (the 1st, 00:00 UTC, which it leaves open) began.
func periods(now time.Time) (week, month time.Time) {
	y, m, d := now.UTC().Date()
	sinceMonday := (int(now.UTC().Weekday()) + 6) % 7
	return time.Date(y, m, d-sinceMonday, 0, 0, 0, 0, time.UTC), time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

// count is how many interviews of a study, or of all for "", were completed
// since.
func (s *Server) count(studyID string, since time.Time) int {
	n := 0
	for _, i := range s.interviews {
		if fits(studyID, i.StudyID) && !i.CompletedAt.Before(since) {
			n++
		}
	}
	return n
}

func interviewJSON(i *interview, detail bool) map[string]any {
	o := map[string]any{
		"id": i.ID, "object": "interview", "study_id": i.StudyID, "status": i.Status, "reference_id": nullable(i.ReferenceID),
		"respondent_email": nil, "language": i.Language, "quality_score": nullable(i.Quality), "duration_secs": int(i.Duration.Seconds()),
		"headline": "Found through a friend", "summary": "The respondent came by recommendation.",
		"started_at": stamp(i.CompletedAt.Add(-i.Duration)), "completed_at": stamp(i.CompletedAt), "created_at": stamp(i.CompletedAt.Add(-i.Duration)),
	}
	if detail {
		o["transcript"] = i.Transcript
		o["answers"] = []any{map[string]any{"question": "How did you find us?", "answer": "A friend told me."}}
	}
	return o
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (s *Server) study(id string) *study {
	for _, st := range s.studies {
		if st.ID == id {
			return st
		}
	}
	return nil
}

func (s *Server) interview(id string) *interview {
	for _, i := range s.interviews {
		if i.ID == id {
			return i
		}
	}
	return nil
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562, version 4
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

var pageTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Name}}</title></head>
<body><h1>{{.Name}}</h1>
{{if .Finished}}<p>Thank you. You can close this tab.</p>
{{else if .Accepting}}<p>This is the fake provider: no microphone is needed.</p>
<form method="post"><input type="hidden" name="reference_id" value="{{.Reference}}"><button>Finish the interview</button></form>
{{else}}<p>This study takes no more responses.</p>{{end}}
</body></html>
`))

func (s *Server) interviewPage(w http.ResponseWriter, r *http.Request) {
	s.writeInterviewPage(w, r.PathValue("code"), r.URL.Query().Get("reference_id"), false)
}

func (s *Server) finishPage(w http.ResponseWriter, r *http.Request) {
	code, reference := r.PathValue("code"), r.PostFormValue("reference_id")
	s.mu.Lock()
	id := ""
	for _, st := range s.studies {
		if st.Code == code && !st.paused && s.studyJSON(st, false)["accepting_responses"] == true {
			id = st.ID
		}
	}
	s.mu.Unlock()
	if id == "" {
		s.writeInterviewPage(w, code, reference, false)
		return
	}
	s.FinishInterview(id, Interview{ReferenceID: reference})
	s.writeInterviewPage(w, code, reference, true)
}

func (s *Server) writeInterviewPage(w http.ResponseWriter, code, reference string, finished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.studies {
		if st.Code == code {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = pageTemplate.Execute(w, map[string]any{ // the client is gone
				"Name": st.Name, "Reference": reference, "Finished": finished,
				"Accepting": !st.paused && s.studyJSON(st, false)["accepting_responses"] == true,
			})
			return
		}
	}
	http.Error(w, "no such study", http.StatusNotFound)
}
