package userjourneys

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/askonce/askonce/internal/backoff"
)

var retries = backoff.Backoff{First: 200 * time.Millisecond, Max: 5 * time.Second}

const maxRetryAfter = time.Minute // a longer Retry-After is clamped to this

// transportError marks a request that got no response, or only part of one.
type transportError struct{ error }

func (e transportError) Unwrap() error { return e.error }

// retryable reports whether the same GET may succeed a little later.
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

// untrusted reports whether the other side is not who it should be, or does not
// speak TLS.
func untrusted(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) ||
		// From a transport that verifies by itself.
		errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) ||
		errors.As(err, new(x509.CertificateInvalidError)) ||
		errors.Is(err, http.ErrSchemeMismatch)
}

// retryWait returns how long to wait before the next attempt: never less than
// the provider's Retry-After, up to maxRetryAfter.
func retryWait(attempt int, err error) time.Duration {
	wait := retries.Wait(attempt)
	var e *Error
	if errors.As(err, &e) {
		wait += min(e.RetryAfter, maxRetryAfter)
	}
	return wait
}
