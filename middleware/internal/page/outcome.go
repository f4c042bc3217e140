package page

// An Outcome says whether one response got the snippet, and if not, why. There
// are few, so that they can label a metric.
type Outcome uint8

const (
	OutcomeNoAnswer    Outcome = iota // the handler wrote nothing
	OutcomeInjected                   // the snippet is in the page
	OutcomeRendered                   // the app claimed the snippet's place and rendered it itself
	OutcomeStatus                     // the status is not 200
	OutcomeNotHTML                    // another media type, or none that could be determined
	OutcomeEncoded                    // compressed by the handler or by something inside of it
	OutcomeCharset                    // a character encoding in which ASCII does not stand for itself
	OutcomePartial                    // a part of a page (Content-Range)
	OutcomeAttachment                 // to be saved, not displayed
	OutcomeNoTransform                // Cache-Control: no-transform, or signed
	OutcomeEmpty                      // no body
	OutcomeFragment                   // HTML that does not begin as a document
	OutcomeUnfinished                 // cut off, or open in a comment, a script or the like
	OutcomeAMP                        // an AMP page, which our script would make invalid
	OutcomeHeadOnly                   // a HEAD request: the header of the page without the page
	OutcomeHijacked                   // the handler took the connection over
	OutcomePanicked                   // the handler panicked
	OutcomePolicy                     // the page's Content-Security-Policy does not allow the snippet
)

var outcomeNames = [...]string{
	OutcomeNoAnswer: "no_answer", OutcomeInjected: "injected", OutcomeRendered: "rendered", OutcomeStatus: "status",
	OutcomeNotHTML: "not_html", OutcomeEncoded: "encoded", OutcomeCharset: "charset", OutcomePartial: "partial",
	OutcomeAttachment: "attachment", OutcomeNoTransform: "no_transform", OutcomeEmpty: "empty", OutcomeFragment: "fragment",
	OutcomeUnfinished: "unfinished", OutcomeAMP: "amp", OutcomeHeadOnly: "head_only", OutcomeHijacked: "hijacked",
	OutcomePanicked: "panicked", OutcomePolicy: "policy",
}

// String returns the outcome in snake case, as in metrics and logs.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
