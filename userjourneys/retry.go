package userjourneys

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/askonce/askonce/internal/backoff"
)

var retries = backoff.Backoff{First: 200 * time.Millisecond, Max: 5 * time.Second}

const maxRetryAfter = time.Minute // a longer Retry-After is clamped to this

// get sends a GET, repeats it while a retry may succeed, and decodes the response into
// out.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	for attempt := 0; ; attempt++ {
		err := c.do(ctx, http.MethodGet, path, query, nil, out)
		if err == nil || attempt >= c.retries || ctx.Err() != nil || !retryable(err) {
			return err
		}
		wait := retries.Wait(attempt)
		var e *Error
		if errors.As(err, &e) {
			wait += min(e.RetryAfter, maxRetryAfter)
		}
		c.log.DebugContext(ctx, "userjourneys: trying again", "path", path, "attempt", attempt+1, "wait", wait, "err", err)
		if ended := backoff.Sleep(ctx, wait); ended != nil {
			return fmt.Errorf("userjourneys: %w (after %w)", ended, err)
		}
	}
}

// transportError marks a request that got no response, or only part of one.
type transportError struct{ error }

func (e transportError) Unwrap() error { return e.error }

// retryable reports whether the same GET may succeed later.
func retryable(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		switch e.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	return errors.As(err, new(transportError)) && !errors.Is(err, errRedirect) && !untrusted(err)
}

// untrusted reports whether the server's certificate is not valid, or the server does not
// speak TLS.
func untrusted(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) ||
		// From a transport that verifies certificates itself.
		errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) ||
		errors.As(err, new(x509.CertificateInvalidError)) ||
		errors.Is(err, http.ErrSchemeMismatch)
}
