package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"

	"github.com/askonce/askonce/internal/loopback"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

const fakeUsage = `Usage: askonce fake [-addr HOST:PORT] [-webhook URL] [-study NAME] [-places N]

Runs a fake provider until it is interrupted, to develop an app without an
account. It has one study, an interview page with a button that finishes the
interview, and a page with switches for what can go wrong. Everything is in
memory.
`

func fake(ctx context.Context, c *call) error {
	var addr, webhookURL, name string
	var places int
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	flags.StringVar(&addr, "addr", "127.0.0.1:8081", "the loopback `ADDRESS` to listen on")
	flags.StringVar(&webhookURL, "webhook", "http://localhost:8080/webhooks/userjourneys", "the `URL` of the app's webhook")
	flags.StringVar(&name, "study", "Onboarding Feedback", "the `NAME` of the study")
	flags.IntVar(&places, "places", 0, "how many interviews the study accepts each week (default no limit)")
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
		return err
	}
	server := userjourneystest.Start(&userjourneystest.Options{Listener: listener, WebhookURL: webhookURL})
	defer server.Close()
	initial := server.Studies()[0]
	initial.Name, initial.WeeklyLimit = name, places
	study := server.AddStudy(initial)

	fmt.Fprintf(c.out, `A fake provider is running. Start the app in another terminal, with:

  export %s=%s
  export %s=%s
  export %s=%s

Study      %s, id %s
Webhook    %s
Switches   %s/ (take it down, fill the study, lose deliveries)

It is stopped with Ctrl-C.
`, baseURLVariable, server.BaseURL(), keyVariable, server.APIKey(), secretVariable, server.Secret(),
		study.Name, study.ID, webhookURL, server.URL())
	<-ctx.Done()
	return nil
}

func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && loopback.URL(&url.URL{Host: net.JoinHostPort(host, "0")})
}
