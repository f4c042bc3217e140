package prompt

import (
	"slices"

	"golang.org/x/text/language"
)

// Texts holds the words of a prompt in one language. Its fields are those of Texts in
// package middleware, which documents them and converts one type to the other.
type Texts struct {
	Language string

	Kind    string
	Title   string
	Text    string
	Facts   []string
	Start   string
	NewTab  string
	Later   string
	Decline string

	Thanks      string
	Undo        string
	Never       string
	OptedOut    string
	NotRecorded string
	TryAgain    string

	ClosedTitle, ClosedText           string
	FullTitle, FullText               string
	CompletedTitle, CompletedText     string
	PausedTitle, PausedText           string
	RefusedTitle, RefusedText         string
	UnavailableTitle, UnavailableText string
	SignedOutTitle, SignedOutText     string
	Back                              string
}

var wordsMatcher = func() language.Matcher {
	var tags []language.Tag
	for _, w := range words {
		tags = append(tags, language.MustParse(w.Language))
	}
	return language.NewMatcher(tags)
}()

// wordsFor returns the built-in words that suit the wanted languages best, of which the
// first is the most wanted. The caller may change them.
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

// rightToLeft are the scripts that are written from right to left (Unicode Standard, table
// 4-6).
var rightToLeft = []string{"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}

// direction returns the dir attribute for words in a language.
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
