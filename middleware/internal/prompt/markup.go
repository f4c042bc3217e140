package prompt

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

//go:embed ui
var ui embed.FS

var templates = template.Must(template.ParseFS(ui, "ui/*.html"))

// Content holds the words of a prompt and the URLs of its links. Package middleware
// documents the fields.
type Content struct {
	StudyID, StudyName                                           string
	Texts                                                        Texts
	Direction                                                    string
	Seen                                                         bool
	StartURL, ShownURL, LaterURL, DeclineURL, UndoURL, OptOutURL string
}

// assetTags are the parts of the markup that a page's policy may forbid, with the nonces
// that they need.
type assetTags struct {
	Script, Image           bool
	Forms                   bool // the script must not send anything
	ScriptNonce, StyleNonce string
}

// scriptStop is how the snippet begins. Its line feed makes sure that no script runs because
// of the prompt. If a page leaves a script open and the prompt ends it, that script does not
// compile: a line comment, a string or a regular expression ends at the line feed, and the
// "class=" after it is a syntax error. A template literal or a block comment stays open.
const scriptStop = "<aside\n"

// markup renders the whole snippet. The words are in a declarative shadow root, where no
// style sheet of the page reaches them. They are hidden until the prompt's own style sheet
// shows them, so that they are never seen without it. The script adds that style sheet, and
// without scripts the noscript element does. A style sheet in the markup would delay the
// page's deferred scripts while it loads, and so would a deferred script: the prompt's is
// async.
func (r *Renderer) markup(c Content, tags assetTags) ([]byte, error) {
	slot := ""
	if r.opts.Template != nil {
		var err error
		if slot, err = execute(r.opts.Template, c); err != nil {
			return nil, err
		}
	}
	data := struct {
		Content
		assetTags
		Position            string
		Delay               int64
		SenderName, Logo    string
		StyleURL, ScriptURL string
		Slot                template.HTML
	}{c, tags, r.opts.Position, r.opts.Delay.Milliseconds(), r.opts.SenderName, "", r.opts.Origin + r.assets[style].path, r.opts.Origin + r.assets[script].path, template.HTML(slot)}
	if tags.Image && r.opts.Logo != "" {
		data.Logo = r.opts.Origin + r.opts.Logo
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "snippet", data); err != nil {
		return nil, fmt.Errorf("middleware: prompt: %w", err)
	}
	return []byte(strings.Replace(toASCII(b.String()), "<aside ", scriptStop, 1)), nil
}

// forbidden are the elements that a prompt must not have: they run code, belong to the
// document as a whole, or have content that is not HTML, whose end could be missed.
var forbidden = []string{
	"script", "style", "link", "meta", "base", "title", "html", "head", "body", "frame", "frameset", "aside",
	"iframe", "object", "embed", "template", "noscript", "noembed", "noframes", "textarea", "select", "plaintext", "xmp", "table", "math",
}

// void elements have no end tag (HTML standard, 13.1.2).
var void = []string{"area", "br", "col", "hr", "img", "input", "source", "track", "wbr"}

// execute renders the app's own content of the prompt and checks it.
func execute(template func(io.Writer, Content) error, c Content) (string, error) {
	var b strings.Builder
	if err := template(&b, c); err != nil {
		return "", fmt.Errorf("middleware: Template: %w", err)
	}
	out := strings.TrimSpace(b.String())
	if err := checkContent(out, c.StartURL); err != nil {
		return "", fmt.Errorf("middleware: Template: %w", err)
	}
	return toASCII(out), nil
}

// checkContent reports everything in the content that could harm the page around it, that a
// strict Content Security Policy would block, or that makes it lead nowhere.
func checkContent(content, startURL string) error {
	var (
		errs  []error
		open  []string
		found bool
	)
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	z := html.NewTokenizer(strings.NewReader(content))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				fault("%w", z.Err())
			}
			break
		}
		token := z.Token()
		switch kind {
		case html.CommentToken, html.DoctypeToken:
			fault("a comment or declaration: leave it out")
		case html.StartTagToken, html.SelfClosingTagToken:
			errs = append(errs, checkElement(token))
			found = found || token.Data == "a" && slices.Contains(token.Attr, html.Attribute{Key: "href", Val: startURL})
			if kind == html.StartTagToken && !slices.Contains(void, token.Data) {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				fault("</%s> closes nothing", token.Data)
				continue
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		fault("<%s> is not closed", strings.Join(open, "> <"))
	}
	if end := strings.LastIndexByte(content, '<'); end > strings.LastIndexByte(content, '>') {
		fault("it ends within a tag")
	}
	if !found {
		fault("no link to StartURL")
	}
	return errors.Join(errs...)
}

func checkElement(token html.Token) error {
	var errs []error
	if slices.Contains(forbidden, token.Data) {
		errs = append(errs, fmt.Errorf("a <%s> element: it must not be in a prompt", token.Data))
	}
	for _, a := range token.Attr {
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
			errs = append(errs, fmt.Errorf("a %s attribute on <%s>: a strict Content Security Policy blocks it", a.Key, token.Data))
		}
	}
	return errors.Join(errs...)
}

// toASCII writes all other characters as references, so that the prompt reads the same in
// every character encoding that contains ASCII.
func toASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}
