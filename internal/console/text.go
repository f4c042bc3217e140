package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// funcs are the functions of the templates.
var funcs = template.FuncMap{
	"when":     when,
	"date":     date,
	"duration": duration,
	"bytes":    size,
	"clean":    clean,
	"brief":    brief,
	"count":    count,
	"number":   thousands,
	"prose":    prose,
	"body":     body,
	"percent":  percent,
	"verdict":  verdict,
	"reason":   reason,
	"took":     took,
	"quality":  quality,
}

// when returns how long ago t was, with the time itself as a tooltip.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s UTC">%s</time>`, t.UTC().Format(time.RFC3339), date(t), ago(t)))
}

// ago returns how long ago t was: "3 minutes ago".
func ago(t time.Time) string {
	switch d := time.Since(t); {
	case d <= -time.Second:
		return "in " + duration(-d)
	case d < time.Second:
		return "just now"
	default:
		return duration(d) + " ago"
	}
}

// date returns t in UTC, to the second.
func date(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// duration returns d in its largest unit: "3 minutes".
func duration(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / unit.d); n > 0 {
			return count(n, unit.name)
		}
	}
	return "less than a second"
}

// took returns the duration of a request: "1.2 ms".
func took(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// count returns "1 job" or "3 jobs".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands returns n with commas: "1,200".
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size returns n bytes in a fitting unit: "1.5 KB".
func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1000/1000)
}

// percent returns n as a share of whole: "12 %", or "" if whole is zero.
func percent(n, whole int) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", (200*n+whole)/(2*whole))
}

// Limits of foreign text in a page, in bytes.
const (
	maxText  = 2000
	maxBrief = 80   // in a row of a table
	maxBody  = 5000 // of a request
)

func clean(s string) string { return cleanTo(s, maxText) }
func brief(s string) string { return cleanTo(s, maxBrief) }
func body(s string) string  { return cleanTo(s, maxBody) }

// cleanTo returns foreign text as a page may show it: at most limit bytes, and with its
// invisible characters made visible, so that no bidirectional control reverses the text
// after it and no NUL ends it. html/template escapes the markup.
func cleanTo(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
			s = s[:len(s)-1] // the beginning of a character
		}
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\u200c', r == '\u200d': // Persian, Hindi and emoji join with the last two
			return r
		case r == '\r':
			return -1
		case r != ' ' && !unicode.IsGraphic(r):
			return '\uFFFD'
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}
