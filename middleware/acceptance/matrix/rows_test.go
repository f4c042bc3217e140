package matrix

// row is one kind of response that an application gives.
type row struct {
	name   string
	path   string
	method string            // GET if empty
	header map[string]string // beside those of a navigation; "" takes one away
	page   bool              // gets the prompt when its user is asked
	cut    bool              // a page that breaks off: its head is that of a page, without the prompt
	own    bool              // the app renders the prompt itself
}

// rows are all kinds. Every application has a route for each.
var rows = []row{
	{name: "template", path: "/template", page: true},
	{name: "content length", path: "/length", page: true},
	{name: "string", path: "/string"},
	{name: "json", path: "/json"},
	{name: "file", path: "/file", page: true},
	{name: "static html", path: "/static/page.html", page: true},
	{name: "static js", path: "/static/app.js"},
	{name: "static 404", path: "/static/none.html"},
	{name: "range", path: "/file", header: map[string]string{"Range": "bytes=10-99"}},
	{name: "suffix range static", path: "/static/page.html", header: map[string]string{"Range": "bytes=-100"}},
	{name: "revalidated", path: "/file", header: map[string]string{"If-Modified-Since": "Tue, 01 Jul 2025 00:00:00 GMT"}, page: true},
	{name: "head template", path: "/template", method: "HEAD", page: true},
	{name: "head file", path: "/file", method: "HEAD", page: true},
	{name: "stream", path: "/stream", page: true},
	{name: "events by navigation", path: "/events"},
	{name: "fetch", path: "/template", header: map[string]string{"Accept": "*/*", "Sec-Fetch-Dest": "empty"}},
	{name: "events by EventSource", path: "/events", header: map[string]string{"Accept": "text/event-stream", "Sec-Fetch-Dest": "empty"}},
	{name: "flush first", path: "/flush-first", page: true},
	{name: "head first", path: "/head-first", page: true},
	{name: "redirect", path: "/redirect"},
	{name: "204", path: "/no-content"},
	{name: "201 empty", path: "/created"},
	{name: "nothing written", path: "/nothing"},
	{name: "empty write", path: "/empty"},
	{name: "404", path: "/no/such/route"},
	{name: "405", path: "/post-only"},
	{name: "fallback", path: "/spa/some/view", page: true},
	{name: "panic", path: "/panic"},
	{name: "panic in the body", path: "/panic-late", cut: true},
	{name: "aborted", path: "/abort", cut: true},
	{name: "401 page", path: "/denied"},
	{name: "error page", path: "/error"},
	{name: "error after the body", path: "/error-late", page: true},
	{name: "group", path: "/group/42", page: true},
	{name: "status then type", path: "/status-then-type", page: true},
	{name: "dispatched again", path: "/again", page: true},
	{name: "proxy", path: "/proxy/plain", page: true},
	{name: "proxy to one that negotiates", path: "/proxy/negotiating", page: true},
	{name: "sniffed", path: "/sniffed", page: true},
	{name: "sniffed after the status", path: "/sniffed-status", page: true},
	{name: "early hints", path: "/hints", page: true},
	{name: "compressed by the handler", path: "/gzipped"},
	{name: "hijack", path: "/hijack"},
	{name: "response controller", path: "/controller", page: true},
	{name: "own prompt", path: "/own", own: true},
	{name: "accept json", path: "/template", header: map[string]string{"Accept": "application/json"}},
}
