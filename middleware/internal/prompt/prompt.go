package prompt

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/askonce/askonce/internal/guard"
)

//go:embed ui
var ui embed.FS

// Options configure a [Renderer]. The middleware's options of the same names
// document them.
type Options struct {
	Path, Origin string
	Position     Position
	Template     *template.Template // nil means the built-in one
	Texts        func(studyID, language string, builtIn Texts) Texts
}

// A Renderer renders prompts. It is safe for concurrent use.
type Renderer struct {
	opts   Options
	assets assets

	kept  sync.Map // keptKey → *Prompt
	nKept atomic.Int32
}

type keptKey struct{ study, language string }

// maxKept bounds the memory that study ids and languages can use up.
const maxKept = 1024

// New returns a renderer. It renders the prompt once in every built-in language,
// so that a template that cannot work is reported at start-up.
func New(opts Options) (*Renderer, error) {
	r := &Renderer{opts: opts, assets: newAssets(opts.Path)}
	if opts.Template == nil {
		r.opts.Template = contentTemplate
	}
	var errs []error
	if opts.Position > PositionBanner {
		errs = append(errs, fmt.Errorf("middleware: Position is %d: use one of the Position constants", opts.Position))
	}
	for _, w := range words {
		if _, err := r.render(Study{ID: "sample-study", Name: "Sample", Language: w.Language}); err != nil {
			errs = append(errs, err)
			break
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// A Study is what a prompt invites to.
type Study struct {
	ID, Name string
	Language string // BCP 47; "" means English
}

// Prompt returns the prompt of a study. Prompts are rendered once for each study
// and language.
func (r *Renderer) Prompt(s Study) (*Prompt, error) {
	key := keptKey{s.ID, s.Language}
	if p, ok := r.kept.Load(key); ok {
		return p.(*Prompt), nil
	}
	p, err := r.render(s)
	if err != nil {
		return nil, err
	}
	if r.nKept.Load() < maxKept {
		if _, loaded := r.kept.LoadOrStore(key, p); !loaded {
			r.nKept.Add(1)
		}
	}
	return p, nil
}

// A Prompt is a rendered prompt with the tags of its assets. Those are left out
// or given a nonce as the policy of the page demands.
type Prompt struct {
	content Content
	begin   string // the prompt's own start tag
	style   string // the start of the link, which is inside the prompt so that nothing shows before it has loaded
	end     string // the rest of the prompt
	script  string
	tag     string
	all     []byte // everything, for pages without a policy
}

// Content returns the words and URLs of the prompt.
func (p *Prompt) Content() Content { return p.content }

// Tag returns what is appended to the entity tag of a page with this prompt.
func (p *Prompt) Tag() string { return p.tag }

func (r *Renderer) render(s Study) (*Prompt, error) {
	texts, err := r.texts(s.ID, s.Language)
	if err != nil {
		return nil, err
	}
	base, query := r.opts.Origin+r.opts.Path, "?study="+url.QueryEscape(s.ID)
	content := Content{
		StudyID: s.ID, StudyName: s.Name, Texts: texts, Direction: direction(texts.Language),
		StartURL: base + "start" + query, LaterURL: base + "later" + query, DeclineURL: base + "decline" + query,
	}
	inner, err := execute(r.opts.Template, content)
	if err != nil {
		return nil, err
	}
	var begin strings.Builder
	if err := asideTemplate.Execute(&begin, struct {
		Content
		Position Position
	}{content, r.opts.Position}); err != nil {
		return nil, err
	}
	p := &Prompt{
		content: content,
		begin:   strings.Replace(toASCII(begin.String()), "<aside ", scriptStop, 1),
		style:   `<link rel="stylesheet" href="` + r.opts.Origin + r.assets.style.path + `"`,
		end:     inner + "</aside>",
		script:  `<script src="` + r.opts.Origin + r.assets.script.path + `" defer`,
	}
	p.all = p.compose(policyOf(nil))
	sum := sha256.Sum256(p.all)
	p.tag = "-askonce." + base64.RawURLEncoding.EncodeToString(sum[:6])
	return p, nil
}

// texts returns the words for a study in the first of the languages that there
// are words in.
func (r *Renderer) texts(studyID string, languages ...string) (t Texts, err error) {
	t = wordsFor(languages...)
	if r.opts.Texts == nil {
		return t, nil
	}
	want := t.Language
	if len(languages) > 0 && languages[0] != "" {
		want = languages[0]
	}
	if err := guard.Call(func() { t = r.opts.Texts(studyID, want, t) }); err != nil {
		return wordsFor(languages...), fmt.Errorf("middleware: Texts: %w", err)
	}
	return t, nil
}

// scriptStop is how the snippet begins. The line feed within the tag makes sure
// that no script ever runs because of the prompt. If a page has left a script
// open and the prompt ends it, that script is not a program: a line comment, a
// string or a regular expression ends at the line feed, and "class=" behind it is
// a syntax error. A template literal or a block comment stays open.
const scriptStop = "<aside\n"

// A Page is what a snippet needs to know about the page that it goes into.
type Page struct {
	Header http.Header // of the response
	Nonce  string      // the app's own, for a policy that is not in the header
}

// Snippet returns the bytes to place into a page. They are shared: do not change
// them. It returns false if the page's policy does not let the prompt be styled;
// the page then gets no prompt.
func (p *Prompt) Snippet(page Page) ([]byte, bool) {
	if page.Nonce == "" && len(page.Header["Content-Security-Policy"]) == 0 && len(page.Header["Content-Security-Policy-Report-Only"]) == 0 {
		return p.all, true
	}
	policy := policyOf(page.Header)
	policy.offer(page.Nonce)
	return p.compose(policy), true
}

// compose leaves out what the policy would block.
func (p *Prompt) compose(allowed policy) []byte {
	b := []byte(p.begin)
	if allowed.style.ok {
		b = append(b, p.style...)
		b = append(append(b, allowed.style.nonceAttribute()...), '>')
	}
	b = append(b, p.end...)
	if allowed.script.ok {
		b = append(b, p.script...)
		b = append(append(b, allowed.script.nonceAttribute()...), "></script>"...)
	}
	return b
}
