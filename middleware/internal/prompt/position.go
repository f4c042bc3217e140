package prompt

import "fmt"

// A Position says where the prompt appears, unless the page has an element with a
// data-askonce-here attribute: then it goes there, as part of the page. Start and
// end are sides of the page's own direction.
type Position uint8

// The positions.
const (
	PositionBottomEnd   Position = iota // a card in the lower corner where lines end
	PositionBottomStart                 // a card in the lower corner where lines begin
	PositionTopEnd                      // a card in the upper corner where lines end
	PositionTopStart                    // a card in the upper corner where lines begin
	PositionBanner                      // a bar along the lower edge
)

var positionNames = [...]string{
	PositionBottomEnd: "bottom-end", PositionBottomStart: "bottom-start",
	PositionTopEnd: "top-end", PositionTopStart: "top-start", PositionBanner: "banner",
}

// String returns the position in lower case with a hyphen, such as "bottom-end".
func (p Position) String() string {
	if int(p) < len(positionNames) {
		return positionNames[p]
	}
	return fmt.Sprintf("Position(%d)", p)
}

// MarshalText implements [encoding.TextMarshaler].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
