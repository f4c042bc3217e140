package prompt

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
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

// assetTags are the parts of the markup that a page's policy may forbid, with the
// nonces that they need.
type assetTags struct {
	Script, Image           bool
	Forms                   bool // the script must not send anything
	ScriptNonce, StyleNonce string
}

// scriptStop is how the snippet begins. The line feed within the tag makes sure
// that no script ever runs because of the prompt. If a page has left a script
// open and the prompt ends it, that script is not a program: a line comment, a
// string or a regular expression ends at the line feed, and "class=" behind it is
// a syntax error. A template literal or a block comment stays open.
const scriptStop = "<aside\n"

// markup renders the whole snippet. The words are in a declarative shadow root,
// where no style sheet of the page reaches them, and hidden: the prompt's own
// style sheet is what shows them, so that they are never seen without it. The
// script adds that style sheet, and without scripts the noscript element does. A
// style sheet in the markup would hold up the page's deferred scripts while it
// loads, and so would a deferred script of ours: this one is async.
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
	}{c, tags, r.opts.Position, r.opts.Delay.Milliseconds(), r.opts.SenderName, "", r.opts.Origin + r.assets[0].path, r.opts.Origin + r.assets[1].path, template.HTML(slot)}
	if tags.Image && r.opts.Logo != "" {
		data.Logo = r.opts.Origin + r.opts.Logo
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "snippet", data); err != nil {
		return nil, fmt.Errorf("middleware: prompt: %w", err)
	}
	return []byte(strings.Replace(toASCII(b.String()), "<aside ", scriptStop, 1)), nil
}

// forbidden are the elements that a prompt must not have: they run code, are of
// the document as a whole, or have content that is not HTML, whose end could be
// missed.
var forbidden = []string{
	"script", "style", "link", "meta", "base", "title", "html", "head", "body", "frame", "frameset", "aside",
	"iframe", "object", "embed", "template", "noscript", "noembed", "noframes", "textarea", "select", "plaintext", "xmp", "table", "math",
}

// void elements have no end tag (HTML standard, 13.1.2).
var void = []string{"area", "br", "col", "hr", "img", "input", "source", "track", "wbr"}

// execute renders the content of the prompt and checks it.
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

// checkContent reports everything because of which the content could do harm to
// the page around it, would be blocked by a strict Content Security Policy, or
// would lead nowhere.
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
			if slices.Contains(forbidden, token.Data) {
				fault("a <%s> element: it must not be in a prompt", token.Data)
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					fault("a %s attribute on <%s>: a strict Content Security Policy blocks it", a.Key, token.Data)
				}
				found = found || token.Data == "a" && a.Key == "href" && a.Val == startURL
			}
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

// toASCII writes everything else as character references, so that the prompt
// reads the same in any page's character encoding that contains ASCII.
func toASCII(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteByte(byte(r))
			continue
		}
		b.WriteString("&#")
		b.WriteString(strconv.Itoa(int(r)))
		b.WriteByte(';')
	}
	return b.String()
}
