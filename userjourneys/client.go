package userjourneys

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/askonce/askonce/internal/backoff"
)

// DefaultBaseURL is where the provider's API lives.
const DefaultBaseURL = "https://app.userjourneys.ai/api/v1"

// maxBody bounds what is read of one answer, in bytes.
const maxBody = 16 << 20

// Options configure a Client. The zero value of each field means its default.
type Options struct {
	// BaseURL is the root of the API. It must be https, except on a loopback
	// host. Defaults to DefaultBaseURL.
	BaseURL string

	// HTTPClient sends the requests, within its own time limits. Redirects that
	// leave the scheme, host or port, those of a PUT or DELETE and a sixth in a
	// row are refused before its CheckRedirect is asked. Defaults to a client
	// with these limits for one attempt: 5 s to connect, 5 s for the TLS
	// handshake, 10 s from there until the headers, 30 s for everything. It uses
	// the proxy that the environment names (http.ProxyFromEnvironment).
	HTTPClient *http.Client

	// MaxRetries is how often a GET is tried again after a network error or a
	// 429, 502, 503 or 504. The wait before it is random between 0 and a
	// ceiling of 200 ms that doubles each time, up to 5 s; a Retry-After comes
	// on top, of which at most 60 s are waited. The context ends the wait. A
	// certificate that fails to verify is no reason to try again, and PUT and
	// DELETE are never repeated. Defaults to 3. Negative means no retries.
	MaxRetries int

	// Logger is told about retries, at debug level. Defaults to slog.Default().
	Logger *slog.Logger
}

// Client talks to the provider's API with one project's key. It is safe for
// concurrent use.
type Client struct {
	// sign adds the key to a request. The key lives in this closure and in
	// scrub's alone: fmt and the like print unexported fields without asking
	// their String methods.
	sign    func(http.Header)
	scrub   func(string) string // takes the key out of foreign words
	base    *url.URL
	http    *http.Client
	retries int
	log     *slog.Logger
}

// NewClient returns a client that authenticates with apiKey (uj_live_…). It
// does not connect. A nil opts means defaults. The error names every fault of
// the configuration at once and never contains the key.
func NewClient(apiKey string, opts *Options) (*Client, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	base, baseErr := parseBaseURL(cmp.Or(o.BaseURL, DefaultBaseURL))
	if err := errors.Join(checkKey(apiKey), baseErr); err != nil {
		return nil, err
	}
	c := &Client{
		sign:    func(h http.Header) { h.Set("Authorization", "Bearer "+apiKey) },
		scrub:   func(s string) string { return strings.ReplaceAll(s, apiKey, "uj_…") },
		base:    base,
		retries: max(0, cmp.Or(o.MaxRetries, 3)),
		log:     cmp.Or(o.Logger, slog.Default()),
	}
	hc := http.Client{Timeout: 30 * time.Second, Transport: defaultTransport()}
	if o.HTTPClient != nil {
		hc = *o.HTTPClient
	}
	hc.CheckRedirect = stayOnHost(base, hc.CheckRedirect)
	c.http = &hc
	return c, nil
}

func checkKey(key string) error {
	if key == "" {
		return errors.New("userjourneys: the API key is empty")
	}
	for _, r := range key {
		if r <= ' ' || r > '~' {
			return errors.New("userjourneys: the API key contains white space or a character that no key has")
		}
	}
	return nil
}

func parseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("userjourneys: the base URL is not an absolute URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("userjourneys: the base URL must have no user, query or fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return nil, errors.New("userjourneys: the base URL must be https: the key would travel in the clear")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func defaultTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 10 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
}

var errRedirect = errors.New("refused a redirect")

// stayOnHost refuses redirects to another scheme, host or port: net/http keeps
// the Authorization header even on one to a subdomain. It also refuses those of
// a PUT or DELETE, which net/http would turn into a GET or repeat. Then it asks
// next, which may be nil.
func stayOnHost(base *url.URL, next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if via[0].Method != http.MethodGet {
			return fmt.Errorf("%w of a %s", errRedirect, via[0].Method)
		}
		if r.URL.Scheme != base.Scheme || !strings.EqualFold(r.URL.Host, base.Host) {
			return fmt.Errorf("%w to another host", errRedirect)
		}
		if len(via) > 5 {
			return fmt.Errorf("%w after 5 others", errRedirect)
		}
		if next == nil {
			return nil
		}
		err := next(r, via)
		if err == nil || err == http.ErrUseLastResponse { // which net/http compares with ==
			return err
		}
		return fmt.Errorf("%w: %w", errRedirect, err)
	}
}

// get decodes the answer to a GET into out and retries what may pass.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	for attempt := 0; ; attempt++ {
		err := c.do(ctx, http.MethodGet, path, query, nil, out)
		if err == nil || attempt >= c.retries || ctx.Err() != nil || !retryable(err) {
			return err
		}
		wait := retryWait(attempt, err)
		c.log.DebugContext(ctx, "userjourneys: trying again", "path", path, "attempt", attempt+1, "wait", wait, "err", err)
		if ended := backoff.Sleep(ctx, wait); ended != nil {
			return fmt.Errorf("userjourneys: %w (after %w)", ended, err)
		}
	}
}

// do sends one request and decodes the answer into out, which may be nil.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("userjourneys: %w", err)
		}
		body = bytes.NewReader(b)
	}
	u := *c.base
	u.Path, u.RawPath, u.RawQuery = "", "", query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fmt.Errorf("userjourneys: %s %s: %w", method, path, err)
	}
	// Set both forms, so that an id with a slash in it stays one segment.
	req.URL.Path, req.URL.RawPath = c.base.Path+unescape(path), c.base.EscapedPath()+path
	c.sign(req.Header)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &transportError{method: method, path: path, err: c.scrubbed(withoutURL(err))}
	}
	defer resp.Body.Close()
	return c.decode(resp, method, path, out)
}

// scrubbed returns err, or its bare words without the key if they held it: a
// server may echo the key in a malformed header or trailer, which net/http
// quotes.
func (c *Client) scrubbed(err error) error {
	if s := c.scrub(err.Error()); s != err.Error() {
		return errors.New(s)
	}
	return err
}

func unescape(path string) string {
	if p, err := url.PathUnescape(path); err == nil {
		return p
	}
	return path
}

// decode reads a bounded body and turns everything but a 2xx into an *Error,
// also when its body is cut or too large: the status says more.
func (c *Client) decode(resp *http.Response, method, path string, out any) error {
	what := method + " " + path
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return newError(resp, c.scrub(message(body)))
	case len(body) > maxBody:
		return fmt.Errorf("userjourneys: %s: %w", what, ErrTooLarge)
	case err != nil:
		return &transportError{method: method, path: path, err: c.scrubbed(err)}
	case out == nil:
		return nil
	}
	if mt, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mt == "text/html" {
		return fmt.Errorf("userjourneys: %s: %w: a page instead of JSON", what, ErrBadAnswer)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("userjourneys: %s: %w: %w", what, ErrBadAnswer, err)
	}
	return nil
}
