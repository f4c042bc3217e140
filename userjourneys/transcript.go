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
	labelNames = []string{"id", "object", "type", "status", "language", "start", "end", "time", "timestamp"}
)

// maxNesting is how deep a transcript is searched.
const maxNesting = 8

// transcriptOf returns the first field that holds a transcript with something
// in it, or else what "transcript" holds.
func transcriptOf(o object) json.RawMessage {
	for _, name := range []string{"transcript", "turns"} {
		if hasContent(o[name], 0) {
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

// turn reads an object with a text, or a text alone. Without either the Text of
// the result is empty.
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

// HasTranscript reports whether Transcript holds anything that was said. It
// judges the content: null, "", [], {}, {"turns":[]} and a list of empty texts
// hold nothing, which is what a provider may answer before the transcript is
// ready. A shape that [Interview.Turns] does not understand counts as a
// transcript if there is text in it.
func (i Interview) HasTranscript() bool { return hasContent(i.Transcript, 0) }

func hasContent(raw json.RawMessage, depth int) bool {
	var text string
	var list []json.RawMessage
	var o object
	switch {
	case len(raw) == 0:
		return false
	case depth > maxNesting:
		return true
	case json.Unmarshal(raw, &text) == nil:
		return !blank(text)
	case json.Unmarshal(raw, &list) == nil:
		for _, item := range list {
			if hasContent(item, depth+1) || saysMore(item) {
				return true
			}
		}
	case json.Unmarshal(raw, &o) == nil:
		return objectHasContent(o, depth)
	}
	return false
}

// saysMore reports whether an item of a list has a text under a name that this
// package does not know, beside who spoke and what labels the item.
func saysMore(item json.RawMessage) bool {
	var o object
	_ = json.Unmarshal(item, &o) // anything but an object has no fields
	for name := range o {
		if !slices.Contains(roleNames, name) && !slices.Contains(labelNames, name) && !blank(o.str(name)) {
			return true
		}
	}
	return false
}

// objectHasContent looks at the fields with the names of a transcript's parts.
// If there are none, it looks at every list and object: texts beside those are
// more likely a status or a language than something that was said.
func objectHasContent(o object, depth int) bool {
	known := false
	for _, names := range [][]string{turnsNames, textNames} {
		for _, name := range names {
			raw, ok := o[name]
			known = known || ok
			if hasContent(raw, depth+1) {
				return true
			}
		}
	}
	for _, raw := range o {
		if !known && (raw[0] == '[' || raw[0] == '{') && hasContent(raw, depth+1) {
			return true
		}
	}
	return false
}
