package gate

import (
	"errors"

	"github.com/askonce/askonce/store"
)

// References writes a user id into an interview link and reads it back from
// the webhook: every id that goes in comes out byte for byte. Implementations
// are safe for concurrent use, and their errors hold neither id nor reference.
type References interface {
	// Reference returns what the link's reference_id shall be for k. An id that
	// store.CheckID refuses is an error that matches store.ErrInvalid.
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
// address bar can take the interview under another user's id, or anybody's.
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
