package middleware

import (
	"net/http"

	"golang.org/x/text/language"
)

// languages reads Accept-Language (RFC 9110, section 12.5.4) and caches the results:
// browsers send few different values.
type languages struct{ known *memo[[]string] }

const (
	maxLanguages      = 8       // how many of a visitor's languages count
	maxAcceptLanguage = 1 << 10 // bytes; a longer field is no browser's, and would be kept
)

// of lists the languages wanted, the most wanted first. The list is shared: it
// must not be changed.
func (l languages) of(h http.Header) []string {
	values := h["Accept-Language"]
	if len(values) == 0 || len(values[0]) > maxAcceptLanguage {
		return nil
	}
	if tags := l.known.get(values[0]); tags != nil {
		return *tags
	}
	var tags []string
	parsed, weights, err := language.ParseAcceptLanguage(values[0])
	for i, tag := range parsed {
		if err == nil && weights[i] > 0 && tag != language.Und && len(tags) < maxLanguages {
			tags = append(tags, tag.String())
		}
	}
	l.known.put(values[0], tags)
	return tags
}

// languagesOf returns the languages that a visitor wants, the app's own first.
func (m *Middleware) languagesOf(r *http.Request) []string {
	accepted := m.languages.of(r.Header)
	if own := m.ownLanguage(r); own != "" {
		return append([]string{own}, accepted...)
	}
	return accepted
}

func (m *Middleware) ownLanguage(r *http.Request) (own string) {
	if m.opts.Language == nil {
		return ""
	}
	m.call(r.Context(), "Options.Language", func() { own = m.opts.Language(r) })
	return own
}
