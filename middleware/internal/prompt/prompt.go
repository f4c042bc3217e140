package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/internal/guard"
)

// Options configure a [Renderer]. The middleware's options of the same names
// document them.
type Options struct {
	Path, Origin     string
	Position         string // such as "bottom-end"
	Delay            time.Duration
	SenderName, Logo string
	Template         func(w io.Writer, c Content) error // nil means the built-in one
	Texts            func(studyID, language string, builtIn Texts) Texts
}

// A Renderer renders prompts. It is safe for concurrent use.
type Renderer struct {
	opts   Options
	assets []asset

	kept  sync.Map // keptKey → *Prompt
	nKept atomic.Int32
}

type keptKey struct {
	study, language string
	seen            bool
}

// maxKept bounds the memory that study ids and languages can use up.
const maxKept = 1024

// New returns a renderer. It renders the prompt once in every built-in language,
// so that a template that cannot work is reported at start-up.
func New(opts Options) (*Renderer, error) {
	r := &Renderer{opts: opts, assets: newAssets(opts.Path)}
	for _, w := range words {
		if _, err := r.render(Study{ID: "sample-study", Name: "Sample", Language: w.Language}); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// A Study is what a prompt invites to.
type Study struct {
	ID, Name string
	Language string // BCP 47; "" means English
	Seen     bool   // a moment ago, on another page
}

// Prompt returns the prompt of a study. Prompts are rendered once for each study
// and language, and once more for those who have just seen it.
func (r *Renderer) Prompt(s Study) (*Prompt, error) {
	key := keptKey{s.ID, s.Language, s.Seen}
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

// A Prompt is a rendered prompt.
type Prompt struct {
	content Content
	markup  func(tags assetTags, back string) ([]byte, error)
	tag     string
	plain   []byte // the snippet for pages without a policy

	variants sync.Map // assetTags with placeholders for nonces → []byte, for pages with one
}

// Content returns the words and URLs of the prompt.
func (p *Prompt) Content() Content { return p.content }

// Tag returns what is appended to the entity tag of a page with this prompt.
func (p *Prompt) Tag() string { return p.tag }

func (r *Renderer) render(s Study) (*Prompt, error) {
	content, err := r.content(s, s.Language)
	if err != nil {
		return nil, err
	}
	p := &Prompt{content: content, markup: func(tags assetTags, back string) ([]byte, error) { return r.markup(content.returningTo(back), tags) }}
	if p.plain, err = p.markup(plainTags, ""); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(p.plain)
	p.tag = "-askonce." + base64.RawURLEncoding.EncodeToString(sum[:6])
	return p, nil
}

// Start returns the content of a link to the start endpoint, without words.
func (r *Renderer) Start(studyID string) Content {
	return Content{StudyID: studyID, StartURL: r.opts.Origin + r.opts.Path + "start?study=" + url.QueryEscape(studyID)}
}

// content returns what a prompt says in the first of the languages that there are
// words in. With the error of Options.Texts it returns built-in words.
func (r *Renderer) content(s Study, languages ...string) (Content, error) {
	texts, err := r.texts(s.ID, languages...)
	base, query := r.opts.Origin+r.opts.Path, "?study="+url.QueryEscape(s.ID)
	c := Content{
		StudyID: s.ID, StudyName: s.Name, Seen: s.Seen, Texts: texts, Direction: direction(texts.Language),
		StartURL: base + "start" + query, LaterURL: base + "later" + query, DeclineURL: base + "decline" + query,
		UndoURL: base + "undo" + query, OptOutURL: base + "optout", ShownURL: base + "shown" + query,
	}
	return c, err
}

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

// A Page is what a snippet needs to know about the page that it goes into.
type Page struct {
	Header http.Header // of the response
	Nonce  string      // the app's own, for a policy that is not in the header
	Scheme string      // of the page's URL, "http" or "https", if it is known
	Host   string      // of the page's URL, with its port if it has one
	URI    string      // path and query of the page's URL

	path string // what the URLs of the prompt begin with
}

// A Fit is what a page lets its prompt do.
type Fit struct {
	// Reports is whether the page reports by itself that the prompt was seen.
	Reports bool

	tags assetTags
	back string // the page itself, if the requests of its forms do not name it
}

// plainTags are those of a page without a policy.
var plainTags = assetTags{Script: true, Image: true}

// maxBack is the longest path and query that are put into a page four times.
const maxBack = 1 << 10

// Fit returns false if the page's Content-Security-Policy does not let the prompt
// work.
func (r *Renderer) Fit(page Page) (Fit, bool) {
	f := Fit{Reports: true, tags: plainTags}
	if concealsPath(page.Header) && len(page.URI) <= maxBack {
		f.back = page.URI
	}
	if page.Nonce == "" && len(page.Header["Content-Security-Policy"]) == 0 && len(page.Header["Content-Security-Policy-Report-Only"]) == 0 {
		return f, true
	}
	page.path = r.opts.Path
	policy := policyOf(page)
	f.Reports, f.tags = policy.script.ok && policy.connect.ok, policy.tags(page.Nonce)
	return f, policy.allowsPrompt()
}

// Snippet returns the bytes to place into a page. They are shared: do not change
// them.
func (p *Prompt) Snippet(f Fit) []byte {
	if f.back != "" {
		snippet, _ := p.markup(f.tags, f.back) // it has succeeded for a plain page
		return snippet
	}
	if f.tags == plainTags {
		return p.plain
	}
	tags := f.tags
	if tags.ScriptNonce != "" {
		tags.ScriptNonce = scriptNonce
	}
	if tags.StyleNonce != "" {
		tags.StyleNonce = styleNonce
	}
	variant, ok := p.variants.Load(tags)
	if !ok {
		rendered, _ := p.markup(tags, "")
		variant, _ = p.variants.LoadOrStore(tags, rendered)
	}
	snippet := variant.([]byte)
	if tags.ScriptNonce != "" {
		snippet = withNonce(snippet, scriptNonce, f.tags.ScriptNonce)
	}
	if tags.StyleNonce != "" {
		snippet = withNonce(snippet, styleNonce, f.tags.StyleNonce)
	}
	return snippet
}

// Placeholders for the nonces of a page, so that the template is executed once for each
// combination of tags and not for every page.
const scriptNonce, styleNonce = "askonce-script", "askonce-style"

// withNonce puts a nonce, which is base64, in place of a placeholder. It replaces whole
// attributes: in words, their quotes are escaped.
func withNonce(snippet []byte, placeholder, nonce string) []byte {
	return bytes.ReplaceAll(snippet, []byte(` nonce="`+placeholder+`"`), []byte(` nonce="`+nonce+`"`))
}
