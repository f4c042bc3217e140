package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// checker drives the demo over HTTP like browsers and the provider.
type checker struct {
	ctx context.Context
	out io.Writer
	p   *provider
	app *app
	db  string // the app's file
	// found by one step and needed by a later one
	link, interview, lastPage string
}

// runCheck prints a line with the observation of each step, and stops at the
// first that fails.
func runCheck(ctx context.Context, db string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c := &checker{ctx: ctx, out: out, p: startProvider(), db: db}
	defer c.p.Close()
	if err := c.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()

	steps := []struct {
		name string
		run  func() (observed string, err error)
	}{
		{"webhook registered", c.webhookRegistered},
		{"capacity asked once for many page views", c.capacityAskedOnce},
		{"prompt in ada's page", c.promptInPage},
		{"click leads to the interview with her reference", c.click},
		{"interview finished", c.finish},
		{"signature verified", c.signatureVerified},
		{"completion recorded", c.completionRecorded},
		{"transcript stored", c.transcriptStored},
		{"no prompt in ada's next page", func() (string, error) { return c.expectPrompt("ada", gate.ReasonCompleted) }},
		{"still one in bob's", func() (string, error) { return c.expectPrompt("bob", gate.ReasonEligible) }},
		{"app restarted: nothing forgotten", c.restarted},
		{"study full: none for anybody", c.studyFull},
		{"forged webhook: 401 and nothing changed", c.forged},
		{"provider down: pages still served", c.providerDown},
	}
	for i, s := range steps {
		observed, err := s.run()
		if err != nil {
			fmt.Fprintf(out, "FAIL %2d %s: %v\n", i+1, s.name, err)
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "ok   %2d %s: %s\n", i+1, s.name, observed)
	}
	return nil
}

func (c *checker) start() (err error) {
	c.app, err = startApp(c.ctx, "127.0.0.1:0", c.db, c.p, discard)
	return err
}

var discard = slog.New(slog.DiscardHandler)

// stop may be called again.
func (c *checker) stop() error {
	if c.app == nil {
		return nil
	}
	a := c.app
	c.app = nil
	return a.Close()
}

func (c *checker) webhookRegistered() (string, error) {
	uj, err := userjourneys.NewClient(c.p.APIKey(), &userjourneys.Options{BaseURL: c.p.BaseURL()})
	if err != nil {
		return "", err
	}
	hook, err := uj.Webhook(c.ctx)
	if err != nil {
		return "", err
	}
	if hook.URL != c.app.url+webhookPath || hook.SigningSecret.Reveal() != "" || c.p.secret == "" {
		return "", fmt.Errorf("the provider has %q", hook.URL)
	}
	return fmt.Sprintf("%s, secret %s, shown once", hook.URL, webhook.SecretList{c.p.secret}), nil
}

// capacityAskedOnce sends the views at the same time, to an app that has only
// just started.
func (c *checker) capacityAskedOnce() (string, error) {
	const views = 50
	var group errgroup.Group
	for range views {
		group.Go(func() error {
			_, err := c.page("ada")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	n := c.studyRequests()
	if n < 1 || n > 2 { // one by the gate, one by the reconciliation
		return "", fmt.Errorf("%d requests for studies", n)
	}
	return fmt.Sprintf("%d page views at once, requests for studies: %d", views, n), nil
}

func (c *checker) studyRequests() (n int) {
	for _, r := range c.p.Requests() {
		if r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/studies") {
			n++
		}
	}
	return n
}

var startLink = regexp.MustCompile(`<a class="go" href="(/askonce/start[^"]*)" target="_blank" rel="noopener">`)

func (c *checker) promptInPage() (string, error) {
	if _, err := c.expectPrompt("ada", gate.ReasonEligible); err != nil {
		return "", err
	}
	found := startLink.FindAllStringSubmatch(c.lastPage, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("%d prompts", len(found))
	}
	c.link = html.UnescapeString(found[0][1])
	return "one, to " + c.link, nil
}

func (c *checker) click() (string, error) {
	resp, err := c.get("ada", c.app.url+c.link)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("status %d to %q", resp.StatusCode, target)
	}
	if got := target.Query().Get("reference_id"); got != "ada" {
		return "", fmt.Errorf("reference_id is %q", got)
	}
	c.interview = target.String()
	return fmt.Sprintf("%d to %s", resp.StatusCode, c.interview), nil
}

func (c *checker) finish() (string, error) {
	resp, err := c.get("ada", c.interview)
	if err != nil {
		return "", err
	}
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !bytes.Contains(page, []byte("<button>Finish the interview</button>")) {
		return "", fmt.Errorf("no button on the interview's page (status %d): %w", resp.StatusCode, err)
	}
	if err := c.pressButton("ada"); err != nil {
		return "", err
	}
	return "button pressed", nil
}

func (c *checker) pressButton(reference string) error {
	u, err := url.Parse(c.interview)
	if err != nil {
		return err
	}
	u.RawQuery = ""
	resp, err := http.PostForm(u.String(), url.Values{"reference_id": {reference}})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (c *checker) signatureVerified() (observed string, err error) {
	err = c.eventually(func() error {
		reason, n := c.app.log.lastDelivery()
		if n != 1 || reason != webhook.ResultAccepted {
			return fmt.Errorf("%d deliveries, the last one %s", n, reason)
		}
		observed = fmt.Sprintf("%d %s", reason.Status(), reason)
		return nil
	})
	return observed, err
}

func (c *checker) completionRecorded() (string, error) {
	done, err := c.app.done.Completed(c.ctx, store.Key{StudyID: c.p.study.ID, UserID: "ada"})
	if err != nil || !done {
		return "", fmt.Errorf("completed: %v, %w", done, err)
	}
	return "ada has completed " + c.p.study.ID, nil
}

func (c *checker) transcriptStored() (observed string, err error) {
	err = c.eventually(func() error {
		all, err := recipes.Interviews(c.ctx, c.app.done, time.Time{})
		if err != nil {
			return err
		}
		if len(all) != 1 || len(all[0].Turns) == 0 {
			return fmt.Errorf("%d interviews, none or the first without a transcript", len(all))
		}
		observed = fmt.Sprintf("%d turns, the last one %q", len(all[0].Turns), all[0].Turns[len(all[0].Turns)-1].Text)
		return nil
	})
	return observed, err
}

// restarted ends the app and starts another on the same file.
func (c *checker) restarted() (string, error) {
	if err := errors.Join(c.stop(), c.start()); err != nil {
		return "", err
	}
	if _, err := c.expectPrompt("ada", gate.ReasonCompleted); err != nil {
		return "", err
	}
	if _, err := c.expectPrompt("bob", gate.ReasonEligible); err != nil {
		return "", err
	}
	transcript, err := c.transcriptStored()
	if err != nil {
		return "", err
	}
	return "ada has completed, bob has not; transcript of " + transcript, nil
}

func (c *checker) studyFull() (string, error) {
	if err := c.pressButton("bob"); err != nil {
		return "", err
	}
	for _, user := range users {
		if _, err := c.expectPrompt(user, gate.ReasonFull, gate.ReasonCompleted); err != nil {
			return "", err
		}
	}
	resp, err := c.get("cleo", c.app.url+c.link)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Location") != "" {
		return "", fmt.Errorf("an old link answers %d", resp.StatusCode)
	}
	return "bob took the last place; an old link shows a friendly page", nil
}

func (c *checker) forged() (string, error) {
	body := webhooktest.Completed("cleo")
	body.Data.StudyID = c.p.study.ID
	status, err := webhooktest.Deliver(c.ctx, c.app.url+webhookPath, wrongSecret, body)
	if err != nil {
		return "", err
	}
	done, err := c.app.done.Completed(c.ctx, store.Key{StudyID: c.p.study.ID, UserID: "cleo"})
	if err != nil || done || status != http.StatusUnauthorized {
		return "", fmt.Errorf("status %d, completed: %v, %w", status, done, err)
	}
	reason, _ := c.app.log.lastDelivery()
	return fmt.Sprintf("%d %s, cleo has not completed", status, reason), nil
}

// providerDown starts an app that has no study cached, with a provider that does
// not answer. The provider still has not answered when the pages arrive, so they
// did not wait for it. How long they took depends on the machine and is not
// checked.
func (c *checker) providerDown() (observed string, err error) {
	if err := c.stop(); err != nil {
		return "", err
	}
	if c.app, err = newApp(c.ctx, "127.0.0.1:0", c.db, c.p, discard); err != nil {
		return "", err
	}
	before := c.studyRequests()
	c.p.Hang()
	defer c.p.Release()
	c.app.serve(c.ctx, discard)
	var slowest time.Duration
	const views = 20
	for range views {
		begun := time.Now()
		body, err := c.page("cleo")
		if err != nil {
			return "", err
		}
		if reason, ok := c.app.log.lastDecision("cleo"); !ok || reason != gate.ReasonUnavailable || startLink.MatchString(body) {
			return "", fmt.Errorf("cleo's page: %s", reason)
		}
		slowest = max(slowest, time.Since(begun))
	}
	if c.studyRequests() == before {
		return "", errors.New("the provider was never asked")
	}
	return fmt.Sprintf("%d pages with 200, %s, the slowest after %v", views, gate.ReasonUnavailable, slowest.Round(time.Millisecond)), nil
}

// eventually calls try until it succeeds, for 15 seconds at most.
func (c *checker) eventually(try func() error) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) || c.ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// expectPrompt loads the user's page until the decision has one of the reasons,
// and checks that the page has a prompt only if it is eligible. It does not check
// times: on a busy machine a decision may miss its deadline and be unavailable,
// and what changes it may still be on its way.
func (c *checker) expectPrompt(user string, reasons ...gate.Reason) (observed string, err error) {
	err = c.eventually(func() error {
		body, err := c.page(user)
		if err != nil {
			return err
		}
		reason, ok := c.app.log.lastDecision(user)
		if !ok || !slices.Contains(reasons, reason) {
			return fmt.Errorf("%s's page was decided %s", user, reason)
		}
		if prompt := startLink.MatchString(body); prompt != (reason == gate.ReasonEligible) {
			return fmt.Errorf("%s's page was decided %s, prompt: %v", user, reason, prompt)
		}
		c.lastPage, observed = body, reason.String()
		return nil
	})
	return observed, err
}

// page returns the home page that the user sees.
func (c *checker) page(user string) (string, error) {
	resp, err := c.get(user, c.app.url+"/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "Hello, "+user) {
		return "", fmt.Errorf("%s's page: status %d, %w", user, resp.StatusCode, err)
	}
	return string(body), nil
}

// get requests a page like a browser, and follows no redirect.
func (c *checker) get(user, target string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.AddCookie(&http.Cookie{Name: userCookie, Value: user})
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // an open connection would delay the restart
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client.Do(req)
}
