package userjourneys

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A Turn is one utterance of a transcript.
type Turn struct {
	Role string // as the provider names it, such as "assistant" or "user"; "" if it names none
	Text string
	At   time.Duration // since the start of the interview; 0 if unknown
}

// The names under which APIs commonly keep the parts of a transcript.
var (
	turnsNames = []string{"turns", "messages", "transcript", "entries", "segments", "items", "text"}
	textNames  = []string{"text", "content", "message", "utterance"}
	roleNames  = []string{"role", "speaker", "from", "author"}
	startNames = []string{"start", "start_secs", "offset_secs", "time"}
	labelNames = []string{"id", "object", "type", "status", "language", "start", "end", "time", "timestamp", "created_at"}
)

// maxNesting is how deep Turns looks.
const maxNesting = 8

// transcriptOf returns the first field with a transcript in which something was said, or
// else the field "transcript".
func transcriptOf(o object) json.RawMessage {
	for _, name := range []string{"transcript", "turns"} {
		if saysSomething(o[name]) {
			return o.raw(name)
		}
	}
	return o.raw("transcript")
}

// Turns returns the utterances of the transcript. The shape of a transcript is
// undocumented: Turns understands a list of objects with the common names of
// such fields, a list or a single piece of plain text, and any of these inside
// an object. It leaves out what it does not understand; Transcript always holds
// everything.
func (i Interview) Turns() []Turn { return turns(i.Transcript, 0) }

func turns(raw json.RawMessage, depth int) []Turn {
	if len(raw) == 0 || depth > maxNesting {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		var all []Turn
		for _, item := range list {
			if t := turn(item); t.Text != "" {
				all = append(all, t)
			}
		}
		return all
	}
	var o object
	if json.Unmarshal(raw, &o) == nil {
		for _, name := range turnsNames {
			if t := turns(o[name], depth+1); t != nil {
				return t
			}
		}
		return nil
	}
	if t := turn(raw); t.Text != "" {
		return []Turn{t}
	}
	return nil
}

// turn reads an object with a text, or a text alone. Without a text it returns the zero
// Turn.
func turn(raw json.RawMessage) Turn {
	var o object
	var text string
	if json.Unmarshal(raw, &text) != nil && json.Unmarshal(raw, &o) == nil {
		text = o.str(textNames...)
	}
	if blank(text) {
		return Turn{}
	}
	return Turn{Role: o.str(roleNames...), Text: text, At: o.seconds(startNames...)}
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// HasTranscript reports whether Transcript holds anything that was said. A provider may
// send null, "", [], {}, {"turns":[]} or a list of empty texts before the transcript is
// ready: these hold nothing. A shape that [Interview.Turns] does not understand counts as
// a transcript if it contains text.
func (i Interview) HasTranscript() bool { return saysSomething(i.Transcript) }

func saysSomething(raw json.RawMessage) bool {
	var v any
	return json.Unmarshal(raw, &v) == nil && says(v, false)
}

func says(v any, inList bool) bool {
	switch v := v.(type) {
	case string:
		return !blank(v)
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return says(item, true) })
	case map[string]any:
		for name, part := range v {
			if _, isText := part.(string); (!isText || isSpeech(v, name, inList)) && says(part, inList) {
				return true
			}
		}
	}
	return false
}

// isSpeech reports whether the text under this name is something that was said. An unknown
// name counts only in an item of a list that has no known name: elsewhere it is more
// likely a status or a language.
func isSpeech(o map[string]any, name string, inList bool) bool {
	if slices.Contains(textNames, name) || slices.Contains(turnsNames, name) {
		return true
	}
	known := slices.ContainsFunc(textNames, func(name string) bool { _, ok := o[name]; return ok })
	return inList && !known && !slices.Contains(roleNames, name) && !slices.Contains(labelNames, name)
}
