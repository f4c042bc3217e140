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

	// HTTPClient sends the requests; its CheckRedirect is asked after this
	// package's own, which refuses to leave the host. Defaults to a client of
	// its own with time limits: 5 s to connect, 10 s until the headers, 30 s
	// for the whole exchange.
	HTTPClient *http.Client

	// MaxRetries is how often a GET is tried again after a network error or a
	// 429, 502, 503 or 504. PUT and DELETE are never repeated.
	// Defaults to 3. Negative means no retries.
	MaxRetries int

	// Logger is told about retries, at debug level. Defaults to slog.Default().
	Logger *slog.Logger
}

// Client talks to the provider's API with one project's key. It is safe for
// concurrent use.
type Client struct {
	key     secret
	base    *url.URL
	http    *http.Client
	retries int
	log     *slog.Logger
}

// secret keeps the key out of whatever a Client is formatted with.
type secret string

func (secret) String() string               { return "uj_…" }
func (secret) GoString() string             { return "uj_…" }
func (secret) LogValue() slog.Value         { return slog.StringValue("uj_…") }
func (secret) MarshalText() ([]byte, error) { return []byte("uj_…"), nil }

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
		key:     secret(apiKey),
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
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = 10 * time.Second
	return t
}

// stayOnHost refuses redirects to another scheme or host. net/http itself keeps
// the Authorization header on a redirect to a subdomain, which is too wide.
func stayOnHost(base *url.URL, next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != base.Scheme || !strings.EqualFold(r.URL.Host, base.Host) {
			return errors.New("refused a redirect to another host")
		}
		if next != nil {
			return next(r, via)
		}
		if len(via) >= 5 {
			return errors.New("stopped after 5 redirects")
		}
		return nil
	}
}

// get decodes the answer to a GET into out and retries what may pass.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	for attempt := 0; ; attempt++ {
		err := c.do(ctx, http.MethodGet, path, query, nil, out)
		if err == nil || attempt >= c.retries || ctx.Err() != nil || !retryable(err) {
			return err
		}
		wait := backoff(attempt, err)
		c.log.DebugContext(ctx, "userjourneys: trying again", "path", path, "attempt", attempt+1, "wait", wait, "err", err)
		if !sleep(ctx, wait) {
			return fmt.Errorf("%w (after %w)", context.Cause(ctx), err)
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
	req.Header.Set("Authorization", "Bearer "+string(c.key))
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &transportError{method: method, path: path, err: withoutURL(err)}
	}
	defer resp.Body.Close()
	return decode(resp, method+" "+path, out)
}

func unescape(path string) string {
	if p, err := url.PathUnescape(path); err == nil {
		return p
	}
	return path
}

// decode reads a bounded body and turns everything but a 2xx into an *Error.
func decode(resp *http.Response, what string, out any) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		return fmt.Errorf("userjourneys: %s: %w", what, ErrTooLarge)
	case err != nil:
		return &transportError{method: what, err: err}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return newError(resp, body)
	case out == nil || resp.StatusCode == http.StatusNoContent:
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
