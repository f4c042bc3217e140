package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/internal/guard"
)

// Options configure a [Renderer]. The middleware's options of the same names document
// them.
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

	kept  sync.Map // Study → *Prompt
	nKept atomic.Int32
}

// maxKept bounds the memory that study ids and languages can use up.
const maxKept = 1024

// New returns a renderer. It renders the prompt once in every built-in language, so that
// a template that cannot work is reported at start-up.
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

// Prompt returns the prompt of a study. Each is rendered once, and kept.
func (r *Renderer) Prompt(s Study) (*Prompt, error) {
	if p, ok := r.kept.Load(s); ok {
		return p.(*Prompt), nil
	}
	p, err := r.render(s)
	if err != nil {
		return nil, err
	}
	if r.nKept.Load() < maxKept {
		if _, loaded := r.kept.LoadOrStore(s, p); !loaded {
			r.nKept.Add(1)
		}
	}
	return p, nil
}

// A Prompt is a rendered prompt.
type Prompt struct {
	renderer *Renderer
	content  Content
	tag      string
	plain    []byte   // the snippet for pages without a policy
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
	plain, err := r.markup(content, plainTags)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	return &Prompt{renderer: r, content: content, plain: plain, tag: "-askonce." + base64.RawURLEncoding.EncodeToString(sum[:6])}, nil
}

// Start returns the content of a link to the start endpoint, without words.
func (r *Renderer) Start(studyID string) Content {
	return Content{StudyID: studyID, StartURL: r.opts.Origin + r.opts.Path + "start?study=" + url.QueryEscape(studyID)}
}

// content returns what a prompt says, in the first of the languages for which there are
// words. With the error of Options.Texts it returns the built-in words.
func (r *Renderer) content(s Study, languages ...string) (Content, error) {
	texts, err := r.texts(s.ID, languages...)
	base, query := r.opts.Origin+r.opts.Path, "?study="+url.QueryEscape(s.ID)
	return Content{
		StudyID: s.ID, StudyName: s.Name, Seen: s.Seen, Texts: texts, Direction: direction(texts.Language),
		StartURL: base + "start" + query, ShownURL: base + "shown" + query, LaterURL: base + "later" + query,
		DeclineURL: base + "decline" + query, UndoURL: base + "undo" + query, OptOutURL: base + "optout",
	}, err
}

func (r *Renderer) texts(studyID string, languages ...string) (t Texts, err error) {
	builtIn := wordsFor(languages...)
	if r.opts.Texts == nil {
		return builtIn, nil
	}
	want := builtIn.Language
	if len(languages) > 0 && languages[0] != "" {
		want = languages[0]
	}
	if err := guard.Call(func() { t = r.opts.Texts(studyID, want, builtIn) }); err != nil {
		return wordsFor(languages...), fmt.Errorf("middleware: Texts: %w", err)
	}
	return t, nil
}

// A Page is what a snippet needs to know about the page that it goes into.
type Page struct {
	Header http.Header // of the response
	Nonce  string      // the app's own, for a policy that is not in the header
	Host   string      // of the request
	URI    string      // path and query of the page's URL
}

// plainTags are those of a page without a policy.
var plainTags = assetTags{Script: true, Image: true}

// maxBack is the longest path and query that are put into a page four times.
const maxBack = 1 << 10

// Snippet returns the bytes to place into a page, which are shared and must not be changed,
// and whether the page itself reports that the prompt was seen. It returns false if the
// page's Content-Security-Policy does not let the prompt work.
func (p *Prompt) Snippet(page Page) (snippet []byte, reports, ok bool) {
	isPlain := page.Nonce == ""
	for _, field := range [...]string{"Content-Security-Policy", "Content-Security-Policy-Report-Only", "Referrer-Policy"} {
		isPlain = isPlain && len(page.Header[field]) == 0
	}
	if isPlain {
		return p.plain, true, true
	}
	own := location{"https", page.Host, p.renderer.opts.Path}
	if scheme, host, ok := strings.Cut(p.renderer.opts.Origin, "://"); ok {
		own.scheme, own.host = scheme, host
	}
	policy := policyOf(page.Header, own)
	if !policy.allowsPrompt() {
		return nil, false, false
	}
	reports = policy.script.ok && policy.connect.ok
	tags := policy.tags(page.Nonce)
	if concealsPath(page.Header) && len(page.URI) <= maxBack {
		return p.markup(p.content.returningTo(page.URI), tags), reports, true
	}
	return p.variant(tags), reports, true
}

// variant returns the snippet with these tags.
func (p *Prompt) variant(tags assetTags) []byte {
	if tags == plainTags {
		return p.plain
	}
	script, style := tags.ScriptNonce, tags.StyleNonce
	if tags.ScriptNonce != "" {
		tags.ScriptNonce = scriptNonce
	}
	if tags.StyleNonce != "" {
		tags.StyleNonce = styleNonce
	}
	variant, ok := p.variants.Load(tags)
	if !ok {
		variant, _ = p.variants.LoadOrStore(tags, p.markup(p.content, tags))
	}
	snippet := variant.([]byte)
	if tags.ScriptNonce != "" {
		snippet = withNonce(snippet, scriptNonce, script)
	}
	if tags.StyleNonce != "" {
		snippet = withNonce(snippet, styleNonce, style)
	}
	return snippet
}

// markup cannot fail, because the same template has rendered a plain page.
func (p *Prompt) markup(c Content, tags assetTags) []byte {
	snippet, _ := p.renderer.markup(c, tags)
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
