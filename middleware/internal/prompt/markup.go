package prompt

import (
	"errors"
	"fmt"
	"golang.org/x/net/html"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Content is what a prompt says and where its links lead. It is what
// Options.Template is executed with.
type Content struct {
	StudyID, StudyName string
	Texts              Texts
	Direction          string // of the words: "ltr", "rtl" or "auto"
	StartURL           string // for a link with target="_blank" and rel="noopener"
	LaterURL           string // for a form with method="post"
	DeclineURL         string // for a form with method="post"
}

var (
	contentTemplate = template.Must(template.ParseFS(ui, "ui/prompt.html"))
	asideTemplate   = template.Must(template.New("").Parse(
		`<aside class="askonce" lang="{{.Texts.Language}}" dir="{{.Direction}}" aria-label="{{.Texts.Title}}"` +
			` data-position="{{.Position}}" data-study="{{.StudyID}}" data-turbo-temporary>`))
)

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
func execute(t *template.Template, c Content) (string, error) {
	var b strings.Builder
	if err := t.Execute(&b, c); err != nil {
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
