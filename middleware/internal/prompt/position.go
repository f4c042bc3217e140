package prompt

// Position is where the prompt stands in a page that has no place of its own
// for it. A page that has, an element with the attribute data-askonce-here,
// gets it in there, as a part of its layout.
type Position uint8

// The positions.
const (
	PositionCorner Position = iota // a card in the lower corner at the end of the line
	PositionBanner                 // a bar along the lower edge
)

// String returns the value of the element's data-position attribute.
func (p Position) String() string {
	if p == PositionBanner {
		return "banner"
	}
	return "corner"
}
