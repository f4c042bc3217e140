package middleware

import "github.com/askonce/askonce/middleware/internal/page"

// An Outcome says whether a response got the prompt, and if not, why. There are few of
// them, so that they can label a metric.
type Outcome uint8 // the values are those of page.Outcome

// The outcomes. Only with [OutcomeInjected] and [OutcomeRendered] can the user see the
// prompt.
const (
	OutcomeNoAnswer    Outcome = iota // the handler wrote nothing
	OutcomeInjected                   // the prompt is in the page
	OutcomeRendered                   // the app rendered it itself, see [PromptFrom]
	OutcomeStatus                     // the status is not 200
	OutcomeNotHTML                    // another media type, or none that could be determined
	OutcomeEncoded                    // compressed by the handler or by something inside the middleware
	OutcomeCharset                    // a character encoding in which ASCII does not stand for itself
	OutcomePartial                    // a part of a page (Content-Range)
	OutcomeAttachment                 // to be saved, not displayed
	OutcomeNoTransform                // Cache-Control: no-transform, or signed
	OutcomeEmpty                      // no body
	OutcomeFragment                   // HTML that does not begin as a document
	OutcomeUnfinished                 // cut off, or open in a comment, a script or the like
	OutcomeAMP                        // an AMP page, which the prompt's script would make invalid
	OutcomeHeadOnly                   // a HEAD request
	OutcomeHijacked                   // the handler took the connection over
	OutcomePanicked                   // the handler panicked
	OutcomePolicy                     // the page's Content-Security-Policy does not allow the prompt
)

// String returns the outcome in snake case, such as "not_html".
func (o Outcome) String() string { return page.Outcome(o).String() }

// MarshalText implements [encoding.TextMarshaler].
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
