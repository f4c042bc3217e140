package middleware

// element is what a tag's name means to the scanner.
type element uint8

const (
	anyElement element = iota

	// Inside of these the prompt would be dead, moved or lost.
	svgElement
	mathElement
	templateElement
	selectElement
	tableElement
	objectElement
	buttonElement
	noscriptElement // raw text where scripts run, markup where they do not

	scriptElement
	rawTextElement     // its content is text up to its own end tag
	pageElement        // html, body
	noframesElement    // raw text too, but what has it may have framesets and no body
	hopelessElement    // plaintext, frameset
	breakoutElement    // ends svg and math (13.2.6.5), or may
	integrationElement // holds HTML within svg or math (13.2.6)
)

func (e element) isForeign() bool   { return e == svgElement || e == mathElement }
func (e element) isClosedOff() bool { return svgElement <= e && e <= noscriptElement }
func (e element) isRaw() bool {
	return e == scriptElement || e == rawTextElement || e == noframesElement
}

func elementOf(name string) element {
	switch name {
	case "svg":
		return svgElement
	case "math":
		return mathElement
	case "template":
		return templateElement
	case "select":
		return selectElement
	case "table":
		return tableElement
	case "object":
		return objectElement
	case "button":
		return buttonElement
	case "noscript":
		return noscriptElement
	case "script":
		return scriptElement
	case "style", "textarea", "title", "xmp", "iframe", "noembed":
		return rawTextElement
	case "noframes":
		return noframesElement
	case "html", "body":
		return pageElement
	case "plaintext", "frameset":
		return hopelessElement
	case "foreignobject", "desc", "mi", "mo", "mn", "ms", "mtext", "annotation-xml":
		return integrationElement
	case "b", "big", "blockquote", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "font", "h1", "h2", "h3", "h4", "h5", "h6",
		"head", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p", "pre", "ruby", "s", "small", "span", "strong",
		"strike", "sub", "sup", "tt", "u", "ul", "var":
		return breakoutElement
	}
	return anyElement
}
