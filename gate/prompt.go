package gate

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
)

// A Prompt is what to show to an invited visitor. It is a value, and copies are
// independent. It holds no keys.
type Prompt struct {
	StudyID       string
	StudyName     string
	InterviewLink string // the study's public link, without a reference
	Language      string // the study's language that suits the visitor best, or "" if none does
	UserID        string

	// Seen reports that the visitor has seen this prompt within [Options.Linger]:
	// this is not another showing and need not be reported as one.
	Seen bool

	// Preview reports that the prompt is shown to staff: Link has no reference, so the
	// interview is recorded without a user.
	Preview bool

	languages []string                        // of the study, or nil if no gate made the prompt
	reference func(store.Key) (string, error) // nil means plain
}

// LanguageFor returns the first of the wanted languages, BCP 47 tags, that the study
// supports, in the study's spelling. It returns "" if there is none, or if no gate made
// the prompt.
func (p Prompt) LanguageFor(wanted ...string) string {
	if p.languages == nil {
		return "" // suitable would always support English
	}
	return suitable(p.languages, wanted)
}

// Key returns the user and the study that the prompt is for.
func (p Prompt) Key() store.Key { return store.Key{StudyID: p.StudyID, UserID: p.UserID} }

// Link returns the link to the interview, with the visitor's reference made by
// [Options.References]. In a preview it has no reference. It identifies the visitor, so
// never log it. A link that is not https is an error, except on a loopback address.
func (p Prompt) Link() (string, error) {
	if _, err := checkScheme(p.InterviewLink); err != nil {
		return "", err
	}
	if p.Preview {
		return p.InterviewLink, nil
	}
	reference := p.reference
	if reference == nil {
		reference = plainReferences{}.Reference
	}
	ref, err := guard.Get(func() (string, error) { return reference(p.Key()) })
	if err != nil {
		return "", fmt.Errorf("gate: References: %w", err)
	}
	link, fragment, hasFragment := strings.Cut(p.InterviewLink, "#")
	sep := "?"
	if strings.Contains(link, "?") {
		sep = "&"
	}
	// Not every parser decodes a plus sign as a space. All decode %20.
	link += sep + "reference_id=" + strings.ReplaceAll(url.QueryEscape(ref), "+", "%20")
	if hasFragment {
		link += "#" + fragment
	}
	return link, nil
}
