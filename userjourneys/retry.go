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
	var te *transportError
	return errors.As(err, &te) && !errors.Is(err, errRedirect) && !untrusted(err)
}

// untrusted reports whether err says that the other side is not who it should
// be, or speaks no TLS: nothing that a moment's patience mends.
func untrusted(err error) bool {
	var (
		certificate *tls.CertificateVerificationError // of crypto/tls; the others from a transport that verifies by itself
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
	)
	return errors.As(err, &certificate) || errors.As(err, &authority) || errors.As(err, &hostname) ||
		errors.As(err, &invalid) || errors.Is(err, http.ErrSchemeMismatch)
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
