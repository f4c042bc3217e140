package prompt

import (
	"slices"

	"golang.org/x/text/language"
)

// Texts holds the words of one prompt in one language. They are plain text.
type Texts struct {
	// Language is the BCP 47 tag of the words. The lang and dir attributes of the
	// prompt follow from it.
	Language string `json:"-"`

	Kind    string   `json:"kind"` // what the invitation is to, in the line above the title
	Title   string   `json:"title"`
	Text    string   `json:"text"`
	Facts   []string `json:"facts"` // what to know beforehand, each a few words
	Start   string   `json:"start"`
	NewTab  string   `json:"newTab"` // what Start does, for screen readers
	Later   string   `json:"later"`  // the label of the × button
	Decline string   `json:"decline"`

	// What is said after Decline, with two buttons, and after Never.
	Thanks   string `json:"thanks"`
	Undo     string `json:"undo"`
	Never    string `json:"never"`
	OptedOut string `json:"optedOut"`

	// The pages of the start endpoint, for a click that leads to no interview.
	Closed      Notice `json:"-"` // the study has ended or is paused at the provider
	Full        Notice `json:"-"` // the study has no place left
	Completed   Notice `json:"-"` // the user has been interviewed already
	Paused      Notice `json:"-"` // an operator has paused asking
	Refused     Notice `json:"-"` // the user has opted out
	Unavailable Notice `json:"-"` // the interview cannot be opened right now
	SignedOut   Notice `json:"-"` // nobody is signed in
	TryAgain    string `json:"-"` // on the page Unavailable
	Back        string `json:"-"` // leads to the app
}

// A Notice is what one page of the endpoints says.
type Notice struct{ Title, Text string }

var wordsMatcher = func() language.Matcher {
	var tags []language.Tag
	for _, w := range words {
		tags = append(tags, language.MustParse(w.Language))
	}
	return language.NewMatcher(tags)
}()

// wordsFor returns the built-in words that suit one of the languages, most
// wanted first, best. They are the caller's own.
func wordsFor(wanted ...string) Texts {
	var tags []language.Tag
	for _, w := range wanted {
		if tag, err := language.Parse(w); err == nil {
			tags = append(tags, tag)
		}
	}
	_, i, _ := wordsMatcher.Match(tags...)
	t := words[i]
	t.Facts = slices.Clone(t.Facts)
	return t
}

// Languages in these scripts are written from right to left (Unicode Standard,
// table 4-6).
var rightToLeft = []string{"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}

// direction is the value of the dir attribute for words in a language.
func direction(lang string) string {
	tag, err := language.Parse(lang)
	if err != nil {
		return "auto"
	}
	if script, _ := tag.Script(); slices.Contains(rightToLeft, script.String()) {
		return "rtl"
	}
	return "ltr"
}
