package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

// consoles compares the console's pages with the one query that the longest of them
// needs, in every store.
func consoles(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "The console's pages",
		Text: "Each page as a whole, rendered from a store with 30,000 interviews. It is compared with reading the 50 newest interviews, which the list of\n" +
			"interviews cannot do without.",
	}
	interviews := 30_000
	if e.quick {
		interviews = 1_000
	}
	err := eachBackend(ctx, func(b *backend) error {
		if err := b.fill(ctx, 0, interviews); err != nil {
			return err
		}
		pages, err := consolePages(ctx, b)
		if err != nil {
			return err
		}
		p.Groups = append(p.Groups, compare(e, b.name, pages...))
		return nil
	})
	return p, err
}

func consolePages(ctx context.Context, b *backend) ([]contender, error) {
	lister, ok := store.As[store.Lister](b.store)
	if !ok {
		return nil, fmt.Errorf("%s has no list", b.name)
	}
	log := slog.New(slog.DiscardHandler)
	g, err := newGate(b.store)
	if err != nil {
		return nil, err
	}
	hook, err := webhook.New("whsec_"+"0123456789abcdef0123456789abcdef", b.store, &webhook.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	h := askonce.Console(askonce.ConsoleParts{Gates: gate.First(g), Webhook: hook, Store: b.store, Logger: log}, func(*http.Request) bool { return true })
	pages := []contender{{name: "the 50 newest interviews", run: func(n int) {
		for range n {
			left := 50
			for _, err := range lister.Completions(ctx, store.Filter{NewestFirst: true}) {
				if err != nil {
					panic(err) // it was filled a moment ago
				}
				if left--; left == 0 {
					break
				}
			}
		}
	}}}
	for _, page := range []struct{ name, path string }{
		{"overview", "/"}, {"interviews", "/interviews"}, {"one interview", "/interview?id=" + completion(7).InterviewID}, {"queue", "/queue"},
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://app.example"+page.path, nil)
		if err != nil {
			return nil, err
		}
		pages = append(pages, contender{name: page.name, run: serve(h, r), ours: true})
	}
	return pages, nil
}
