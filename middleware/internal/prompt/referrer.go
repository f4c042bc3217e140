package prompt

import (
	"net/http"
	"strings"
)

// concealsPath reports whether the Referrer-Policy of a page (W3C Referrer Policy,
// section 8.1) keeps its path from the app's own endpoints: the last policy that
// browsers know counts. One in a meta element is not seen.
func concealsPath(h http.Header) (conceals bool) {
	for _, v := range h["Referrer-Policy"] {
		for policy := range strings.SplitSeq(v, ",") {
			switch strings.ToLower(strings.TrimSpace(policy)) {
			case "no-referrer", "origin", "strict-origin":
				conceals = true
			case "no-referrer-when-downgrade", "same-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url":
				conceals = false
			}
		}
	}
	return conceals
}
