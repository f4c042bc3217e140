// Command demo shows the whole flow on one machine, without an account. It starts
// a fake provider and Fernly, a small app that invites its users to interviews. A
// panel beside Fernly's pages lets you switch between three users, shows what has
// happened, and has switches that simulate failures.
//
//	go run ./examples/demo          # prints a URL to open
//	go run ./examples/demo -check   # drives itself over HTTP, exit 1 at the first mismatch
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	addr := flags.String("addr", "localhost:8080", "`address` of the app; port 0 takes a free one")
	check := flags.Bool("check", false, "drive the flow and print each step instead of waiting for a browser")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "askonce-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db := filepath.Join(dir, "demo.db")
	if *check {
		return runCheck(ctx, db, out)
	}

	p := startProvider()
	defer p.Close()
	a, err := newApp(ctx, *addr, db, p, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		return fmt.Errorf("%w (-addr chooses another address)", err)
	}
	fmt.Fprintf(out, "open %s and log in as one of the users\n", a.url)
	a.serve(ctx)
	<-ctx.Done()
	return a.Close()
}
