package gate

import (
	"errors"

	"github.com/askonce/askonce/store"
)

// References write a user id into an interview link and read it back from the
// webhook. Every id comes back byte for byte. Implementations must be safe for
// concurrent use, and their errors must contain neither id nor reference.
type References interface {
	// Reference returns the reference_id for a link. An id that [store.CheckID]
	// refuses is an error that matches [store.ErrInvalid].
	Reference(k store.Key) (string, error)
	// UserID returns the user's id from a reference. An error that matches
	// [ErrBadReference] means that the reference was not made for this study.
	UserID(studyID, reference string) (string, error)
}

// ErrBadReference means that a reference was forged or damaged, or made for another
// study or with a key that has been removed.
var ErrBadReference = errors.New("gate: bad reference")

// PlainReferences returns References that are the user id itself. They are the default.
// The provider's other channels can use the same ids. A user who edits the address bar
// can take the interview under any other id.
func PlainReferences() References { return plainReferences{} }

type plainReferences struct{}

func (plainReferences) Reference(k store.Key) (string, error) {
	if err := store.CheckID(k.UserID); err != nil {
		return "", err
	}
	return k.UserID, nil
}

func (plainReferences) UserID(_, reference string) (string, error) {
	if store.CheckID(reference) != nil {
		return "", ErrBadReference
	}
	return reference, nil
}
