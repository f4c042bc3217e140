package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// interviewPage is the data of ui/interview.html.
type interviewPage struct {
	Trouble    []string
	ID         string
	StudyName  string
	Completion *store.Completion
	Transcript *transcript
	Unknown    bool // there is no such interview
	Unfetched  bool // it has no transcript
	CanDelete  bool
}

func (c *console) interview(w http.ResponseWriter, r *http.Request) {
	page := interviewPage{ID: r.URL.Query().Get("id")}
	var (
		parts                      sync.WaitGroup
		noCompletion, noTranscript error
	)
	if store.CheckID(page.ID) == nil {
		parts.Go(func() { page.Completion, noCompletion = c.completion(r.Context(), page.ID) })
		parts.Go(func() {
			var t store.Transcript
			if t, noTranscript = c.transcript(r.Context(), page.ID); noTranscript == nil {
				page.Transcript = readTranscript(t)
			}
		})
		parts.Wait()
	}
	if page.Unfetched = errors.Is(noTranscript, store.ErrNotFound); page.Unfetched {
		noTranscript = nil
	}
	page.Trouble = []string{c.trouble(r.Context(), "Interview", noCompletion), c.trouble(r.Context(), "Transcript", noTranscript)}
	status := http.StatusOK
	if page.Completion == nil && page.Transcript == nil && noCompletion == nil && noTranscript == nil {
		page.Unknown, status = true, http.StatusNotFound
	}
	if page.Completion != nil {
		page.StudyName = c.studyNames()[page.Completion.StudyID]
	}
	_, page.CanDelete = store.As[store.Retention](c.Store)
	c.render(w, r, status, "interview", page)
}

// completion returns what was recorded of an interview, or nil.
func (c *console) completion(ctx context.Context, id string) (*store.Completion, error) {
	found, _, err := take(ctx, c, 0, 1, func(ctx context.Context, s store.Lister) iter.Seq2[store.Completion, error] {
		return s.Completions(ctx, store.Filter{InterviewID: id})
	})
	if len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (c *console) transcript(ctx context.Context, id string) (store.Transcript, error) {
	return read(ctx, c, func(ctx context.Context, s store.Transcripts) (store.Transcript, error) { return s.Transcript(ctx, id) })
}

// download sends a transcript as the provider sent it, byte for byte.
func (c *console) download(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	t, err := c.transcript(r.Context(), id)
	if err != nil {
		c.failed(w, r, interviewLink(id), "download", err)
		return
	}
	name := strings.Map(func(r rune) rune { // to a file name for every system
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, "transcript-"+id[:min(len(id), 100)]) + ".json"
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	_, _ = w.Write(t.Body) // fails only if the browser is gone
}

// deleteTranscript is the action that deletes what was said. The completion stays.
func (c *console) deleteTranscript(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	err := act(r.Context(), c, func(ctx context.Context, s store.Retention) error { return s.DeleteTranscript(ctx, id) })
	if err != nil {
		c.failed(w, r, interviewLink(id), "delete a transcript", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: transcript was deleted in the console", "interview", id)
	c.done(w, r, interviewLink(id), "transcript-deleted")
}

func interviewLink(id string) string { return "interview?" + url.Values{"id": {id}}.Encode() }

// Limits of what a page shows of a transcript, in bytes. An interview of ten minutes has
// about ten thousand. The download has no limits.
const (
	maxReadable = 1_000_000 // a larger body is not parsed
	maxSpoken   = 100_000   // all turns together
	maxSummary  = 10_000
	maxTurns    = 2_000  // turns, not bytes
	maxRaw      = 50_000 // the provider's JSON
	maxIndented = 20     // levels; deeper JSON is not indented, because indents multiply its size
)

// A transcript is what ui/interview.html shows of a stored transcript.
type transcript struct {
	FetchedAt         time.Time
	Size              int
	Headline, Summary string
	Turns             []spoken
	Answers           string // JSON
	Raw               string // the body, indented if it is JSON
	Note              string // why a part is missing or not readable
}

// A spoken is one turn.
type spoken struct {
	Speaker string
	Text    string
	At      time.Duration
}

const (
	interviewer = "Interviewer"
	respondent  = "Respondent"
)

// speakers maps the names that APIs commonly give to roles.
var speakers = map[string]string{
	"assistant": interviewer, "agent": interviewer, "ai": interviewer, "bot": interviewer, "interviewer": interviewer, "moderator": interviewer,
	"user": respondent, "respondent": respondent, "participant": respondent, "interviewee": respondent, "human": respondent, "customer": respondent,
}

// Time returns when a turn began, in minutes and seconds: "1:05".
func (s spoken) Time() string {
	if s.At <= 0 {
		return ""
	}
	return fmt.Sprintf("%d:%02d", s.At/time.Minute, s.At%time.Minute/time.Second)
}

// readTranscript parses a stored transcript as far as it can. It accepts any body.
func readTranscript(t store.Transcript) *transcript {
	read := &transcript{FetchedAt: t.FetchedAt, Size: len(t.Body), Raw: indented(t.Body)}
	if len(t.Body) > maxReadable {
		read.Note = "This transcript is too long for a page. Download it to read it."
		return read
	}
	var i userjourneys.Interview
	if i.UnmarshalJSON(t.Body) != nil {
		i = userjourneys.Interview{Transcript: t.Body} // perhaps a list of turns alone
	}
	read.Headline, read.Summary = clean(i.Headline), cleanTo(i.Summary, maxSummary)
	if len(i.Answers) > 0 {
		read.Answers = indented(i.Answers)
	}
	left := maxSpoken
	for _, turn := range i.Turns() {
		if left == 0 || len(read.Turns) == maxTurns {
			read.Note = "This transcript goes on. Download it to read the rest."
			return read
		}
		text := cleanTo(turn.Text, left)
		left = max(0, left-len(turn.Text))
		speaker, known := speakers[strings.ToLower(turn.Role)]
		if !known {
			speaker = brief(turn.Role)
		}
		read.Turns = append(read.Turns, spoken{speaker, text, turn.At})
	}
	switch {
	case len(read.Turns) > 0:
	case i.HasTranscript() || !json.Valid(t.Body):
		read.Note = "This transcript has a form that the console does not know. What the provider sent is below."
	default:
		read.Note = "Nothing was said in this interview."
	}
	return read
}

// indented returns JSON indented and anything else unchanged, cleaned for a page.
func indented(raw []byte) string {
	var b bytes.Buffer
	if len(raw) <= maxRaw && depth(raw) <= maxIndented && json.Indent(&b, raw, "", "  ") == nil {
		raw = b.Bytes()
	}
	return cleanTo(string(raw[:min(len(raw), maxRaw+1)]), maxRaw)
}

// depth returns an upper bound of how deep JSON is nested: brackets in strings count too.
func depth(raw []byte) int {
	deepest, now := 0, 0
	for _, b := range raw {
		switch b {
		case '[', '{':
			now++
			deepest = max(deepest, now)
		case ']', '}':
			now--
		}
	}
	return deepest
}
