package middleware

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/askonce/askonce/gate"
)

//go:embed ui
var ui embed.FS

// snippet is what is put into a page: the prompt and the tags of its assets,
// each of which can be left out or given a nonce as the page's policy has it.
// It is the same for all users, unless links are direct.
type snippet struct {
	begin  string // the prompt's own start tag
	style  string // the start of the link; within the prompt, so that there is nothing to see before it has loaded
	end    string // the rest of the prompt
	script string
	tag    string // what an entity tag gets behind it
	all    []byte // everything, for pages without a policy

	texts Texts
	links links
}

// links are the prompt's own.
type links struct {
	Start   string `json:"start"`
	Later   string `json:"later"`
	Decline string `json:"decline"`
}

// snippets keeps one of each study and language.
type snippets struct {
	byKey sync.Map // snippetKey → *snippet
	n     atomic.Int32
}

type snippetKey struct{ study, language string }

// maxSnippets bounds the memory that a Decider can use up with study ids and
// languages.
const maxSnippets = 1024

// newDecision completes the prompt with its URL and renders it.
func (m *Middleware) newDecision(p gate.Prompt, user string, h gate.History) (decision, error) {
	key := snippetKey{p.StudyID, p.Language}
	if !m.opts.DirectLinks {
		if s, ok := m.snippets.byKey.Load(key); ok {
			kept := s.(*snippet)
			p.URL = kept.links.Start
			return decision{p, kept, user, h}, nil
		}
	}
	s, err := m.render(p)
	if err != nil {
		return decision{}, err
	}
	p.URL = s.links.Start
	if !m.opts.DirectLinks && m.snippets.n.Load() < maxSnippets {
		if _, loaded := m.snippets.byKey.LoadOrStore(key, s); !loaded {
			m.snippets.n.Add(1)
		}
	}
	return decision{p, s, user, h}, nil
}

func (m *Middleware) render(p gate.Prompt) (*snippet, error) {
	s := &snippet{texts: m.texts(p.StudyID, p.Language)}
	var err error
	if s.links, err = m.linksOf(p); err != nil {
		return nil, err
	}
	content := Content{
		StudyID: p.StudyID, StudyName: p.StudyName, Texts: s.texts,
		StartURL: s.links.Start, LaterURL: s.links.Later, DeclineURL: s.links.Decline,
	}
	inner, err := execute(m.opts.Template, content)
	if err != nil {
		return nil, err
	}
	var begin strings.Builder
	if err := asideTemplate.Execute(&begin, struct {
		Content
		Direction string
		Position  Position
	}{content, direction(s.texts.Language), m.opts.Position}); err != nil {
		return nil, err
	}
	s.begin = strings.Replace(toASCII(begin.String()), "<aside ", scriptStop, 1)
	s.style = `<link rel="stylesheet" href="` + m.opts.Origin + m.assets.style.path + `"`
	s.end = inner + "</aside>"
	s.script = `<script src="` + m.opts.Origin + m.assets.script.path + `" defer`
	s.all = s.compose(policyOf(nil))
	sum := sha256.Sum256(s.all)
	s.tag = "-askonce." + base64.RawURLEncoding.EncodeToString(sum[:6])
	return s, nil
}

// texts are the words for a study in the language that the gate has found.
func (m *Middleware) texts(studyID string, languages ...string) Texts {
	t := wordsFor(languages...)
	if m.opts.Texts == nil {
		return t
	}
	want := t.Language
	if len(languages) > 0 && languages[0] != "" {
		want = languages[0]
	}
	return m.opts.Texts(studyID, want, t)
}

func (m *Middleware) linksOf(p gate.Prompt) (l links, err error) {
	base, query := m.opts.Origin+m.opts.Path, "?study="+url.QueryEscape(p.StudyID)
	l = links{Start: base + "start" + query, Later: base + "later" + query, Decline: base + "decline" + query}
	if m.opts.DirectLinks {
		l.Start, err = p.Link()
	}
	return l, err
}

// scriptStop is how the snippet begins. The line feed within the tag sees to
// it that no script can ever run because of the prompt: if a page has left one
// open and the prompt ends it, the script is no program. A line comment, a
// string or a regular expression ends there, and behind it "class=" is a syntax
// error; a template or a comment of several lines stays open.
const scriptStop = "<aside\n"

// snippetFor is the snippet for the page with the header h.
func (r *Response) snippetFor(h http.Header) []byte {
	s := r.root.snippet
	nonce := ""
	if r.m.opts.Nonce != nil {
		nonce = r.m.opts.Nonce(r.request)
	}
	if nonce == "" && len(h["Content-Security-Policy"]) == 0 && len(h["Content-Security-Policy-Report-Only"]) == 0 {
		return s.all
	}
	p := policyOf(h)
	p.offer(nonce)
	return s.compose(p)
}

// compose leaves out what the policy would block: the prompt works without.
func (s *snippet) compose(p policy) []byte {
	b := []byte(s.begin)
	if p.style.ok {
		b = append(b, s.style...)
		b = append(append(b, p.style.nonceAttribute()...), '>')
	}
	b = append(b, s.end...)
	if p.script.ok {
		b = append(b, s.script...)
		b = append(append(b, p.script.nonceAttribute()...), "></script>"...)
	}
	return b
}
