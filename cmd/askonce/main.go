// Command setup looks after the project's one webhook: it shows it, creates it
// when there is none, and deletes it or rotates its secret only when asked to.
//
//	USERJOURNEYS_API_KEY=uj_live_… go run ./cmd/askonce -url https://your.app/webhooks/userjourneys
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

const usage = `setup looks after the webhook that the provider delivers finished interviews to.
A project has exactly one.

  setup                     show the webhook; change nothing
  setup -url URL            create it when there is none, and show its secret this one time
  setup -url URL -replace   take over a webhook that has another URL; its secret stays
  setup -rotate             delete it and create it anew, for a new secret
  setup -delete             delete it

The API key is read from USERJOURNEYS_API_KEY, the address of another API than
the provider's own from USERJOURNEYS_BASE_URL.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

// setup is one run of the command.
type setup struct {
	url, baseURL            string
	secretFile              string
	remove, rotate, replace bool

	client *userjourneys.Client
	out    io.Writer
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	s := setup{out: out}
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage); flags.PrintDefaults() }
	flags.StringVar(&s.url, "url", "", "where the app's webhook handler is mounted, an https `URL`")
	flags.StringVar(&s.secretFile, "secret-file", "", "write a new secret to this new `file`, readable by you alone, instead of printing it")
	flags.BoolVar(&s.replace, "replace", false, "with -url: point a webhook that has another URL at this one")
	flags.BoolVar(&s.rotate, "rotate", false, "get a new secret; nothing is delivered between the deletion and the creation")
	flags.BoolVar(&s.remove, "delete", false, "delete the webhook; with -url only if it has this URL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.baseURL = getenv("USERJOURNEYS_BASE_URL")
	if err := errors.Join(s.checkFlags(flags.Args()), checkURL(s.url, s.baseURL), checkKey(getenv)); err != nil {
		return err
	}
	var err error
	if s.client, err = userjourneys.NewClient(getenv("USERJOURNEYS_API_KEY"), &userjourneys.Options{BaseURL: s.baseURL}); err != nil {
		return err
	}
	return s.run(ctx)
}

func (s *setup) checkFlags(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected %q: see -h", rest)
	case s.remove && (s.rotate || s.replace):
		return errors.New("-delete goes with neither -rotate nor -replace")
	case s.replace && s.url == "":
		return errors.New("-replace needs -url")
	case s.secretFile != "" && (s.remove || s.url == "" && !s.rotate):
		return errors.New("-secret-file needs -url or -rotate: nothing else makes a secret")
	}
	return nil
}

func checkKey(getenv func(string) string) error {
	if getenv("USERJOURNEYS_API_KEY") == "" {
		return errors.New("the environment variable USERJOURNEYS_API_KEY is not set")
	}
	return nil
}

// checkURL refuses http: deliveries hold what users said. Only when the API
// itself is on this machine, as a fake is, may the webhook be so too.
func checkURL(raw, baseURL string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return errors.New("-url is not an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("-url must have no user and no fragment")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(raw) && isLoopback(baseURL):
		return nil
	}
	return errors.New("-url must be https: deliveries would travel in the clear")
}

func isLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// run looks first, and then does what was asked for.
func (s *setup) run(ctx context.Context) error {
	hook, err := s.client.Webhook(ctx)
	missing := errors.Is(err, userjourneys.ErrNotFound)
	other := !missing && s.url != "" && s.url != hook.URL
	switch {
	case err != nil && !missing:
		return err
	case missing && s.rotate:
		return errors.New("there is no webhook to rotate the secret of; create one with -url")
	case missing && (s.remove || s.url == ""):
		fmt.Fprintln(s.out, "No webhook is configured.")
		return nil
	case missing:
		return s.create(ctx)
	case other && !s.replace:
		return fmt.Errorf("the project's webhook is %s: it is left alone; -replace would take it away from there", hook.URL)
	case s.remove:
		return s.delete(ctx, hook)
	case s.rotate:
		return s.rotateSecret(ctx, hook)
	case other || s.replace && !deliversInterviews(hook):
		return s.update(ctx, hook)
	}
	s.show(hook)
	return nil
}

func deliversInterviews(hook userjourneys.Webhook) bool {
	return slices.Contains(hook.Events, userjourneys.EventInterviewCompleted)
}

func (s *setup) show(hook userjourneys.Webhook) {
	fmt.Fprintf(s.out, "The webhook is %s for %s. Nothing was changed.\n", hook.URL, strings.Join(hook.Events, ", "))
	if !deliversInterviews(hook) {
		fmt.Fprintf(s.out, "It does not deliver %s: repair it with -url and -replace.\n", userjourneys.EventInterviewCompleted)
	}
	fmt.Fprintln(s.out, "Its secret was shown when it was created and never again. If that is lost, -rotate makes a new one.")
}

func (s *setup) create(ctx context.Context) error {
	keeper, err := newKeeper(s.secretFile, s.out)
	if err != nil {
		return err
	}
	defer keeper.close()
	hook, err := s.client.PutWebhook(ctx, userjourneys.Webhook{URL: s.url})
	switch {
	case err != nil:
		return fmt.Errorf("the webhook may have been created or not, run setup without flags to see: %w", err)
	case hook.SigningSecret.Reveal() == "":
		return errors.New("somebody else created a webhook at the same moment, and has its secret; it has this URL now")
	}
	fmt.Fprintf(s.out, "Created the webhook %s for %s.\n", hook.URL, strings.Join(hook.Events, ", "))
	return keeper.keep(hook.SigningSecret.Reveal())
}

func (s *setup) update(ctx context.Context, before userjourneys.Webhook) error {
	hook, err := s.client.PutWebhook(ctx, userjourneys.Webhook{URL: s.url})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "The webhook was %s and is now %s. Its secret is what it was.\n", before.URL, hook.URL)
	return nil
}

func (s *setup) delete(ctx context.Context, hook userjourneys.Webhook) error {
	if err := s.client.DeleteWebhook(ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Deleted the webhook %s. Nothing is delivered any more; its secret is void.\n", hook.URL)
	return nil
}

func (s *setup) rotateSecret(ctx context.Context, hook userjourneys.Webhook) error {
	target := hook.URL
	if s.url != "" {
		target = s.url
	}
	if err := checkURL(target, s.baseURL); err != nil {
		return err
	}
	keeper, err := newKeeper(s.secretFile, s.out)
	if err != nil {
		return err
	}
	defer keeper.close()
	fmt.Fprintf(s.out, "Deleting the webhook %s and creating it anew. Interviews that finish in between are not delivered;\n"+
		"the app finds them by itself at its next reconciliation.\n", target)
	var kept error
	err = webhook.Rotate(ctx, s.client, target, func(_ context.Context, secret string) error {
		kept = keeper.keep(secret)
		return nil // it is printed when it cannot be written, so it is never lost
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, "Start the app with the new secret, and keep the old one in webhook.Options.PreviousSecrets for a day:\n"+
		"deliveries that were signed with it may still be on their way.")
	return kept
}
