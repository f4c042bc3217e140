package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// visitor is a user with a browser that keeps cookies, sends a browser's headers, and
// follows no redirects.
type visitor struct {
	user   string
	app    string // its URL
	client http.Client
}

// newVisitor signs a user in with a new browser.
func newVisitor(app, user string) (*visitor, error) {
	at, err := url.Parse(app)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	jar.SetCookies(at, []*http.Cookie{{Name: userCookie, Value: user, Path: "/"}})
	return &visitor{user, app, http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DisableKeepAlives: true}, // an open connection would delay the app's restart
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

type response struct {
	status         int
	location, body string
}

func (v *visitor) do(ctx context.Context, method, target string, form url.Values) (response, error) {
	if strings.HasPrefix(target, "/") {
		target = v.app + target
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return response{}, err
	}
	switch {
	case method == http.MethodGet:
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		req.Header.Set("Sec-Fetch-Dest", "document")
	case form != nil:
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
	default:
		req.Header.Set("Sec-Fetch-Mode", "cors")
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header.Get("Location"), string(body)}, err
}

func (v *visitor) get(ctx context.Context, target string) (response, error) {
	return v.do(ctx, http.MethodGet, target, nil)
}

// post sends a form and expects a redirect. Without a form, it sends what a script sends
// and expects an empty response.
func (v *visitor) post(ctx context.Context, target string, form url.Values) error {
	resp, err := v.do(ctx, http.MethodPost, target, form)
	if err == nil && resp.status != http.StatusSeeOther && resp.status != http.StatusNoContent {
		err = fmt.Errorf("%s was answered with %d", target, resp.status)
	}
	return err
}

// prompt is the part of a page's prompt that the check uses.
type prompt struct {
	start string // the link
	study string
}

var startLink = regexp.MustCompile(`<a class="go" href="(/askonce/start\?study=([^"&]*)[^"]*)" target="_blank" rel="noopener">`)

// page loads one of Fernly's pages. The prompt is nil if there is none.
func (v *visitor) page(ctx context.Context, path string) (*prompt, error) {
	resp, err := v.get(ctx, path)
	if err != nil {
		return nil, err
	}
	if resp.status != http.StatusOK || !strings.Contains(resp.body, `value="`+v.user+`" aria-pressed="true"`) {
		return nil, fmt.Errorf("%s's page: status %d", v.user, resp.status)
	}
	switch found := startLink.FindAllStringSubmatch(resp.body, -1); len(found) {
	case 0:
		return nil, nil
	case 1:
		return &prompt{html.UnescapeString(found[0][1]), found[0][2]}, nil
	}
	return nil, errors.New("several prompts")
}

// says sends an event as a prompt's script does: shown, later or decline.
func (v *visitor) says(ctx context.Context, what, study string) error {
	return v.post(ctx, "/askonce/"+what+"?study="+url.QueryEscape(study), nil)
}
