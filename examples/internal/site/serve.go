package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Work runs beside the app's server. It is an *askonce.Kit, or a
// *webhook.Handler if the parts are wired by hand.
type Work interface {
	Run(ctx context.Context) error
}

// Serve serves the app and runs the work until ctx ends. Then it drains the requests in
// flight, deliveries included, and ends the work last. Requests that other sites forge are
// refused.
func (s *Site) Serve(ctx context.Context, app http.Handler, work Work) error {
	server := &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(app),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	slog.InfoContext(ctx, "serving", "url", s.url())
	if s.greeting != nil {
		fmt.Fprintf(s.greeting, "open %s and log in with any name; %q may read the interviews\n", s.url(), Admin)
	}
	group, ctx := errgroup.WithContext(ctx)
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return work.Run(background) })
	group.Go(func() error {
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		defer end()
		<-ctx.Done()
		slog.InfoContext(ctx, "stopping")
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return server.Shutdown(grace)
	})
	return group.Wait()
}

// url returns the app's address on this machine.
func (s *Site) url() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: addr.Port}
	}
	return "http://" + addr.String()
}
