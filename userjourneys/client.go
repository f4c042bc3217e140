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
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/askonce/askonce/internal/loopback"
)

// DefaultBaseURL is the root of the provider's API.
const DefaultBaseURL = "https://app.userjourneys.ai/api/v1"

// maxBody is how much of a response is read, in bytes.
const maxBody = 16 << 20

// Options configures a [Client]. The zero value of each field means its default.
type Options struct {
	// BaseURL is the root of the API. It must be https, except on a loopback
	// host. Defaults to [DefaultBaseURL].
	BaseURL string

	// HTTPClient sends the requests, with its own timeouts. Redirects to another
	// scheme, host or port, redirects of a PUT or DELETE, and a sixth redirect in
	// a row are refused before its CheckRedirect is called. Defaults to a client
	// that uses the proxy of the environment ([http.ProxyFromEnvironment]) and
	// allows one attempt 5 s to connect, 5 s for the TLS handshake, 10 s for the
	// response headers, and 30 s in total.
	HTTPClient *http.Client

	// MaxRetries is how often a GET is retried after a network error or a 429, 502,
	// 503 or 504. A certificate that fails to verify causes no retry, and PUT and
	// DELETE are never retried. The wait before a retry is random, up to a ceiling
	// that starts at 200 ms and doubles up to 5 s, plus the response's Retry-After
	// up to 60 s. It ends with the context. Defaults to 3. A negative value means no
	// retries, for tests and for callers that retry themselves.
	MaxRetries int

	// Logger logs retries at Debug, and skipped list items at Warn, once per kind.
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Client calls the provider's API with one project's key. Its requests name the
// version of askonce in their User-Agent. It is safe for concurrent use.
type Client struct {
	// The key lives only in these two closures, because fmt prints unexported
	// fields without calling their methods.
	sign  func(http.Header)
	scrub func(string) string // removes the key from text that came from the server

	base    *url.URL
	http    *http.Client
	retries int
	log     *slog.Logger
	warned  *sync.Map // kinds of skipped list items that have been logged
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
	return &Client{
		sign:    func(h http.Header) { h.Set("Authorization", "Bearer "+apiKey) },
		scrub:   func(s string) string { return strings.ReplaceAll(s, apiKey, "uj_…") },
		base:    base,
		http:    newHTTPClient(o.HTTPClient, base),
		retries: max(0, cmp.Or(o.MaxRetries, 3)),
		log:     cmp.Or(o.Logger, slog.Default()),
		warned:  new(sync.Map),
	}, nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("userjourneys: the API key is empty")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("userjourneys: the API key contains white space or a character that no key has")
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
	case !loopback.Secure(u):
		return nil, errors.New("userjourneys: the base URL must be https: the key would travel in the clear")
	}
	return u, nil
}

// do sends one request and decodes the response into out, which may be nil. The
// path is an escaped one, below the base URL.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("userjourneys: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fmt.Errorf("userjourneys: %s %s: %w", method, path, err)
	}
	c.sign(req.Header)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent())
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var ue *url.Error // names the whole URL; its query holds reference ids, which are user ids
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("userjourneys: %s %s: %w", method, path, transportError{c.scrubbed(err)})
	}
	defer resp.Body.Close()
	return c.decode(resp, method+" "+path, out)
}

// decode reads a bounded body. It returns an [*Error] for everything but a 2xx,
// even if the body is cut or too large: the status says more.
func (c *Client) decode(resp *http.Response, what string, out any) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &Error{
			StatusCode: resp.StatusCode,
			Message:    truncated(c.scrub(message(body))),
			RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		}
	case len(body) > maxBody:
		return fmt.Errorf("%w: %s", ErrTooLarge, what)
	case err != nil:
		return fmt.Errorf("userjourneys: %s: %w", what, transportError{c.scrubbed(err)})
	case out == nil:
		return nil
	}
	if mt, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mt == "text/html" {
		return fmt.Errorf("%w: %s: an HTML page instead of JSON", ErrUnexpectedResponse, what)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnexpectedResponse, what, err)
	}
	return nil
}

// scrubbed returns err, or only its text without the key if the key is in it:
// net/http quotes malformed headers and trailers, and a server may echo the key
// there.
func (c *Client) scrubbed(err error) error {
	if s := c.scrub(err.Error()); s != err.Error() {
		return errors.New(s)
	}
	return err
}
