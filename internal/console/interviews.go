package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	interviewRows = 50
	// interviewScan is how many interviews a page reads to find those of a quality.
	// There is no index of qualities, and to search a million takes too long.
	interviewScan = 5_000
)

// interviewsPage is the data of ui/interviews.html.
type interviewsPage struct {
	Trouble        string
	Study, Quality string            // the filter
	Names          map[string]string // of the configured studies, by id
	Qualities      []string          // that the filter offers
	Items          []store.Completion
	Known          bool
	Newer, Older   string // links, or ""
	Scanned        int    // how many were read, if the search stopped there
}

func (c *console) interviews(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page := interviewsPage{
		Study: q.Get("study"), Quality: q.Get("quality"), Names: c.studyNames(),
		Qualities: []string{userjourneys.QualityInsightful, userjourneys.QualitySuccessful, userjourneys.QualityUnsuccessful},
	}
	if page.Quality != "" && !slices.Contains(page.Qualities, page.Quality) {
		page.Qualities = append(page.Qualities, page.Quality)
	}
	f := store.Filter{StudyID: page.Study, NewestFirst: q.Get("order") != "oldest", After: cursorOf(q)}
	part, err := c.look(r.Context(), f, page.Quality)
	if err == nil && !f.NewestFirst && !part.more { // the first page, which may have newer ones by now
		f.NewestFirst, f.After = true, nil
		part, err = c.look(r.Context(), f, page.Quality)
	}
	page.Trouble = c.trouble(r.Context(), "Interviews", err)
	page.Known = err == nil
	page.fill(f, part)
	c.render(w, r, http.StatusOK, "interviews", page)
}

// A part is some of a list, and what was found there.
type part struct {
	items       []store.Completion
	first, last store.Completion // of those that were read
	scanned     int              // how many were read
	more        bool             // the list goes on
}

// look reads one page of a list. Its cost does not depend on the list's length.
func (c *console) look(ctx context.Context, f store.Filter, quality string) (part, error) {
	if store.CheckFilter(f) != nil {
		return part{}, nil // no study has this id
	}
	return read(ctx, c, func(ctx context.Context, lister store.Lister) (found part, err error) {
		for one, err := range lister.Completions(ctx, f) {
			if err != nil {
				return part{}, err
			}
			if len(found.items) == interviewRows || found.scanned == interviewScan {
				found.more = true
				break
			}
			if found.scanned++; found.scanned == 1 {
				found.first = one
			}
			found.last = one
			if quality == "" || one.Quality == quality {
				found.items = append(found.items, one)
			}
		}
		return found, nil
	})
}

// fill adds a part of the list to the page, with links to what is newer and older.
func (p *interviewsPage) fill(f store.Filter, found part) {
	p.Items = found.items
	newest, oldest := found.first, found.last
	newer, older := f.After != nil, found.more
	if !f.NewestFirst {
		slices.Reverse(p.Items)
		newest, oldest = oldest, newest
		newer, older = found.more, true
	}
	if found.more && len(p.Items) < interviewRows {
		p.Scanned = found.scanned
	}
	if newer {
		p.Newer = p.link("oldest", newest)
	}
	if older {
		p.Older = p.link("", oldest)
	}
}

// link returns a link to the items after the given one, in this order, or to the first
// page if that is zero.
func (p *interviewsPage) link(order string, after store.Completion) string {
	q := url.Values{"study": {p.Study}, "quality": {p.Quality}}
	if after.InterviewID != "" {
		q.Set("order", order)
		q.Set("at", after.CompletedAt.UTC().Format(time.RFC3339Nano))
		q.Set("id", after.InterviewID)
	}
	return "interviews?" + q.Encode()
}

func cursorOf(q url.Values) *store.Completion {
	at, err := time.Parse(time.RFC3339Nano, q.Get("at"))
	if err != nil {
		return nil // the first page
	}
	return &store.Completion{InterviewID: q.Get("id"), CompletedAt: at}
}

// studyNames returns the names of the configured studies by their ids, as far as they
// are known.
func (c *console) studyNames() map[string]string {
	names := map[string]string{}
	for _, s := range c.Gates.Status() {
		if s.Study.ID != "" {
			names[s.Study.ID] = s.Study.Name
		}
	}
	return names
}

// quality returns the badge of an interview's quality score.
func quality(score string) badge {
	switch score {
	case "":
		return badge{"", "not scored"}
	case userjourneys.QualityInsightful:
		return badge{"good", score}
	case userjourneys.QualityUnsuccessful:
		return badge{"warn", score}
	}
	return badge{"", cleanTo(score, 60)}
}
