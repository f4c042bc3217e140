package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/askonce/askonce/userjourneys"
)

const setupUsage = `Usage: askonce setup [-url URL [-replace] [-secret-file FILE]] [-delete]

Shows, creates or deletes the webhook that completed interviews are delivered to.
A project has exactly one, and setup never overwrites it unless told to.

  setup                      show the webhook; change nothing
  setup -url URL             create it if there is none, and show its secret once
  setup -url URL -replace    take over a webhook with another URL; its secret stays
  setup -delete              delete it
  setup -delete -url URL     delete it if it has this URL

The API key is read from USERJOURNEYS_API_KEY.
`

type setupFlags struct {
	url, secretFile string
	replace, remove bool
}

func setup(ctx context.Context, c *call) error {
	var f setupFlags
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.StringVar(&f.url, "url", "", "the https `URL` where the app's webhook is mounted")
	flags.StringVar(&f.secretFile, "secret-file", "", "write a new secret to this new `FILE`, which only you can read, instead of printing it")
	flags.BoolVar(&f.replace, "replace", false, "with -url: give a webhook that has another URL this one")
	flags.BoolVar(&f.remove, "delete", false, "delete the webhook; with -url only if it has this URL")
	if err := c.parse(flags, setupUsage); err != nil {
		return err
	}
	client, err := c.client()
	if err := errors.Join(f.check(), c.checkTarget(f.url), err); err != nil {
		return err
	}
	hook, err := client.Webhook(ctx)
	missing := errors.Is(err, userjourneys.ErrNotFound)
	other := !missing && f.url != "" && f.url != hook.URL
	switch {
	case err != nil && !missing:
		return err
	case missing && (f.remove || f.url == ""):
		fmt.Fprintln(c.out, "No webhook is registered.")
		return nil
	case missing:
		return c.create(ctx, client, f)
	case other && !f.replace:
		return fmt.Errorf("the project's webhook is %s and was not changed: -replace would take it away from there", hook.URL)
	case f.secretFile != "":
		return fmt.Errorf("%s was not written and nothing was changed: the webhook %s exists, and its secret is never shown again; "+
			"use the one you have, or make a new one with askonce rotate -secret-file %[1]s", f.secretFile, hook.URL)
	case f.remove:
		return c.remove(ctx, client, hook)
	case other || f.replace && !deliversInterviews(hook):
		return c.update(ctx, client, f.url, hook)
	}
	c.show(hook)
	return nil
}

func (f setupFlags) check() error {
	switch {
	case f.remove && f.replace:
		return errors.New("-delete and -replace exclude each other")
	case f.replace && f.url == "":
		return errors.New("-replace needs -url")
	case f.secretFile != "" && (f.remove || f.url == ""):
		return errors.New("-secret-file needs -url, because only creating a webhook makes a secret")
	}
	return nil
}

func deliversInterviews(hook userjourneys.Webhook) bool {
	return slices.Contains(hook.Events, userjourneys.EventInterviewCompleted)
}

func (c *call) show(hook userjourneys.Webhook) {
	fmt.Fprintf(c.out, "The webhook is %s for %s. Nothing was changed.\n", hook.URL, strings.Join(hook.Events, ", "))
	if !deliversInterviews(hook) {
		fmt.Fprintf(c.out, "It does not deliver %s: fix it with -url and -replace.\n", userjourneys.EventInterviewCompleted)
	}
	fmt.Fprintln(c.out, "Its secret was shown when it was created. If it is lost, askonce rotate makes a new one.")
}

func (c *call) create(ctx context.Context, client *userjourneys.Client, f setupFlags) error {
	secret, err := newSecretFile(f.secretFile, c.out)
	if err != nil {
		return err
	}
	defer secret.close()
	hook, err := client.PutWebhook(ctx, userjourneys.Webhook{URL: f.url})
	var refused *userjourneys.Error
	switch {
	case errors.As(err, &refused) && refused.StatusCode < 500:
		return fmt.Errorf("the webhook was not created: %w", err)
	case err != nil:
		return fmt.Errorf("a webhook may exist now, with a secret that nobody knows: run askonce setup, "+
			"and if it shows this URL, run askonce rotate for a new secret: %w", err)
	case hook.SigningSecret.Reveal() == "":
		return errors.New("somebody else created a webhook at the same moment and has its secret; it has this URL now")
	}
	fmt.Fprintf(c.out, "Created the webhook %s for %s.\n", hook.URL, strings.Join(hook.Events, ", "))
	return secret.keep(hook.SigningSecret.Reveal())
}

func (c *call) update(ctx context.Context, client *userjourneys.Client, url string, before userjourneys.Webhook) error {
	hook, err := client.PutWebhook(ctx, userjourneys.Webhook{URL: url})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "The webhook was %s and is now %s. Its secret has not changed.\n", before.URL, hook.URL)
	return nil
}

func (c *call) remove(ctx context.Context, client *userjourneys.Client, hook userjourneys.Webhook) error {
	if err := client.DeleteWebhook(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Deleted the webhook %s. Nothing is delivered any more, and its secret is void.\n", hook.URL)
	return nil
}
