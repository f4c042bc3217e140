package gate

import (
	"errors"
	"net/url"
	"strings"

	"github.com/askonce/askonce/store"
)

// References writes a user id into an interview link and reads it back from
// the webhook. Implementations are safe for concurrent use.
type References interface {
	// Reference returns what the link's reference_id shall be for k.
	Reference(k store.Key) (string, error)
	// UserID reads a reference back. An error that matches ErrBadReference
	// means that nobody here made it for this study.
	UserID(studyID, reference string) (string, error)
}

// ErrBadReference is matched by the error for a reference that was forged,
// damaged, or made for another study or under a key that is gone.
var ErrBadReference = errors.New("gate: bad reference")

// PlainReferences uses the user id itself as the reference. It is the default:
// it joins with the provider's other channels, and a user who edits the
// address bar can take the interview under another user's id.
func PlainReferences() References { return plainReferences{} }

type plainReferences struct{}

func (plainReferences) Reference(k store.Key) (string, error) {
	return k.UserID, store.CheckID(k.UserID)
}

func (plainReferences) UserID(_, reference string) (string, error) {
	if store.CheckID(reference) != nil {
		return "", ErrBadReference
	}
	return reference, nil
}

// Link returns the interview's link with the visitor's reference in it.
func (p Prompt) Link() (string, error) {
	refs := p.References
	if refs == nil {
		refs = plainReferences{}
	}
	ref, err := refs.Reference(p.Key())
	if err != nil {
		return "", err
	}
	sep := "?"
	if strings.Contains(p.InterviewLink, "?") {
		sep = "&"
	}
	return p.InterviewLink + sep + "reference_id=" + url.QueryEscape(ref), nil
}
