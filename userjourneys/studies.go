package userjourneys

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
)

// Studies yields every active study of the project, following all pages. The
// order is the provider's and undocumented. The first error ends it.
func (c *Client) Studies(ctx context.Context) iter.Seq2[Study, error] {
	return pages[Study](ctx, c, "/studies", url.Values{}, maxPageSize, "", func(s Study) string { return s.ID })
}

// word is what may be an id. Ids are opaque: the documentation shows UUIDs
// alone and promises nothing.
var word = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)

// FindStudy returns the active study with this id or with exactly this name.
//
// A single word of letters, digits, "-" and "_" is first asked for as an id:
// one request when it is one. When the provider knows no such id (404, or 400
// for a malformed one), and for anything else, all pages of the list are read
// for a study with that id or name; an id goes before a name.
//
// The error matches ErrNotFound when no active study fits (it may be paused,
// deleted, or in another project) and ErrAmbiguous when two have the name.
func (c *Client) FindStudy(ctx context.Context, idOrName string) (Study, error) {
	if idOrName == "" {
		return Study{}, errors.New("userjourneys: the study's id or name is empty")
	}
	if word.MatchString(idOrName) {
		var s Study
		err := c.get(ctx, "/studies/"+url.PathEscape(idOrName), nil, &s)
		var e *Error
		switch {
		case err == nil:
			return s, nil
		case !errors.As(err, &e) || e.StatusCode != http.StatusNotFound && e.StatusCode != http.StatusBadRequest:
			return Study{}, err
		}
	}
	var found []Study
	for s, err := range c.Studies(ctx) {
		if err != nil {
			return Study{}, err
		}
		if CanonicalID(s.ID) == CanonicalID(idOrName) {
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
