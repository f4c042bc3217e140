package userjourneys

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"strconv"
)

const (
	maxPageSize = 100   // the provider's own maximum
	maxPages    = 10000 // a list that is longer than this is a loop
)

// pages follows a list through all its pages. It refuses a list that claims to
// have more but gives nothing, or whose cursor stands still or comes back:
// either would go on for ever.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values, size int, after string, id func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		// A sequence may be ranged over again, so nothing outside is changed.
		query, after := maps.Clone(query), after
		seen := map[string]bool{after: true}
		query.Set("limit", strconv.Itoa(size))
		for range maxPages {
			if after != "" {
				query.Set("starting_after", after)
			}
			var page struct {
				Data    *[]json.RawMessage `json:"data"`
				HasMore bool               `json:"has_more"`
			}
			if err := c.get(ctx, path, query, &page); err != nil {
				yield(zero, err)
				return
			}
			if page.Data == nil {
				yield(zero, fmt.Errorf("userjourneys: GET %s: %w: not a list", path, ErrBadAnswer))
				return
			}
			last := after
			for _, raw := range *page.Data {
				var item T
				if err := json.Unmarshal(raw, &item); err != nil {
					yield(zero, fmt.Errorf("userjourneys: GET %s: %w: %w", path, ErrBadAnswer, err))
					return
				}
				last = id(item)
				if !yield(item, nil) {
					return
				}
			}
			if !page.HasMore {
				return
			}
			if seen[last] {
				yield(zero, fmt.Errorf("userjourneys: GET %s: %w: there is more, but the next page is none or an earlier one", path, ErrBadAnswer))
				return
			}
			seen[last], after = true, last
		}
		yield(zero, fmt.Errorf("userjourneys: GET %s: %w: more than %d pages", path, ErrBadAnswer, maxPages))
	}
}
