package recipes

import "github.com/askonce/askonce/middleware"

// Words returns options for askonce.Config.Middleware with the app's own words in English
// and Dutch. Every other language keeps the built-in words. The prompt uses a language
// only if the study supports it.
func Words() *middleware.Options {
	return &middleware.Options{Texts: func(studyID, language string, words middleware.Texts) middleware.Texts {
		switch language {
		case "en":
			words.Title = "Ten minutes to tell us what you think?"
		case "nl":
			words.Language, words.Title, words.Text = "nl", "Heb je even voor ons?", "Vertel ons wat goed werkt en wat niet."
			words.Start, words.Later, words.Decline = "Begin het interview", "Later", "Nee, bedankt"
			words.Facts = []string{"Met je stem", "Ongeveer 10 minuten"}
		}
		return words
	}}
}
