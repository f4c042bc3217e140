package userjourneys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/url"
	"strconv"
)

const (
	maxPageSize = 100   // the provider's own maximum
	maxPages    = 10000 // a list that is longer than this is a loop
)

// list yields the items of all pages of a list. An empty page is the end. A cursor that
// stands still or repeats is an error: following it would never end.
func list[T listed](ctx context.Context, c *Client, path string, query url.Values, size int, after string, onPage func(items int)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		// The sequence may be ranged over again, so change only copies.
		query, after := maps.Clone(query), after
		query.Set("limit", strconv.Itoa(size))
		seen := map[string]bool{after: true}
		skipped := map[string]int{}
		defer func() { c.logSkipped(ctx, path, skipped) }()
		for range maxPages {
			if after != "" {
				query.Set("starting_after", after)
			}
			var p page
			if err := c.get(ctx, path, query, &p); err != nil {
				yield(zero, err)
				return
			}
			if onPage != nil {
				onPage(len(p.items))
			}
			items, last := usable[T](p.items, skipped)
			if len(p.items) == 0 || !p.paged && last != "" && seen[last] {
				return // a list without has_more that starts over has no pages
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if p.paged && !p.more || !p.paged && len(p.items) < size {
				return
			}
			if last == "" || seen[last] {
				yield(zero, fmt.Errorf("%w: GET %s: the list goes on, but after no item or an earlier one", ErrUnexpectedResponse, path))
				return
			}
			seen[last], after = true, last
		}
		yield(zero, fmt.Errorf("%w: GET %s: more than %d pages", ErrUnexpectedResponse, path, maxPages))
	}
}

// listed is an item of a list.
type listed interface {
	Study | Interview
	id() string
}

func (s Study) id() string     { return s.ID }
func (i Interview) id() string { return i.ID }

// page is one page of a list.
type page struct {
	items []json.RawMessage
	more  bool // has_more
	paged bool // the response has has_more
}

// UnmarshalJSON decodes {"data":[…],"has_more":…}, the same with another name for the
// items, and a bare array.
func (p *page) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, &p.items)
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	p.more, p.paged = o.flag("has_more", "hasMore")
	for _, name := range []string{"data", "items", "results", "studies", "experiments", "interviews"} {
		if raw, ok := o[name]; ok && json.Unmarshal(raw, &p.items) == nil {
			return nil
		}
	}
	return errors.New("not a list")
}

// usable decodes the items that can be used and counts the others by their oddity. It
// also returns the id of the last item, which is the cursor of the next page, or "" if
// no item has one. An item with a numeric id is skipped, but its id serves as a cursor.
func usable[T listed](raws []json.RawMessage, skipped map[string]int) (items []T, last string) {
	for _, raw := range raws {
		var item T
		if json.Unmarshal(raw, &item) == nil {
			items, last = append(items, item), item.id()
			continue
		}
		skipped[oddity(raw)]++
		var numbered struct{ ID json.Number }
		if json.Unmarshal(raw, &numbered) == nil && numbered.ID != "" {
			last = numbered.ID.String()
		}
	}
	return items, last
}

// oddity returns why an item of a list is skipped.
func oddity(raw json.RawMessage) string {
	var o object
	switch {
	case string(raw) == "null":
		return "null"
	case json.Unmarshal(raw, &o) != nil:
		return "not an object"
	case o.raw("id") == nil:
		return "no id"
	}
	return "an id that is not a string"
}

// logSkipped logs how many items were skipped, at Warn the first time for each
// kind.
func (c *Client) logSkipped(ctx context.Context, path string, skipped map[string]int) {
	for kind, n := range skipped {
		level := slog.LevelWarn
		if _, again := c.warned.LoadOrStore(path+" "+kind, true); again {
			level = slog.LevelDebug
		}
		c.log.Log(ctx, level, "userjourneys: skipped unusable list items", "path", path, "kind", kind, "items", n)
	}
}
