package recipes_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// asks is a gate.Decider that invites everybody.
type asks struct{ language string }

func (a asks) Decide(context.Context, gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s", StudyName: "Study", InterviewLink: "https://interviews.example/i/x", UserID: "ada", Language: a.language,
	}}
}

func (a asks) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return a.Decide(ctx, v) }

func TestWords(t *testing.T) {
	t.Parallel()
	for language, title := range map[string]string{"en": "Ten minutes to tell us", "nl": "Heb je even voor ons?", "de": "Haben Sie ein paar Minuten"} {
		m, err := middleware.New(asks{language}, ada, recipes.Words())
		require.NoError(t, err)
		require.Contains(t, get(m.Handler(http.HandlerFunc(plainPage)), "/").Body.String(), title, language)
	}
}

func TestSinglePage(t *testing.T) {
	t.Parallel()
	m, err := middleware.New(asks{"en"}, ada, nil)
	require.NoError(t, err)
	app := recipes.SinglePage(m)
	require.NotContains(t, get(app, "/").Body.String(), `class="askonce"`)
	var d struct {
		Ask    bool
		Reason string
		Texts  struct{ Title, Later string }
		Links  struct{ Start, Later string }
	}
	require.NoError(t, json.Unmarshal(get(app, "/askonce/decision").Body.Bytes(), &d))
	require.True(t, d.Ask)
	for _, s := range []string{d.Texts.Title, d.Texts.Later, d.Links.Start, d.Links.Later} {
		require.NotEmpty(t, s, "the page's script uses it")
	}
}
