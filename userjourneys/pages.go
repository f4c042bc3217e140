package userjourneys

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"strconv"
)

const (
	maxPageSize = 100   // the provider's own maximum
	maxPages    = 10000 // a list that is longer than this is a loop
)

// pages follows a list through all its pages. It refuses a list that claims to
// have more but gives nothing, or whose cursor stands still: either would turn
// it for ever.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values, size int, after string, id func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		query.Set("limit", strconv.Itoa(size))
		for range maxPages {
			if after != "" {
				query.Set("starting_after", after)
			}
			var page struct {
				Data    []json.RawMessage `json:"data"`
				HasMore bool              `json:"has_more"`
			}
			if err := c.get(ctx, path, query, &page); err != nil {
				yield(zero, err)
				return
			}
			last := after
			for _, raw := range page.Data {
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
			if last == after {
				yield(zero, fmt.Errorf("userjourneys: GET %s: %w: there is more, but no next page", path, ErrBadAnswer))
				return
			}
			after = last
		}
		yield(zero, fmt.Errorf("userjourneys: GET %s: %w: more than %d pages", path, ErrBadAnswer, maxPages))
	}
}
