package matrix

import "strings"

// exception is a difference that is accepted, and why.
type exception struct {
	name, reason string
	covers       func(c cell, d difference) bool
}

var exceptions = []exception{
	{
		name:   "panic recovered inside",
		reason: "around the engine, its own recovery has swallowed the panic (Gin's even http.ErrAbortHandler): what is left looks like a page that was meant so",
		covers: func(c cell, d difference) bool {
			return c.asked && c.mount == around && d.field == "body" &&
				(c.row.name == "panic in the body" || c.framework == "gin" && c.row.name == "aborted")
		},
	},
	{
		name:   "hijack over HTTP/2 in Gin",
		reason: "a bare Gin panics, for it asserts http.Hijacker; around the engine the handler gets an error instead",
		covers: func(c cell, _ difference) bool {
			return c.framework == "gin" && c.asked && c.mount == around && c.http2 && c.row.name == "hijack"
		},
	},
	{
		name:   "Echo v5 learns late of bytes that are held back",
		reason: "its Response stands below; within the chain Committed and Size follow when the bytes leave, at the latest when the chain is done",
		covers: func(c cell, d difference) bool {
			return c.framework == "echo v5" && c.asked && c.mount != around && (d.field == "note inner committed" || d.field == "note inner size")
		},
	},
	{
		name:   "no empty stream",
		reason: "an empty write is not handed on, so a compressor outside has nothing to make an empty stream of",
		covers: func(c cell, d difference) bool {
			return c.asked && c.mount != around && c.compressor == outside && c.row.name == "empty write" && d.got != "[gzip]"
		},
	},
	{
		name:   "HEAD without Content-Encoding",
		reason: "the body of a HEAD is not handed on, so a compressor outside does not announce itself (RFC 9110, 9.3.2 allows it)",
		covers: func(c cell, d difference) bool {
			return c.asked && c.mount != around && c.compressor == outside && c.row.method == "HEAD" && d.field == "header Content-Encoding"
		},
	},
	{
		name:   "early hints under a compressor",
		reason: "Echo's keeps only the last status, so that the hints are lost, and Gin's reports it; bare, both log the answer as a 103",
		covers: func(c cell, d difference) bool {
			return c.asked && c.mount != around && c.compressor == outside && c.row.name == "early hints" &&
				(d.field == "informational" || strings.HasSuffix(d.field, " status"))
		},
	},
	{
		name:   "Gin's inner log counts plain bytes",
		reason: "under gin-contrib/gzip Size counts what has been compressed so far, under the prompt what the handler has written",
		covers: func(c cell, d difference) bool {
			return c.framework == "gin" && c.asked && c.mount != around && c.compressor == outside && strings.HasSuffix(d.field, "size")
		},
	},
	{
		name:   "error after the body under gin-contrib/gzip",
		reason: "bare, its status changes after the body, which it then drops; under the prompt the body has been written, and stays",
		covers: func(c cell, d difference) bool {
			return c.framework == "gin" && c.asked && c.mount != around && c.compressor == outside && c.row.name == "error after the body"
		},
	},
	{
		name:   "upstream compresses under an announced compressor",
		reason: "gin-contrib/gzip has said gzip before the handler runs, so Accept-Encoding stays, and a proxied page comes compressed: it passes as it is",
		covers: func(c cell, d difference) bool {
			return c.framework == "gin" && c.asked && c.mount != around && c.compressor == outside &&
				c.row.name == "proxy to one that negotiates" && (d.field == "private" || d.field == "prompts" || d.field == "place" ||
				d.field == "cookies of the prompt")
		},
	},
	{
		name:   "type told under a compressor",
		reason: "a page without a type gets the one that it is taken for: net/http does not sniff under Content-Encoding, and chi's compressor goes by the type",
		covers: func(c cell, d difference) bool {
			return c.asked && c.mount != around && c.compressor == outside && untyped[c.row.name] &&
				(d.field == "header Content-Type" || c.framework == "chi" && strings.HasPrefix(d.field, "header "))
		},
	},
}

// untyped are the rows of pages without a Content-Type, as net/http sees it.
var untyped = map[string]bool{"sniffed": true, "sniffed after the status": true, "status then type": true}
