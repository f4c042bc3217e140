// Package site has what the example servers share and what is not about askonce:
// the command line and the environment, sessions, pages, the database, metrics,
// and a graceful shutdown.
package site

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/store"
)

// WebhookPath is the path of the examples' webhook.
const WebhookPath = "/webhooks/userjourneys"

// Site is the app that an example wires askonce into.
type Site struct {
	APIKey, BaseURL string // of the provider; an empty BaseURL means the real one
	Study           string // id or name
	WebhookSecret   string
	WebhookURL      string // the public URL of WebhookPath, or "" if unknown
	Store           store.Store
	CookieKeys      [][]byte // for askonce.Config
	Metrics         *Metrics

	session  *securecookie.SecureCookie
	listener net.Listener
	greeting io.Writer // gets a line with the URL to open, if not nil
}

// Main runs an example until SIGINT or SIGTERM, and exits.
func Main(run func(ctx context.Context, s *Site) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args, os.Getenv, os.Stdout, os.Stderr, run)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

const environment = `Environment:
  USERJOURNEYS_API_KEY, USERJOURNEYS_WEBHOOK_SECRET, USERJOURNEYS_STUDY
        the provider's account; required without -fake
  DATABASE_URL
        postgres://…, mysql://… or redis://…; without it the SQLite file is used
  PUBLIC_URL
        the app's public URL, such as https://your.app; if set, a warning is logged when the provider
        delivers elsewhere
  COOKIE_KEY
        at least 32 random characters that sign and seal cookies, the same in all replicas; without
        DATABASE_URL it is generated and kept beside the SQLite file
  LOG_LEVEL
        debug, info (default), warn or error
`

type config struct {
	addr, db string
	fake     bool
}

func parse(args []string, out io.Writer) (c config, err error) {
	name := filepath.Base(args[0])
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.addr, "addr", "localhost:8080", "`address` to serve; port 0 takes a free one")
	flags.StringVar(&c.db, "db", "", "SQLite `file`; defaults to askonce.db, and with -fake to a temporary one")
	flags.BoolVar(&c.fake, "fake", false, "start a fake provider too: no account is needed")
	flags.Usage = func() {
		fmt.Fprintf(out, "Usage of %s:\n", name)
		flags.PrintDefaults()
		fmt.Fprint(out, environment)
	}
	return c, flags.Parse(args[1:])
}

// start creates a Site from the command line and the environment, and calls run with it.
func start(ctx context.Context, args []string, getenv func(string) string, out, logs io.Writer, run func(context.Context, *Site) error) (err error) {
	c, err := parse(args, logs)
	if err != nil {
		return err
	}
	if err := logTo(logs, getenv("LOG_LEVEL")); err != nil {
		return err
	}
	s := &Site{BaseURL: getenv("USERJOURNEYS_BASE_URL"), Metrics: newMetrics()}
	if !c.fake {
		if err := s.fromEnvironment(getenv); err != nil {
			return err
		}
	}
	if s.listener, err = net.Listen("tcp", c.addr); err != nil {
		return fmt.Errorf("%w (-addr chooses another address)", err)
	}
	defer s.listener.Close()
	if c.fake {
		fake, err := s.startFake(ctx)
		if err != nil {
			return err
		}
		defer fake.Close()
		if c.db == "" {
			dir, err := os.MkdirTemp("", "askonce-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			c.db = filepath.Join(dir, "askonce.db")
		}
		s.greeting = out
	}
	if c.db == "" {
		c.db = "askonce.db"
	}
	var closeStore func() error
	if s.Store, closeStore, err = openStore(ctx, getenv("DATABASE_URL"), c.db); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	if err := s.makeKeys(getenv("COOKIE_KEY"), c.db+".key"); err != nil {
		return err
	}
	return run(ctx, s)
}

// fromEnvironment reads the account. Its error names every variable that is
// missing or wrong.
func (s *Site) fromEnvironment(getenv func(string) string) error {
	var faults []error
	env := func(name string) string {
		if getenv(name) == "" {
			faults = append(faults, fmt.Errorf("the environment variable %s is not set", name))
		}
		return getenv(name)
	}
	s.APIKey, s.WebhookSecret, s.Study = env("USERJOURNEYS_API_KEY"), env("USERJOURNEYS_WEBHOOK_SECRET"), env("USERJOURNEYS_STUDY")
	if public := getenv("PUBLIC_URL"); public != "" {
		u, err := url.Parse(public)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			faults = append(faults, errors.New("PUBLIC_URL is not an https:// URL"))
		} else {
			s.WebhookURL = u.JoinPath(WebhookPath).String()
		}
	}
	if getenv("DATABASE_URL") != "" {
		env("COOKIE_KEY") // replicas share a database but no files
	}
	return errors.Join(faults...)
}

// logTo makes slog.Default, which is askonce's default too, write JSON to w.
func logTo(w io.Writer, level string) error {
	var l slog.Level
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil {
			return fmt.Errorf("LOG_LEVEL must be debug, info, warn or error: %w", err)
		}
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})))
	return nil
}
