package console

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	interviewRows = 50
	// interviewScan is how many interviews a page looks at to find those of a quality.
	// No index leads to a rare one, and among a million it would take too long.
	interviewScan = 5_000
)

// interviewsPage is the data of ui/interviews.html.
type interviewsPage struct {
	Trouble        string
	Study, Quality string            // the filter
	Names          map[string]string // of the studies, by id
	Items          []store.Completion
	Known          bool
	First          bool // nothing newer was left out
	Newer, Older   string
	Scanned        int // how many were looked at, if not to the end of the list
}

func (c *console) interviews(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page := interviewsPage{Study: q.Get("study"), Quality: q.Get("quality"), Names: c.studyNames()}
	f := store.Filter{StudyID: page.Study, NewestFirst: q.Get("order") != "oldest", After: cursorOf(q)}
	part, err := c.look(r.Context(), f, page.Quality)
	if err == nil && !f.NewestFirst && !part.more { // it has come to the first page, which may have more
		f.NewestFirst, f.After = true, nil
		part, err = c.look(r.Context(), f, page.Quality)
	}
	page.Trouble = c.trouble(r.Context(), "Interviews", err)
	page.Known = err == nil
	page.fill(f, part)
	c.render(w, r, http.StatusOK, "interviews", page)
}

// A part of a list is what was found by looking at some of its items.
type part struct {
	items       []store.Completion
	first, last store.Completion // that were looked at
	scanned     int
	more        bool
}

// look reads one page of a list. It counts nothing, and what it takes does not
// depend on how long the list is.
func (c *console) look(ctx context.Context, f store.Filter, quality string) (part, error) {
	if store.CheckFilter(f) != nil {
		return part{}, nil // no study has this id
	}
	lister, err := has[store.Lister](c)
	if err != nil {
		return part{}, err
	}
	return wait(ctx, c, func(ctx context.Context) (found part, err error) {
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

// fill puts a part of the list into the page, with links that lead on.
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
	p.First = !newer
	if newer {
		p.Newer = p.link("oldest", newest)
	}
	if older {
		p.Older = p.link("", oldest)
	}
}

// link returns a link to the items behind one of them, in the given order, or to
// the first page if there is none.
func (p *interviewsPage) link(order string, behind store.Completion) string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("study", p.Study)
	set("quality", p.Quality)
	if behind.InterviewID != "" {
		set("order", order)
		set("at", behind.CompletedAt.UTC().Format(time.RFC3339Nano))
		set("id", behind.InterviewID)
	}
	return "interviews?" + q.Encode()
}

// Export returns the link to an export of the filter.
func (p interviewsPage) Export(format string) string {
	return "export?" + url.Values{"format": {format}, "study": {p.Study}, "quality": {p.Quality}}.Encode()
}

func cursorOf(q url.Values) *store.Completion {
	at, err := time.Parse(time.RFC3339Nano, q.Get("at"))
	if err != nil {
		return nil // the first page
	}
	return &store.Completion{InterviewID: q.Get("id"), CompletedAt: at}
}

// A choice is an option of a form.
type choice struct {
	Value, Text string
	Chosen      bool
}

// Studies returns the options of the filter by study.
func (p interviewsPage) Studies() []choice {
	all := []choice{{"", "All studies", p.Study == ""}}
	for id, name := range p.Names {
		all = append(all, choice{id, name, p.Study == id})
	}
	slices.SortFunc(all[1:], func(a, b choice) int {
		return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(a.Value, b.Value))
	})
	return orOther(all, p.Study)
}

// Qualities returns the options of the filter by quality.
func (p interviewsPage) Qualities() []choice {
	all := []choice{{"", "Any quality", p.Quality == ""}}
	for _, q := range []string{userjourneys.QualityInsightful, userjourneys.QualitySuccessful, userjourneys.QualityUnsuccessful} {
		all = append(all, choice{q, q, p.Quality == q})
	}
	return orOther(all, p.Quality)
}

// orOther returns the options with one more if the chosen one is not among them.
func orOther(all []choice, chosen string) []choice {
	if slices.ContainsFunc(all, func(c choice) bool { return c.Chosen }) {
		return all
	}
	return append(all, choice{chosen, cleanTo(chosen, 60), true})
}

// studyNames returns the names of the configured studies by their ids, as far as
// the provider has told them.
func (c *console) studyNames() map[string]string {
	names := map[string]string{}
	for _, s := range c.Gates.Status() {
		if s.Study.ID != "" {
			names[s.Study.ID] = s.Study.Name
		}
	}
	return names
}

// quality returns the score of an interview.
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

// interviewPage is the data of ui/interview.html.
type interviewPage struct {
	Trouble    []string
	ID         string
	StudyName  string
	Completion *store.Completion
	Transcript *transcript
	Unknown    bool // there is no such interview
	Unfetched  bool // there is no transcript
	CanDelete  bool
}

func (c *console) interview(w http.ResponseWriter, r *http.Request) {
	page := interviewPage{ID: r.URL.Query().Get("id")}
	var (
		parts                      sync.WaitGroup
		noCompletion, noTranscript error
	)
	if store.CheckID(page.ID) == nil {
		parts.Go(func() { page.Completion, noCompletion = c.completion(r.Context(), page.ID) })
		parts.Go(func() { page.Transcript, noTranscript = c.transcriptOf(r.Context(), page.ID) })
		parts.Wait()
	}
	if page.Unfetched = errors.Is(noTranscript, store.ErrNotFound); page.Unfetched {
		noTranscript = nil
	}
	page.Trouble = []string{c.trouble(r.Context(), "The interview", noCompletion), c.trouble(r.Context(), "The transcript", noTranscript)}
	status := http.StatusOK
	if page.Completion == nil && page.Transcript == nil && noCompletion == nil && noTranscript == nil {
		page.Unknown, status = true, http.StatusNotFound
	}
	if page.Completion != nil {
		page.StudyName = c.studyNames()[page.Completion.StudyID]
	}
	_, noRetention := has[store.Retention](c)
	page.CanDelete = noRetention == nil
	c.render(w, r, status, "interview", page)
}

// completion returns what was recorded of an interview, or nil if nothing was.
func (c *console) completion(ctx context.Context, id string) (*store.Completion, error) {
	lister, err := has[store.Lister](c)
	if err != nil {
		return nil, err
	}
	return wait(ctx, c, func(ctx context.Context) (*store.Completion, error) {
		for one, err := range lister.Completions(ctx, store.Filter{InterviewID: id}) {
			if err != nil {
				return nil, err
			}
			return &one, nil
		}
		return nil, nil
	})
}

func (c *console) transcriptOf(ctx context.Context, id string) (*transcript, error) {
	s, err := has[store.Transcripts](c)
	if err != nil {
		return nil, err
	}
	t, err := wait(ctx, c, func(ctx context.Context) (store.Transcript, error) { return s.Transcript(ctx, id) })
	if err != nil {
		return nil, err
	}
	return readTranscript(t), nil
}

// download sends a transcript byte for byte as the provider did.
func (c *console) download(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	s, err := has[store.Transcripts](c)
	var t store.Transcript
	if err == nil {
		t, err = wait(r.Context(), c, func(ctx context.Context) (store.Transcript, error) { return s.Transcript(ctx, id) })
	}
	if err != nil {
		c.failed(w, r, interviewLink(id), "download", err)
		return
	}
	name := strings.Map(func(r rune) rune { // that is a name on every system
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, "transcript-"+id[:min(len(id), 100)]) + ".json"
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	_, _ = w.Write(t.Body) // the browser has gone
}

// deleteTranscript is the action that deletes what was said. The completion stays.
func (c *console) deleteTranscript(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	s, err := has[store.Retention](c)
	if err == nil {
		err = act(r.Context(), c, func(ctx context.Context) error { return s.DeleteTranscript(ctx, id) })
	}
	if err != nil {
		c.failed(w, r, interviewLink(id), "delete a transcript", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: transcript was deleted in the console", "interview", id)
	c.done(w, r, interviewLink(id), "transcript-deleted")
}

func interviewLink(id string) string { return "interview?" + url.Values{"id": {id}}.Encode() }
