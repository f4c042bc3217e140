package middleware

// opening tells whether a response begins like an HTML document: after a byte
// order mark, white space and comments, with a doctype or an html tag. It is
// fed the body from its beginning, in pieces of any size, and keeps at most the
// first bytes of one token.
type opening struct {
	state  openingState
	dashes int  // in a comment: how many just before, those of "<!--" included
	own    int  // the same without those
	bang   bool // in a comment: "--!" just before, which with ">" ends it too
	token  [len(doctype)]byte
	n      int // length of token
}

type openingState uint8

const (
	atStart openingState = iota
	inToken
	inComment
	isDoc
	notDoc
)

const (
	bom     = "\xef\xbb\xbf"
	doctype = "<!doctype html"
	htmlTag = "<html"
	comment = "<!--"
)

func (o *opening) isDocument() bool { return o.state == isDoc }

// known reports whether no further byte can change the answer.
func (o *opening) known() bool { return o.state >= isDoc }

func feed[T string | []byte](o *opening, p T) {
	if o.state == atStart && o.n == 0 && hasPrefixFold(p, doctype) {
		o.state = isDoc // the commonest by far
	}
	for i := 0; i < len(p) && !o.known(); i++ {
		o.next(p[i])
	}
}

func (o *opening) next(c byte) {
	switch o.state {
	case atStart:
		if o.n == 0 && isSpace(c) {
			return
		}
		o.state = inToken
		fallthrough
	case inToken:
		o.token[o.n] = lower(c)
		o.n++
		o.match(string(o.token[:o.n]))
	case inComment:
		switch {
		case c == '>' && (o.dashes >= 2 || o.bang):
			o.state, o.n = atStart, 0
		case c == '-':
			o.dashes, o.own, o.bang = o.dashes+1, o.own+1, false
		default:
			o.bang = c == '!' && o.own >= 2
			o.dashes, o.own = 0, 0
		}
	}
}

// match looks at a token of which one more byte has come.
func (o *opening) match(token string) {
	switch token {
	case bom:
		o.state, o.n = atStart, 0
	case comment:
		o.state, o.dashes, o.own, o.bang = inComment, 2, 0, false
	case doctype, htmlTag:
		o.state = isDoc
	default:
		for _, whole := range [...]string{bom, doctype, htmlTag, comment} {
			if len(token) < len(whole) && whole[:len(token)] == token {
				return
			}
		}
		o.state = notDoc
	}
}
