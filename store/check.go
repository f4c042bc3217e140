package store

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxIDLen is the length in bytes of the longest id that a store accepts.
const MaxIDLen = 256

// CheckID returns an error that matches [ErrInvalid] unless id is 1 to [MaxIDLen] bytes
// of valid UTF-8 without control characters. The error never contains the id. Every store
// checks ids before they reach the backend.
func CheckID(id string) error {
	switch {
	case id == "":
		return invalidArgument("the id is empty")
	case len(id) > MaxIDLen:
		return invalidArgument("the id is longer than 256 bytes")
	}
	for i := range len(id) {
		if id[i]-' ' > '~'-' ' { // a byte below ' ' wraps around
			return checkText(id)
		}
	}
	return nil
}

// checkText checks an id that is not all printable ASCII.
func checkText(id string) error {
	if !utf8.ValidString(id) {
		return invalidArgument("the id is not valid UTF-8")
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return invalidArgument("the id contains a control character")
		}
	}
	return nil
}

// CheckKey returns an error that matches [ErrInvalid] unless both ids pass
// [CheckID].
func CheckKey(k Key) error {
	if err := CheckID(k.StudyID); err != nil {
		return err
	}
	return CheckID(k.UserID)
}

// CheckCompletion returns an error that matches [ErrInvalid] unless StudyID and
// InterviewID pass [CheckID], and UserID, Quality and Language pass it or are
// empty. Every store calls it in Record.
func CheckCompletion(c Completion) error {
	if err := CheckID(c.StudyID); err != nil {
		return err
	}
	if err := CheckID(c.InterviewID); err != nil {
		return err
	}
	return checkOptional(c.UserID, c.Quality, c.Language)
}

// CheckFilter returns an error that matches [ErrInvalid] unless every string in f passes
// [CheckID] or is empty.
func CheckFilter(f Filter) error {
	return checkOptional(f.StudyID, f.UserID, f.InterviewID, f.Quality)
}

// CheckInteraction returns an error that matches [ErrInvalid] unless UserID
// and StudyID pass [CheckID], the kind is known and At is set. StudyID must be
// empty for an [InteractionOptedOut] and may be empty for an [InteractionUndone].
func CheckInteraction(i Interaction) error {
	switch {
	case i.Kind > InteractionOptedOut:
		return invalidArgument("the kind of interaction is unknown, or only for metrics")
	case i.At.IsZero():
		return invalidArgument("the interaction has no time")
	case i.Kind == InteractionOptedOut && i.StudyID != "":
		return invalidArgument("an opt-out must not name a study")
	case i.StudyID == "" && i.Kind != InteractionOptedOut && i.Kind != InteractionUndone:
		return invalidArgument("the id is empty")
	}
	if err := checkOptional(i.StudyID); err != nil {
		return err
	}
	return CheckID(i.UserID)
}

// CheckSwitch returns an error that matches [ErrInvalid] unless the name passes
// [CheckID], By passes it or is empty, and At is set.
func CheckSwitch(s Switch) error {
	if s.At.IsZero() {
		return invalidArgument("the switch has no time")
	}
	if err := CheckID(s.Name); err != nil {
		return err
	}
	return checkOptional(s.By)
}

// CheckExpirable returns an error that matches [ErrInvalid] unless e is one of the
// constants.
func CheckExpirable(e Expirable) error {
	if int(e) >= len(expirableNames) {
		return invalidArgument("unknown kind of item to delete")
	}
	return nil
}

func checkOptional(ids ...string) error {
	for _, id := range ids {
		if id == "" {
			continue
		}
		if err := CheckID(id); err != nil {
			return err
		}
	}
	return nil
}

// Instant returns t in UTC, truncated to the microsecond, as stores keep it.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

type invalidArgument string

func (e invalidArgument) Error() string        { return "store: invalid argument: " + string(e) }
func (e invalidArgument) Is(target error) bool { return target == ErrInvalid }
