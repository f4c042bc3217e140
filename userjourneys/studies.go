package userjourneys

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// Study is one study of the project that the API key belongs to. The provider
// lists active studies only: a study that is missing is paused, deleted, or
// belongs to another project.
type Study struct {
	ID            string
	Name          string
	Status        string
	InterviewLink string // public link of the interview, without a reference id

	// AcceptingResponses is true only while the study's weekly and monthly
	// limits and the project's monthly limit all have places left. The project's
	// limit is not part of the response, so Limits cannot replace this flag.
	AcceptingResponses bool

	SupportedLanguages []string // BCP 47 tags
	Limits             Limits
	CreatedAt          time.Time

	// The fields below are not part of lists. [Client.FindStudy] sets them if it is
	// called with an id.
	ResearchGoal   string
	ProductName    string
	Questions      []string
	InterviewCount int
}

// Limits are the response limits of a study. A nil limit means there is none.
// Weekly limits reset on Monday 00:00 UTC.
type Limits struct {
	Weekly, Monthly *Limit
}

// Limit is how many interviews a period allows and how many it has had.
type Limit struct {
	Limit, Used int
}

// UnmarshalJSON decodes the provider's study object, with its newer or its
// older names. Only the id is required.
func (s *Study) UnmarshalJSON(b []byte) error {
	o, err := decodeObject(b, "id", "study", "experiment")
	if err != nil {
		return err
	}
	accepting, _ := o.flag("accepting_responses", "accepting_interviews")
	limits := field[object](o, "limits")
	*s = Study{
		ID:                 o.str("id", "study_id", "experiment_id"),
		Name:               o.str("name", "study_name", "experiment_name"),
		Status:             o.str("status"),
		InterviewLink:      o.str("interview_link"),
		AcceptingResponses: accepting,
		SupportedLanguages: field[[]string](o, "supported_languages"),
		Limits:             Limits{Weekly: limits.limit("weekly"), Monthly: limits.limit("monthly")},
		CreatedAt:          o.time("created_at"),
		ResearchGoal:       o.str("research_goal"),
		ProductName:        o.str("product_name"),
		InterviewCount:     int(o.number("interview_count", "interviews_count")),
	}
	for _, q := range field[[]object](o, "questions") {
		s.Questions = append(s.Questions, q.str("text"))
	}
	if s.ID == "" {
		return errors.New("a study without an id")
	}
	return nil
}

// limit reads the limit of a period. A limit that is not a number counts as none, because
// AcceptingResponses decides in any case.
func (o object) limit(period string) *Limit {
	l := field[object](o, period)
	if n, ok := l.parseNumber("limit"); ok {
		return &Limit{Limit: int(n), Used: int(l.number("used"))}
	}
	return nil
}

// Studies yields every active study of the project, following all pages. The
// order is undocumented. The first error ends the sequence. Items that are not
// usable are skipped, and logged once per kind.
func (c *Client) Studies(ctx context.Context) iter.Seq2[Study, error] {
	return list[Study](ctx, c, "/studies", url.Values{}, maxPageSize, "", nil)
}

// idPattern matches everything that may be an id. The documentation shows UUIDs and
// promises nothing.
var idPattern = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)

// FindStudy returns the active study with this id or with exactly this name. An
// id takes precedence over a name.
//
// A single word of letters, digits, "-" and "_" is first requested as an id,
// which takes one request if it is one. If the provider knows no such id (404,
// or 400 for a malformed one), and for anything else, FindStudy reads all pages
// of the list.
//
// The error matches [ErrNotFound] if there is no such active study (it may be
// paused, deleted, or in another project) and [ErrAmbiguous] if two studies have
// the name.
func (c *Client) FindStudy(ctx context.Context, idOrName string) (Study, error) {
	if idOrName == "" {
		return Study{}, errors.New("userjourneys: the study's id or name is empty")
	}
	if idPattern.MatchString(idOrName) {
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
		if errors.Is(err, ErrNotFound) { // every project has a list, so this says nothing about the study
			return Study{}, fmt.Errorf("%w: GET /studies: status 404: is the base URL the root of the API?", ErrUnexpectedResponse)
		}
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
