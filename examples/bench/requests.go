package main

import (
	"context"
	"net/http"

	"github.com/askonce/askonce/examples/bench/report"
)

// requests measures requests without a prompt, and without a network.
func requests(_ context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "A request without a prompt",
		Text: "Most requests: a handler of a 4 KB page, into a response that copies the page once and drops it. The page of a user who has completed\n" +
			"includes the look-up in the store.",
	}
	h := writeWhole(page(4 << 10))
	contenders := []contender{{name: "the handler alone", run: serve(h, request())}}
	fetch := request()
	fetch.Header.Set("Sec-Fetch-Dest", "empty")
	fetch.Header.Set("Accept", "application/json")
	for _, c := range []struct {
		name, user string
		r          *http.Request
	}{{"askonce, not for a page", "ada", fetch}, {"askonce, nobody is signed in", "", request()}, {"askonce, user has completed", "bob", request()}} {
		wrapped, err := wrap(h, c.user)
		if err != nil {
			return p, err
		}
		contenders = append(contenders, contender{name: c.name, run: serve(wrapped, c.r), ours: true})
	}
	g := compare(e, "4 KB page", contenders...)
	g.Chart = true
	p.Groups = append(p.Groups, g)
	return p, nil
}
