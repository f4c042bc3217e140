package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/askonce/askonce/internal/loopback"
	"github.com/askonce/askonce/userjourneys"
)

// A command is one sub-command of askonce.
type command struct {
	name string
	does string
	run  func(ctx context.Context, c *call) error
}

var commands = []command{
	{"setup", "shows or creates the project's webhook", setup},
	{"rotate", "replaces the webhook's signing secret", rotate},
	{"studies", "lists the active studies and the places left in them", studies},
	{"send", "sends a signed test delivery to an endpoint", send},
	{"keys", "makes keys for cookies or references", keys},
	{"fake", "runs a fake provider for development", fake},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &call{args: os.Args[1:], getenv: os.Getenv, out: os.Stdout, hints: os.Stderr}
	err := run(ctx, c)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "askonce:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *call) error {
	if len(c.args) == 0 || slices.Contains([]string{"-h", "-help", "--help", "help"}, c.args[0]) {
		fmt.Fprint(c.out, "Usage: askonce <command> [flags]\n\n")
		for _, cmd := range commands {
			fmt.Fprintf(c.out, "  %-9s %s\n", cmd.name, cmd.does)
		}
		fmt.Fprint(c.out, "\nRun askonce <command> -h for the flags of a command.\n")
		return flag.ErrHelp
	}
	for _, cmd := range commands {
		if cmd.name == c.args[0] {
			c.args = c.args[1:]
			if err := cmd.run(ctx, c); err != nil {
				return fmt.Errorf("%s: %w", cmd.name, err)
			}
			return nil
		}
	}
	return fmt.Errorf("no command %q: run askonce -h", c.args[0])
}

// A call is one run of a command.
type call struct {
	args   []string
	getenv func(string) string
	out    io.Writer // the result
	hints  io.Writer // what to do with it
}

// parse parses the arguments. For -h, it prints the usage and the flags and returns
// [flag.ErrHelp].
func (c *call) parse(flags *flag.FlagSet, usage string) error {
	flags.SetOutput(io.Discard) // the caller prints the error, once
	err := flags.Parse(c.args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(c.out, usage)
		flags.SetOutput(c.out)
		flags.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w: see -h", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: see -h", flags.Arg(0))
	}
	return nil
}

const (
	keyVariable     = "USERJOURNEYS_API_KEY"
	baseURLVariable = "USERJOURNEYS_BASE_URL"
	secretVariable  = "USERJOURNEYS_WEBHOOK_SECRET"
)

// client returns a client for the API key of the environment.
func (c *call) client() (*userjourneys.Client, error) {
	key := c.getenv(keyVariable)
	if key == "" {
		return nil, errors.New("the environment variable " + keyVariable + " is not set")
	}
	return userjourneys.NewClient(key, &userjourneys.Options{BaseURL: c.getenv(baseURLVariable)})
}

// checkTarget refuses a webhook over http, because deliveries contain what users said. It
// allows one only if the webhook and the API are both on this machine, as with a fake
// provider.
func (c *call) checkTarget(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return errors.New("-url is not an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("-url must have no user and no fragment")
	case u.Scheme == "https":
		return nil
	}
	api, err := url.Parse(c.getenv(baseURLVariable))
	if u.Scheme == "http" && loopback.URL(u) && err == nil && loopback.URL(api) {
		return nil
	}
	return errors.New("-url must be https: deliveries would travel in the clear")
}
