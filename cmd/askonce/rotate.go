package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

const rotateUsage = `Usage: askonce rotate [-url URL] [-secret-file FILE]

Deletes the webhook and creates it again at the same URL: the only way to get a
new signing secret. Interviews that finish in between are not delivered; the app
finds them at its next reconciliation.

The API key is read from USERJOURNEYS_API_KEY.
`

func rotate(ctx context.Context, c *call) error {
	var url, file string
	flags := flag.NewFlagSet("rotate", flag.ContinueOnError)
	flags.StringVar(&url, "url", "", "rotate only if the webhook has this `URL`")
	flags.StringVar(&file, "secret-file", "", "write the new secret to this new `FILE`, which only you can read, instead of printing it")
	if err := c.parse(flags, rotateUsage); err != nil {
		return err
	}
	client, err := c.client()
	if err := errors.Join(c.checkTarget(url), err); err != nil {
		return err
	}
	hook, err := client.Webhook(ctx)
	switch {
	case errors.Is(err, userjourneys.ErrNotFound):
		return errors.New("no webhook is registered: create one with askonce setup -url")
	case err != nil:
		return err
	case cmp.Or(url, hook.URL) != hook.URL:
		return fmt.Errorf("the project's webhook is %s and was not changed", hook.URL)
	}
	if err := c.checkTarget(hook.URL); err != nil {
		return err
	}
	secret, err := newSecretFile(file, c.out)
	if err != nil {
		return err
	}
	defer secret.close()
	fmt.Fprintf(c.out, "Deleting the webhook %s and creating it again.\n", hook.URL)
	var kept error
	err = webhook.Rotate(ctx, client, hook.URL, func(_ context.Context, text string) error {
		kept = secret.keep(text)
		return nil // a secret that cannot be written is printed, so it is never lost
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Start the app with the new secret. Keep the old one in webhook.Options.PreviousSecrets for a day,\n"+
		"because deliveries that were signed with it may still be on their way.")
	return kept
}
