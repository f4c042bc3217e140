package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// checker drives the demo over HTTP, as browsers do.
type checker struct {
	p        *provider
	app      *app
	db       string // the app's file
	browsers map[string]*visitor
	start    string // the link of ada's prompt
}

// runCheck runs all steps and prints a line for each with what it observed. It stops at
// the first step that fails.
func runCheck(ctx context.Context, db string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	c := &checker{p: startProvider(), db: db}
	defer c.p.Close()
	if err := c.open(ctx, func() {}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()

	for i, s := range []struct {
		name string
		run  func(ctx context.Context) (observed string, err error)
	}{
		{"webhook registered", c.webhookRegistered},
		{"capacity asked once for many page views", c.capacityAskedOnce},
		{"prompt in ada's page", c.promptInPage},
		{"seen once, however often it is reported", c.seenOnce},
		{"click leads to the interview with her reference", c.click},
		{"signature verified", c.signatureVerified},
		{"completion recorded", c.completionRecorded},
		{"transcript stored", c.transcriptStored},
		{"the page underneath says completed", c.pageUnderneath},
		{"no prompt in ada's next page, one in bob's", c.nextPages},
		{"declined elsewhere: another browser does not ask", c.declinedElsewhere},
		{"app restarted: nothing forgotten", c.restarted},
		{"said later: asked again after seven days", c.daysPass},
		{"started over: everybody is asked", c.startedOver},
		{"paused: nobody is asked, a click goes nowhere", c.paused},
		{"webhook forged: nothing changed", c.webhookForged},
		{"study full: nobody is asked, a click goes nowhere", c.studyFull},
		{"webhook lost: the interview is found all the same", c.webhookLost},
		{"webhook twice: counted once", c.webhookTwice},
		{"webhook late: counted when it comes", c.webhookLate},
		{"console beside the app", c.console},
		{"provider down: pages still served", c.providerDown},
	} {
		observed, err := s.run(ctx)
		if err != nil {
			fmt.Fprintf(out, "FAIL %2d %s: %v\n", i+1, s.name, err)
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "ok   %2d %s: %s\n", i+1, s.name, observed)
	}
	return nil
}

// open starts the app, with browsers that have no cookies. It calls ready before the app
// serves.
func (c *checker) open(ctx context.Context, ready func()) (err error) {
	if c.app, err = newApp(ctx, "127.0.0.1:0", c.db, c.p, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	ready()
	c.app.serve(ctx)
	c.browsers = map[string]*visitor{}
	for _, u := range users {
		if c.browsers[u.ID], err = newVisitor(c.app.url, u.ID); err != nil {
			return err
		}
	}
	return nil
}

// close stops the app. It may be called twice.
func (c *checker) close() error {
	if c.app == nil {
		return nil
	}
	a := c.app
	c.app = nil
	return a.Close()
}

// eventually calls try until it succeeds, for at most 20 seconds.
func eventually(ctx context.Context, try func() error) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err := try(); err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}
