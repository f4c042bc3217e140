package redisstore

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// listPage is how many values are read at a time.
const listPage = 500

// Completions implements [store.Lister]. It reads a page at a time.
func (s *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := check(ctx, store.CheckFilter(f)); err != nil {
			yield(store.Completion{}, err)
			return
		}
		for ids, err := range s.selectIDs(ctx, f) {
			if err != nil {
				yield(store.Completion{}, failed("completions", err))
				return
			}
			all, err := s.completions(ctx, ids)
			if err != nil {
				yield(store.Completion{}, failed("completions", err))
				return
			}
			if f.UserID != "" {
				slices.SortFunc(all, f.Compare)
			}
			for _, c := range all {
				if f.Selects(c) && !yield(c, nil) {
					return
				}
			}
		}
	}
}

// selectIDs yields pages of interview ids, in order, that include at least those that f
// selects. The ids of one user come in one page, without an order.
func (s *Store) selectIDs(ctx context.Context, f store.Filter) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		switch {
		case f.InterviewID != "":
			yield([]string{f.InterviewID}, nil)
		case f.UserID != "":
			members, err := s.client.ZRangeByLex(ctx, s.prefix+"by_user", &redis.ZRangeBy{Min: "[" + f.UserID + "\x00", Max: "(" + f.UserID + "\x01"}).Result()
			for n := range members {
				members[n] = members[n][len(f.UserID)+1:]
			}
			yield(members, err)
		default:
			s.byTime(ctx, f, yield)
		}
	}
}

// byTime continues from the last score, after the ids with that score that have been read:
// members with the same score are in byte order.
func (s *Store) byTime(ctx context.Context, f store.Filter, yield func([]string, error) bool) {
	key, page := s.prefix+"by_time", redis.ZRangeBy{Min: "-inf", Max: "+inf", Count: listPage}
	if f.StudyID != "" {
		key = s.prefix + "study:" + f.StudyID
	}
	if !f.Since.IsZero() {
		page.Min = strconv.FormatInt(micros(f.Since), 10)
	}
	read, from := s.client.ZRangeByScoreWithScores, &page.Min
	if f.NewestFirst {
		read, from = s.client.ZRevRangeByScoreWithScores, &page.Max
	}
	last, lastID := 0.0, ""
	if f.After != nil {
		last, lastID = float64(f.After.CompletedAt.UnixMicro()), f.After.InterviewID
		*from = strconv.FormatInt(micros(f.After.CompletedAt), 10)
	}
	direction := 1
	if f.NewestFirst {
		direction = -1
	}
	for {
		found, err := read(ctx, key, &page).Result()
		if err != nil {
			yield(nil, err)
			return
		}
		var ids []string
		for _, z := range found {
			id := z.Member.(string)
			if lastID == "" || z.Score != last {
				page.Offset = 0
			} else if strings.Compare(id, lastID)*direction <= 0 { // read already: a new id has shifted the page
				page.Offset++
				continue
			}
			last, lastID = z.Score, id
			page.Offset++
			ids = append(ids, id)
		}
		if len(ids) > 0 && !yield(ids, nil) || len(found) < listPage {
			return
		}
		*from = strconv.FormatFloat(last, 'f', -1, 64)
	}
}

// completions reads the interviews that exist.
func (s *Store) completions(ctx context.Context, ids []string) ([]store.Completion, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	values, err := s.client.HMGet(ctx, s.prefix+"interviews", ids...).Result()
	if err != nil {
		return nil, err
	}
	var all []store.Completion
	for n, v := range values {
		text, ok := v.(string)
		if !ok {
			continue
		}
		c, err := completion(ids[n], text)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
