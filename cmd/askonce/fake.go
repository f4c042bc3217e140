package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/askonce/askonce/internal/loopback"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

const fakeUsage = `Usage: askonce fake [-addr HOST:PORT] [-webhook URL] [-study NAME]… [-places N]

Runs a fake provider until it is interrupted, to develop an app without an
account. Each study has an interview page with a button that finishes the
interview, and a page of switches simulates failures. Deliveries that the app
does not accept are printed. Everything is kept in memory.
`

func fake(ctx context.Context, c *call) error {
	var addr, webhookURL string
	var names []string
	var places int
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8081", "the loopback `ADDRESS` to listen on")
	flags.StringVar(&webhookURL, "webhook", "http://localhost:8080/webhooks/userjourneys", "the `URL` of the app's webhook")
	flags.Func("study", "the `NAME` of a study; repeat the flag for several (default \"Onboarding Feedback\")", func(name string) error {
		if slices.Contains(names, name) {
			return errors.New("two studies have this name")
		}
		names = append(names, name)
		return nil
	})
	flags.IntVar(&places, "places", 0, "how many interviews each study accepts a week (default no limit)")
	if err := c.parse(flags, fakeUsage); err != nil {
		return err
	}
	if !onLoopback(addr) {
		return errors.New("-addr must be a loopback address, such as 127.0.0.1:8081: the client refuses an API over http anywhere else")
	}
	if u, err := url.Parse(webhookURL); err != nil || u.Host == "" {
		return errors.New("-webhook is not an absolute URL")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%w: -addr chooses another address", err)
	}
	server := userjourneystest.Start(&userjourneystest.Options{Listener: listener, WebhookURL: webhookURL, OnDelivery: func(d userjourneystest.Delivery) {
		if hint := refusal(webhookURL, d); hint != "" {
			fmt.Fprintln(c.hints, hint)
		}
	}})
	defer server.Close()
	initial := server.Studies()[0]
	if len(names) == 0 {
		names = []string{initial.Name}
	}
	var studies strings.Builder
	for i, name := range names {
		study := userjourneystest.Study{ID: initial.ID, Code: initial.Code, Name: name, WeeklyLimit: places}
		if i > 0 { // the same after a restart, because the app's store remembers ids
			study.ID = fmt.Sprintf("%s%02d", initial.ID[:len(initial.ID)-2], i)
			study.Code = fmt.Sprintf("%s%d", initial.Code, i)
		}
		server.AddStudy(study)
		fmt.Fprintf(&studies, "Study      %s, id %s\n", name, study.ID)
	}

	fmt.Fprintf(c.out, `A fake provider is running. Start the app in another terminal, with:

  export %s=%s
  export %s=%s
  export %s=%s

%sWebhook    %s
Switches   %s/ (take it down, fill the study, lose deliveries)

Stop it with Ctrl-C.
`, baseURLVariable, server.BaseURL(), keyVariable, server.APIKey(), secretVariable, server.Secret(),
		studies.String(), webhookURL, server.URL())
	<-ctx.Done()
	return nil
}

// refusal describes a delivery to the webhook that the app did not accept, with the likely cause: the
// app's own log cannot show what never reaches its webhook. It returns "" for one that
// the app accepted.
func refusal(webhookURL string, d userjourneystest.Delivery) string {
	switch {
	case d.Status/100 == 2:
		return ""
	case d.Err != nil:
		return fmt.Sprintf("A delivery to %s failed: %v. Is the app running there? -webhook sets another address.", webhookURL, d.Err)
	}
	return fmt.Sprintf("A delivery to %s was answered with %d %s: %s", webhookURL, d.Status, http.StatusText(d.Status), cause(d.Status))
}

func cause(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "is the app's signing secret the one above, and does nothing read the body before the webhook?"
	case http.StatusForbidden:
		return "is the webhook outside checks for CSRF tokens and logins?"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "is the webhook mounted at this path, and without a method? -webhook sets another address."
	}
	if status/100 == 3 {
		return "senders of webhooks follow no redirects. Is the webhook mounted at exactly this path, and outside logins?"
	}
	return "the app's log says why."
}

func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && loopback.URL(&url.URL{Host: net.JoinHostPort(host, "0")})
}
