package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Bounds of what a page shows of a transcript, in bytes. An interview of ten
// minutes has some ten thousand. All of it is in the download.
const (
	maxReadable = 1_000_000 // of a body that is read at all
	maxSpoken   = 100_000   // of all turns
	maxSummary  = 10_000
	maxTurns    = 2_000
	maxRaw      = 50_000 // of the provider's JSON
	maxIndented = 20     // the depth of the deepest JSON that is indented: indents multiply its size
)

// A transcript is what ui/interview.html shows of a stored one.
type transcript struct {
	FetchedAt         time.Time
	Size              int
	Headline, Summary string
	Turns             []spoken
	Answers           string // JSON
	Raw               string // the body, indented if it is JSON
	Note              string // why not everything is readable
}

// A spoken is one turn.
type spoken struct {
	Speaker speaker
	Text    string
	At      time.Duration
}

// A speaker is who speaks, with a class of ui/style.css.
type speaker struct{ Class, Name string }

var (
	interviewer = speaker{"interviewer", "Interviewer"}
	respondent  = speaker{"respondent", "Respondent"}
)

// speakers are the roles by the names that APIs commonly give them.
var speakers = map[string]speaker{
	"assistant": interviewer, "agent": interviewer, "ai": interviewer, "bot": interviewer, "interviewer": interviewer, "moderator": interviewer,
	"user": respondent, "respondent": respondent, "participant": respondent, "interviewee": respondent, "human": respondent, "customer": respondent,
}

func speakerOf(role string) speaker {
	if s, ok := speakers[strings.ToLower(role)]; ok {
		return s
	}
	return speaker{Name: cleanTo(role, 60)}
}

// Time returns when a turn began, as a clock does: "1:05".
func (s spoken) Time() string {
	if s.At <= 0 {
		return ""
	}
	return fmt.Sprintf("%d:%02d", s.At/time.Minute, s.At%time.Minute/time.Second)
}

// readTranscript makes a stored transcript readable as far as that is possible. It
// accepts any body.
func readTranscript(t store.Transcript) *transcript {
	read := &transcript{FetchedAt: t.FetchedAt, Size: len(t.Body), Raw: indented(t.Body)}
	if len(t.Body) > maxReadable {
		read.Note = "This transcript is too long for a page. Download it to read it."
		return read
	}
	var i userjourneys.Interview
	if i.UnmarshalJSON(t.Body) != nil {
		i = userjourneys.Interview{Transcript: t.Body} // perhaps it is nothing but turns
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
		read.Turns = append(read.Turns, spoken{speakerOf(turn.Role), text, turn.At})
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

// indented returns JSON indented, and anything else as it is, bounded and harmless.
func indented(raw []byte) string {
	var b bytes.Buffer
	if len(raw) <= maxRaw && depth(raw) <= maxIndented && json.Indent(&b, raw, "", "  ") == nil {
		raw = b.Bytes()
	}
	return cleanTo(string(raw[:min(len(raw), maxRaw+1)]), maxRaw)
}

// depth returns how deep JSON is nested, or more: brackets in texts count too.
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
