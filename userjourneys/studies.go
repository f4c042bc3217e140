package userjourneys

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"regexp"
)

// Studies yields every active study of the project, following all pages. The
// order is the provider's and undocumented. The first error ends it.
func (c *Client) Studies(ctx context.Context) iter.Seq2[Study, error] {
	return pages[Study](ctx, c, "/studies", url.Values{}, maxPageSize, "", func(s Study) string { return s.ID })
}

// uuid is the shape of every id in the provider's documentation (RFC 9562).
var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// FindStudy returns the study with this id or with exactly this name. What has
// the shape of a UUID is asked for as an id, in one request, and then tried as
// a name; anything else is looked for in the list, among the names and, since
// ids are opaque, the ids. It matches ErrNotFound when no active study fits
// (paused, deleted, or in another project) and ErrAmbiguous when two have the
// name.
func (c *Client) FindStudy(ctx context.Context, idOrName string) (Study, error) {
	if idOrName == "" {
		return Study{}, errors.New("userjourneys: the study's id or name is empty")
	}
	if uuid.MatchString(idOrName) {
		var s Study
		err := c.get(ctx, "/studies/"+url.PathEscape(idOrName), nil, &s)
		if !errors.Is(err, ErrNotFound) {
			return s, err
		}
	}
	var found []Study
	for s, err := range c.Studies(ctx) {
		if err != nil {
			return Study{}, err
		}
		if s.ID == idOrName {
			return s, nil
		}
		if s.Name == idOrName {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return Study{}, fmt.Errorf("%w: no active study %q", ErrNotFound, idOrName)
	case 1:
		return found[0], nil
	default:
		return Study{}, fmt.Errorf("%w: %q", ErrAmbiguous, idOrName)
	}
}
