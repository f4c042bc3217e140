package userjourneys

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
)

// Interviews yields every interview that f selects, following all pages. The
// order is the provider's and undocumented. The first error ends it. Transcript
// and Answers are empty in a list.
func (c *Client) Interviews(ctx context.Context, f InterviewFilter) iter.Seq2[Interview, error] {
	if f.StudyID == "" {
		return func(yield func(Interview, error) bool) {
			yield(Interview{}, errors.New("userjourneys: the interview filter needs a study id"))
		}
	}
	query := url.Values{"study_id": {f.StudyID}}
	for name, value := range map[string]string{"status": f.Status, "reference_id": f.ReferenceID, "quality_score": f.QualityScore} {
		if value != "" {
			query.Set(name, value)
		}
	}
	size := maxPageSize
	if f.PageSize > 0 {
		size = min(f.PageSize, maxPageSize)
	}
	return pages[Interview](ctx, c, "/interviews", query, size, f.After, func(i Interview) string { return i.ID })
}

// Interview returns one interview with its transcript and answers. It matches
// ErrNotFound when the interview is not this project's, or not there yet.
func (c *Client) Interview(ctx context.Context, id string) (Interview, error) {
	if id == "" {
		return Interview{}, errors.New("userjourneys: the interview's id is empty")
	}
	if id == "." || id == ".." { // would name another path (RFC 3986, section 5.2.4)
		return Interview{}, fmt.Errorf("%w: no interview %q", ErrNotFound, id)
	}
	var i Interview
	if err := c.get(ctx, "/interviews/"+url.PathEscape(id), nil, &i); err != nil {
		return Interview{}, err
	}
	return i, nil
}
