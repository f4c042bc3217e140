package webhook

import (
	"cmp"
	"context"
	"errors"
	"net/url"

	"github.com/askonce/askonce/userjourneys"
)

// hookState is whether the provider delivers here.
type hookState struct {
	missing edge
	drifted edge
}

// checkHook warns, once for each change, if the provider has no webhook or
// delivers to another URL. It never writes: a project has one webhook, and
// another deployment may own it.
func (r *reconciler) checkHook(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	hook, known, err := r.client.webhook(ctx)
	missing := errors.Is(err, userjourneys.ErrNotFound)
	if !known || err != nil && !missing {
		return // reconciliation fails too and says so
	}
	switch {
	case !r.hook.missing.changed(missing):
	case missing:
		r.log.WarnContext(ctx, "askonce: no webhook is registered with the provider, so nothing is delivered")
	default:
		r.log.InfoContext(ctx, "askonce: a webhook is registered again")
	}
	drifted := !missing && r.opts.URL != "" && hook.URL != r.opts.URL
	switch {
	case !r.hook.drifted.changed(drifted):
	case drifted:
		r.log.WarnContext(ctx, "askonce: the provider delivers to another URL, completions come late", "registered", withoutQuery(hook.URL), "ours", withoutQuery(r.opts.URL))
	case !missing:
		r.log.InfoContext(ctx, "askonce: the provider delivers here again")
	}
}

// withoutQuery returns the URL without what may hide a token.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "not a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return cmp.Or(u.String(), "none")
}
