package matrix

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// cell is one place of the matrix.
type cell struct {
	row        row
	framework  string
	mount      mount
	compressor compressor
	asked      bool
	http2      bool
}

func (c cell) String() string {
	who, proto := "not asked", "HTTP/1.1"
	if c.asked {
		who = "asked"
	}
	if c.http2 {
		proto = "HTTP/2"
	}
	return fmt.Sprintf("%s, %s, compressor %s, %s, %s: %s", c.framework, mountNames[c.mount], compressorNames[c.compressor], who, proto, c.row.name)
}

// difference is what sets a response apart from the oracle's.
type difference struct{ field, want, got string }

func (d difference) String() string {
	return fmt.Sprintf("%s: want %q, got %q", d.field, d.want, d.got)
}

// compare lists how got differs from the oracle's response, but for what the
// prompt is meant to change.
func compare(c cell, snippet string, want, got *observation) []difference {
	var ds []difference
	add := func(field string, want, got any) {
		if w, g := fmt.Sprint(want), fmt.Sprint(got); w != g {
			ds = append(ds, difference{field, shorten(w), shorten(g)})
		}
	}
	add("failure", want.failure, got.failure)
	add("cut", want.cut, got.cut)
	add("status", want.status, got.status)
	add("informational", want.informational, got.informational)
	add("trailer", want.trailer, got.trailer)
	prompted := c.asked && (c.row.page || c.row.cut || c.row.own)
	wantHeader, gotHeader := maps.Clone(want.header), maps.Clone(got.header)
	wantNotes, gotNotes := maps.Clone(want.notes), maps.Clone(got.notes)
	if prompted {
		// A panic comes before the header has left, unless it is recovered inside.
		untouched := c.row.name == "panic in the body" && c.mount != around
		add("private", !untouched, strings.HasPrefix(got.header.Get("Cache-Control"), "private"))
		own, rest := cookies(got.header)
		gotHeader["Set-Cookie"] = rest
		if c.row.page && c.row.method != "HEAD" {
			add("cookies of the prompt", 0, own) // the script reports what was seen
		} else {
			add("more than one cookie of the prompt", false, own > 1)
		}
		for _, name := range personal {
			delete(wantHeader, name)
			delete(gotHeader, name)
		}
		for name := range wantNotes { // logs count the prompt, or not, by where they stand
			if strings.HasSuffix(name, " size") {
				delete(wantNotes, name)
				delete(gotNotes, name)
			}
		}
	} else {
		add("raw", string(want.raw), string(got.raw))
	}
	for _, name := range keys(wantHeader, gotHeader) {
		add("header "+name, wantHeader[name], gotHeader[name])
	}
	for _, name := range keys(wantNotes, gotNotes) {
		add("note "+name, wantNotes[name], gotNotes[name])
	}
	body := got.body
	switch {
	case c.row.method == "HEAD": // only the head is that of the page
	case prompted && c.row.page:
		add("prompts", 1, bytes.Count(body, []byte(snippet)))
		add("place", true, bytes.Contains(body, []byte(snippet+"</body>")))
		body = bytes.Replace(body, []byte(snippet), nil, 1)
	case prompted && c.row.cut:
		body = bytes.TrimRight(body, " ") // they make up the length when that was announced with the prompt's
	case prompted && c.row.own:
		add("own prompts", 1, bytes.Count(body, []byte(ownPrompt)))
		body = bytes.Replace(body, []byte(ownPrompt), nil, 1)
	}
	add("body", string(want.body), string(body))
	return ds
}

// personal are the fields that a page with a prompt does not share with the
// plain one. A length that does not fit the body fails the request.
var personal = []string{"Cache-Control", "Last-Modified", "Etag", "Accept-Ranges", "Content-Length", "(length)"}

// cookies counts those that the prompt keeps its history in, and lists others.
func cookies(h http.Header) (own int, rest []string) {
	for _, v := range h["Set-Cookie"] {
		if strings.HasPrefix(v, "askonce=") {
			own++
			continue
		}
		rest = append(rest, v)
	}
	return own, rest
}

func keys[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func shorten(s string) string {
	if len(s) <= 400 {
		return s
	}
	return s[:200] + "…" + s[len(s)-200:]
}
