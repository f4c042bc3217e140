package recipes

import (
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// Texts uses its own words in English and Dutch, and the built-in words in every
// other language.
func Texts(ask gate.Decider, user func(*http.Request) string) (*middleware.Middleware, error) {
	return middleware.New(ask, user, &middleware.Options{
		Texts: func(studyID, language string, words middleware.Texts) middleware.Texts {
			switch language {
			case "en":
				words.Title = "Two minutes? Make it ten."
			case "nl":
				words.Language, words.Title, words.Text = "nl", "Heb je even voor ons?", "Vertel ons wat goed werkt en wat niet."
				words.Start, words.Later, words.Decline = "Begin het interview", "Later", "Nee, bedankt"
				words.Facts = []string{"Met je stem", "Ongeveer 10 minuten"}
			}
			return words
		},
	})
}
