package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// Options configure a [Gate]. A zero field means its default.
type Options struct {
	// Timeout bounds [Gate.Decide], whatever the deadline of the request is.
	// Defaults to 150 ms.
	Timeout time.Duration

	// ConfirmTimeout bounds [Gate.Confirm], which may have to wait for the
	// provider. Defaults to 3 s.
	ConfirmTimeout time.Duration

	// Fresh is how long an answer of the provider is used before a newer one is
	// fetched, shortened by up to a tenth at random. Defaults to 3 minutes, or to half
	// of Stale if that is less.
	Fresh time.Duration

	// Stale is the greatest age of an answer that is used while a newer one is
	// fetched. Defaults to 15 minutes, or to Fresh if that is more.
	Stale time.Duration

	// Target reports whether the app's own rules allow inviting v to the study
	// v.StudyID, which is the id or name that [New] was given. It runs in the
	// request, with the request's context, and is not called for clicks. It must be
	// quick and safe for concurrent use: Timeout does not interrupt it. A panic makes
	// the decision unavailable. Defaults to everybody.
	Target func(ctx context.Context, v Visitor) bool

	// Holdout is the share of users who are never invited, from 0 for none to 1 for
	// everybody. The draw is sticky: lowering Holdout never excludes a user who could
	// be invited before. Each study draws independently. Only these users get
	// [ReasonHeldOut], so they can serve as a control group. Defaults to 0.
	Holdout float64

	// MaxShowings is how often one user sees the prompt of this study.
	// Defaults to 3, at most 255. Negative means no limit.
	MaxShowings int

	// Linger is how long a prompt that was seen stays on the following pages unless
	// it is answered. It counts as one showing. Defaults to 15 minutes. Negative means
	// that it appears on one page only.
	Linger time.Duration

	// ShowingPause is the time between two showings of this study to one user.
	// Defaults to 24 hours. Negative means none.
	ShowingPause time.Duration

	// CoolDown is the time after a showing, or after another study's interview was
	// opened or completed, before this study may be shown. Defaults to
	// ShowingPause. Negative means none.
	CoolDown time.Duration

	// OpenedPause is how long a user who has opened the interview is not invited to
	// it. Defaults to 2 hours. Negative means none.
	OpenedPause time.Duration

	// ExpectedUptake is the share of invited users who complete the interview, such
	// as 0.05, and at most 1. It limits invitations near the end of a study: with 3
	// places left it invites 60 users, not a million. An invitation that leads to no
	// interview within a day makes room for another, so a study fills even if the
	// uptake is lower. Users who must wait get [ReasonPaced]. Studies without a limit
	// are not paced.
	//
	// If the store has [store.Interactions], invited users are counted there, across
	// replicas and restarts. Otherwise each process counts its own. Defaults to no
	// pacing.
	ExpectedUptake float64

	// RequireLanguage excludes visitors whose languages the study does not support,
	// with [ReasonLanguage]. A visitor without a preference is not excluded. Defaults
	// to inviting everybody.
	RequireLanguage bool

	// References write the user into the interview link. Defaults to
	// [PlainReferences].
	References References

	// LinkHosts are the hosts that interview links may lead to, besides
	// userjourneys.ai, its subdomains and loopback addresses. Nobody is invited to a
	// study whose link leads elsewhere or is not https.
	LinkHosts []string

	// OnDecision is called with every decision except those for previews. It is meant
	// for metrics. [Visitor.Occasion] distinguishes pages, peeks and clicks. A [Group]
	// decides for one study after the other, so one page may lead to several decisions:
	// count them by [Decision.StudyID]. OnDecision must be quick and safe for concurrent
	// use. If it panics, the decision becomes unavailable. Defaults to nothing.
	OnDecision func(ctx context.Context, v Visitor, d Decision)

	// Logger receives faults and their recovery. Defaults to [slog.Default].
	Logger *slog.Logger
}

func (o *Options) check() error {
	var errs []error
	fault := func(format string, a ...any) { errs = append(errs, fmt.Errorf("gate: "+format, a...)) }
	if !(o.Holdout >= 0 && o.Holdout <= 1) {
		fault("Holdout is %v: want a share from 0 to 1, not a percentage", o.Holdout)
	}
	if !(o.ExpectedUptake >= 0 && o.ExpectedUptake <= 1) {
		fault("ExpectedUptake is %v: want a share from 0 to 1, not a percentage", o.ExpectedUptake)
	}
	if o.MaxShowings > store.MaxShowings {
		fault("MaxShowings is %d: no more than %d are counted; negative means no limit", o.MaxShowings, store.MaxShowings)
	}
	for _, d := range []struct {
		name string
		is   time.Duration
	}{{"Timeout", o.Timeout}, {"ConfirmTimeout", o.ConfirmTimeout}, {"Fresh", o.Fresh}, {"Stale", o.Stale}} {
		if d.is < 0 {
			fault("%s is negative", d.name)
		}
	}
	if o.Stale != 0 && o.Fresh > o.Stale {
		fault("Fresh is longer than Stale")
	}
	for _, h := range o.LinkHosts {
		if h == "" || strings.ContainsAny(h, "/:@ ") {
			fault("LinkHosts has %q: want a host without scheme and port", h)
		}
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, 150*time.Millisecond)
	o.ConfirmTimeout = cmp.Or(o.ConfirmTimeout, 3*time.Second)
	o.Stale = cmp.Or(o.Stale, max(15*time.Minute, o.Fresh))
	o.Fresh = cmp.Or(o.Fresh, min(3*time.Minute, o.Stale/2))
	o.MaxShowings = cmp.Or(o.MaxShowings, 3)
	o.Linger = max(cmp.Or(o.Linger, 15*time.Minute), 0)
	o.ShowingPause = cmp.Or(o.ShowingPause, 24*time.Hour)
	o.CoolDown = cmp.Or(o.CoolDown, o.ShowingPause)
	o.OpenedPause = cmp.Or(o.OpenedPause, 2*time.Hour)
	o.References = cmp.Or(o.References, PlainReferences())
	o.Logger = cmp.Or(o.Logger, slog.Default())
	hosts := make([]string, len(o.LinkHosts))
	for i, h := range o.LinkHosts {
		hosts[i] = strings.ToLower(h)
	}
	o.LinkHosts = hosts
	return o
}
