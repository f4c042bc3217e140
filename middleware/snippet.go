package middleware

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/askonce/askonce/gate"
)

//go:embed ui
var ui embed.FS

var promptTemplate = template.Must(template.ParseFS(ui, "ui/prompt.html"))

// snippet is what is put into a page: the prompt and the tags of its assets,
// each of which can be left out or given a nonce as the page's policy has it.
type snippet struct {
	aside, style, script string
	tag                  string // what an entity tag gets behind it
	all                  []byte // everything, for pages without a policy
}

// snippets keeps the one of each study: it is the same for all users, unless
// links are direct.
type snippets struct{ byStudy sync.Map }

// newDecision completes the prompt with its URL and renders it.
func (m *Middleware) newDecision(p gate.Prompt) (decision, error) {
	if m.opts.DirectLinks {
		link, err := p.Link()
		if err != nil {
			return decision{}, err
		}
		p.URL = link
		s, err := m.render(p)
		return decision{prompt: p, snippet: &s}, err
	}
	if s, ok := m.snippets.byStudy.Load(p.StudyID); ok {
		kept := s.(*studySnippet)
		p.URL = kept.url
		return decision{prompt: p, snippet: &kept.snippet}, nil
	}
	p.URL = m.opts.Path + "start?study=" + url.QueryEscape(p.StudyID)
	s, err := m.render(p)
	if err != nil {
		return decision{}, err
	}
	m.snippets.byStudy.Store(p.StudyID, &studySnippet{p.URL, s})
	return decision{prompt: p, snippet: &s}, nil
}

type studySnippet struct {
	url     string
	snippet snippet
}

func (m *Middleware) render(p gate.Prompt) (snippet, error) {
	var b bytes.Buffer
	if err := promptTemplate.Execute(&b, p); err != nil {
		return snippet{}, fmt.Errorf("middleware: prompt: %w", err)
	}
	s := snippet{
		aside:  strings.Replace(string(bytes.TrimSpace(b.Bytes())), "<aside ", scriptStop, 1),
		style:  `<link rel="stylesheet" href="` + m.assets.style.path + `"`,
		script: `<script src="` + m.assets.script.path + `" defer`,
	}
	s.all = s.compose(policy{grant{ok: true}, grant{ok: true}})
	sum := sha256.Sum256(s.all)
	s.tag = "-askonce." + base64.RawURLEncoding.EncodeToString(sum[:6])
	return s, nil
}

// scriptStop is how the snippet begins. The line feed within the tag sees to
// it that no script can ever run because of the prompt: if a page has left one
// open and the prompt ends it, the script is no program. A line comment, a
// string or a regular expression ends there, and behind it "class=" is a syntax
// error; a template or a comment of several lines stays open.
const scriptStop = "<aside\n"

// bytes is the snippet for a page with the header h.
func (s *snippet) bytes(h http.Header) []byte {
	if len(h["Content-Security-Policy"]) == 0 && len(h["Content-Security-Policy-Report-Only"]) == 0 {
		return s.all
	}
	return s.compose(policyOf(h))
}

// compose leaves out what the policy would block: the prompt works without.
func (s *snippet) compose(p policy) []byte {
	b := []byte(s.aside)
	if p.style.ok {
		b = append(b, s.style...)
		b = append(append(b, p.style.nonceAttribute()...), '>')
	}
	if p.script.ok {
		b = append(b, s.script...)
		b = append(append(b, p.script.nonceAttribute()...), "></script>"...)
	}
	return b
}
