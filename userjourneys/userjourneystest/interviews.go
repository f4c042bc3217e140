package userjourneystest

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

// Study is a study for [Server.AddStudy]. The zero value of each field means a
// plausible default.
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

// Interview is an interview for [Server.FinishInterview]. The zero value of each
// field means a plausible default, except for ReferenceID, which stays empty.
type Interview struct {
	ID, ReferenceID   string
	Quality, Language string
	Duration          time.Duration

	// CompletedAt determines the week and the month whose limits the interview
	// counts against. Defaults to now.
	CompletedAt time.Time

	// Status defaults to [userjourneys.StatusCompleted]. With any other no webhook
	// is delivered, and one that is only started counts against no limit.
	Status     string
	Transcript json.RawMessage
}

type interview struct {
	Interview
	StudyID string
}

func (i *interview) finished() bool { return i.Status != userjourneys.StatusStarted }

// AddStudy adds an active study and returns it with its id and code. The first
// call replaces the study that a new server has.
func (s *Server) AddStudy(st Study) Study {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.initial {
		s.studies, s.initial = nil, false
	}
	st.ID = cmp.Or(st.ID, newID())
	st.Name = cmp.Or(st.Name, "Onboarding Feedback")
	st.Code = cmp.Or(st.Code, newID()[:8])
	if st.Languages == nil {
		st.Languages = []string{"en", "de"}
	}
	s.studies = append(s.studies, &study{Study: st, created: s.now()})
	return st
}

// Studies returns all studies, oldest first.
func (s *Server) Studies() []Study {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Study
	for _, st := range s.studies {
		all = append(all, st.Study)
	}
	return all
}

// FinishInterview does what the button of the interview page does: it counts the
// interview against the limits, makes its transcript available and delivers the
// signed webhook in the background. It returns the interview's id. It panics if
// there is no such study.
func (s *Server) FinishInterview(studyID string, in Interview) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.study(studyID)
	if st == nil {
		panic("userjourneystest: no study " + studyID)
	}
	return s.finish(st, in)
}

// finish is FinishInterview under the lock.
func (s *Server) finish(st *study, in Interview) string {
	in.ID = cmp.Or(in.ID, newID())
	in.Quality = cmp.Or(in.Quality, s.conditions.Quality, userjourneys.QualityInsightful)
	in.Language = cmp.Or(in.Language, "en")
	in.Duration = cmp.Or(in.Duration, 580*time.Second)
	in.Status = cmp.Or(in.Status, userjourneys.StatusCompleted)
	if in.CompletedAt.IsZero() {
		in.CompletedAt = s.now()
	}
	if in.Transcript == nil {
		in.Transcript = json.RawMessage(`[{"role":"assistant","text":"How did you find us?"},{"role":"user","text":"A friend told me."}]`)
	}
	i := &interview{in, st.ID}
	s.interviews = append(s.interviews, i)
	if in.Status == userjourneys.StatusCompleted {
		s.deliver(st, i)
	}
	return in.ID
}

const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

func (s *Server) link(st *study) string { return s.http.URL + "/i/" + st.Code }

func (s *Server) studyJSON(st *study, detail bool) map[string]any {
	week, month := periods(s.now())
	limit := func(limit, used int) any {
		if limit == 0 {
			return nil
		}
		return map[string]any{"limit": limit, "used": used}
	}
	o := map[string]any{
		"id": st.ID, "object": "study", "name": st.Name, "status": "active", "interview_link": s.link(st),
		"accepting_responses": s.flag(s.accepts(st)), "supported_languages": st.Languages, "created_at": stamp(st.created),
		"limits": map[string]any{
			"monthly": limit(st.MonthlyLimit, s.count(st.ID, month)), "weekly": limit(st.WeeklyLimit, s.count(st.ID, week)),
		},
	}
	if detail {
		o["research_goal"], o["product_name"], o["interview_count"] = "Learn how people start", "Example", s.count(st.ID, time.Time{})
		o["questions"] = []any{map[string]any{"text": "How did you find us?"}}
	}
	return o
}

// flag is a boolean, or a string while the provider is lying.
func (s *Server) flag(v bool) any {
	if s.conditions.Lying {
		return strconv.FormatBool(v)
	}
	return v
}

func (s *Server) active(st *study) bool { return !st.paused && !s.conditions.Paused }

// accepts reports whether the study is active and open, and has places left
// within each limit.
func (s *Server) accepts(st *study) bool {
	week, month := periods(s.now())
	free := func(limit, used int) bool { return limit == 0 || used < limit }
	return !st.closed && s.active(st) && !s.conditions.Full &&
		free(s.opts.ProjectLimit, s.count("", month)) &&
		free(st.WeeklyLimit, s.count(st.ID, week)) &&
		free(st.MonthlyLimit, s.count(st.ID, month))
}

// periods returns the start of the current week (Monday 00:00 UTC, as
// documented) and month (the 1st, 00:00 UTC, which is not documented).
func periods(now time.Time) (week, month time.Time) {
	y, m, d := now.UTC().Date()
	sinceMonday := (int(now.UTC().Weekday()) + 6) % 7
	return time.Date(y, m, d-sinceMonday, 0, 0, 0, 0, time.UTC), time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

// count returns how many interviews have finished since then, of one study or,
// for "", of all.
func (s *Server) count(studyID string, since time.Time) int {
	n := 0
	for _, i := range s.interviews {
		if fits(studyID, i.StudyID) && i.finished() && !i.CompletedAt.Before(since) {
			n++
		}
	}
	return n
}

func (s *Server) interviewJSON(i *interview, detail bool) map[string]any {
	o := map[string]any{
		"id": i.ID, "object": "interview", "study_id": i.StudyID, "status": i.Status, "reference_id": nullable(i.ReferenceID),
		"respondent_email": nil, "language": i.Language, "quality_score": nullable(i.Quality), "duration_secs": int(i.Duration.Seconds()),
		"headline": "Found through a friend", "summary": "The respondent came by recommendation.",
		"started_at": stamp(i.CompletedAt.Add(-i.Duration)), "completed_at": stamp(i.CompletedAt), "created_at": stamp(i.CompletedAt.Add(-i.Duration)),
	}
	if !i.finished() {
		o["completed_at"], o["duration_secs"] = nil, nil
	}
	if detail {
		o["transcript"] = i.Transcript
		if s.conditions.Lying {
			o["transcript"] = map[string]any{"turns": []any{}}
		}
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
