package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func (c *checker) webhookRegistered(ctx context.Context) (string, error) {
	uj, err := userjourneys.NewClient(c.p.APIKey(), &userjourneys.Options{BaseURL: c.p.BaseURL()})
	if err != nil {
		return "", err
	}
	hook, err := uj.Webhook(ctx)
	if err != nil {
		return "", err
	}
	if hook.URL != c.app.url+webhookPath || hook.SigningSecret.Reveal() != "" || c.p.secret == "" {
		return "", fmt.Errorf("the provider has %q", hook.URL)
	}
	return fmt.Sprintf("%s, secret %s, shown once", hook.URL, webhook.SecretList{c.p.secret}), nil
}

// capacityAskedOnce sends many page views at the same time to an app that has just
// started.
func (c *checker) capacityAskedOnce(ctx context.Context) (string, error) {
	const views = 50
	begun := time.Now()
	var group errgroup.Group
	for range views {
		group.Go(func() error {
			_, err := c.browsers["ada"].page(ctx, "/")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	// One by the gate, one by the reconciliation, and more on a slow machine.
	n, most := c.studyRequests(), 2+int(time.Since(begun)/time.Second)
	if n < 1 || n > most {
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

func (c *checker) promptInPage(ctx context.Context) (string, error) {
	found, err := c.expect(ctx, c.browsers["ada"], gate.ReasonEligible)
	if err != nil {
		return "", err
	}
	c.start = found.start
	return "one, to " + c.start, nil
}

// seenOnce reports showings as the prompt's script does: twice from one browser, and then
// from another.
func (c *checker) seenOnce(ctx context.Context) (string, error) {
	another, err := newVisitor(c.app.url, "ada")
	if err != nil {
		return "", err
	}
	for _, v := range []*visitor{c.browsers["ada"], c.browsers["ada"], another} {
		if err := v.says(ctx, "shown", c.p.study.ID); err != nil {
			return "", err
		}
	}
	now, shown := time.Now(), 0
	days, err := c.app.store.Funnel(ctx, c.p.study.ID, now.Add(-day), now.Add(day))
	if err != nil {
		return "", err
	}
	for _, d := range days {
		shown += d.Shown
	}
	lingers, err := c.browsers["ada"].page(ctx, "/plants")
	if err != nil || shown != 1 || lingers == nil {
		return "", mismatch(err, "%d users have seen it, prompt on the next page: %v", shown, lingers != nil)
	}
	return "3 reports, 1 user who has seen it, and the prompt stays on the next page", nil
}

func (c *checker) click(ctx context.Context) (string, error) {
	interview, err := c.interview(ctx, "ada", c.start)
	if err != nil {
		return "", err
	}
	return "finished at " + interview, nil
}

// interview follows the link of a prompt and finishes the interview there.
func (c *checker) interview(ctx context.Context, user, link string) (string, error) {
	v := c.browsers[user]
	clicked, err := v.get(ctx, link)
	if err != nil {
		return "", err
	}
	target, err := url.Parse(clicked.location)
	if err != nil || clicked.status != http.StatusSeeOther || target.Query().Get("reference_id") != user {
		return "", fmt.Errorf("status %d to %q", clicked.status, clicked.location)
	}
	page, err := v.get(ctx, target.String())
	if err != nil || !strings.Contains(page.body, "Finish the interview</button>") {
		return "", mismatch(err, "no button on the interview's page (status %d)", page.status)
	}
	done, err := v.do(ctx, http.MethodPost, target.String(), url.Values{"reference_id": {user}})
	if err != nil || done.status != http.StatusOK {
		return "", mismatch(err, "status %d", done.status)
	}
	return target.String(), nil
}

func (c *checker) signatureVerified(ctx context.Context) (observed string, err error) {
	err = eventually(ctx, func() error {
		if observed = c.app.journal.last("webhook", "").Code; observed != "200 accepted" {
			return fmt.Errorf("the last webhook was answered %q", observed)
		}
		return nil
	})
	return observed, err
}

func (c *checker) completionRecorded(ctx context.Context) (string, error) {
	return "ada has completed " + c.p.study.ID, c.expectCompleted(ctx, "ada", true)
}

func (c *checker) expectCompleted(ctx context.Context, user string, want bool) error {
	done, err := c.app.store.Completed(ctx, store.Key{StudyID: c.p.study.ID, UserID: user})
	if err != nil || done != want {
		return mismatch(err, "%s has completed: %v", user, done)
	}
	return nil
}

func (c *checker) transcriptStored(ctx context.Context) (observed string, err error) {
	err = eventually(ctx, func() error {
		all, err := recipes.Interviews(ctx, c.app.store, time.Time{})
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

// pageUnderneath sends the request that the script of ada's open page sends.
func (c *checker) pageUnderneath(ctx context.Context) (string, error) {
	return "without a reload", eventually(ctx, func() error {
		now, err := c.browsers["ada"].get(ctx, "/demo/live")
		if err != nil || !strings.Contains(now.body, `id="standing-ada" data-live><code class="completed">`) {
			return mismatch(err, "it says %q", now.body)
		}
		return nil
	})
}

func (c *checker) nextPages(ctx context.Context) (string, error) {
	if _, err := c.expect(ctx, c.browsers["ada"], gate.ReasonCompleted); err != nil {
		return "", err
	}
	_, err := c.expect(ctx, c.browsers["bob"], gate.ReasonEligible)
	return "ada completed, bob eligible", err
}

func (c *checker) declinedElsewhere(ctx context.Context) (string, error) {
	if err := c.browsers["bob"].says(ctx, "decline", c.p.study.ID); err != nil {
		return "", err
	}
	another, err := newVisitor(c.app.url, "bob")
	if err != nil {
		return "", err
	}
	_, err = c.expect(ctx, another, gate.ReasonDeclined)
	return "bob said no in one browser, one without cookies knows", err
}

// restarted stops the app and starts another on the same file.
func (c *checker) restarted(ctx context.Context) (string, error) {
	if err := errors.Join(c.close(), c.open(ctx, func() {})); err != nil {
		return "", err
	}
	if _, err := c.expect(ctx, c.browsers["ada"], gate.ReasonCompleted); err != nil {
		return "", err
	}
	if _, err := c.expect(ctx, c.browsers["bob"], gate.ReasonDeclined); err != nil {
		return "", err
	}
	transcript, err := c.transcriptStored(ctx)
	return "ada completed, bob declined; transcript of " + transcript, err
}

func (c *checker) daysPass(ctx context.Context) (string, error) {
	cleo := c.browsers["cleo"]
	if _, err := c.expect(ctx, cleo, gate.ReasonEligible); err != nil {
		return "", err
	}
	for _, what := range []string{"shown", "later"} {
		if err := cleo.says(ctx, what, c.p.study.ID); err != nil {
			return "", err
		}
	}
	for range 6 {
		if _, err := c.expect(ctx, cleo, gate.ReasonSnoozed); err != nil {
			return "", err
		}
		if err := cleo.post(ctx, "/demo/day", url.Values{}); err != nil {
			return "", err
		}
	}
	if _, err := c.expect(ctx, cleo, gate.ReasonSnoozed); err != nil {
		return "", err
	}
	if err := cleo.post(ctx, "/demo/day", url.Values{}); err != nil {
		return "", err
	}
	_, err := c.expect(ctx, cleo, gate.ReasonEligible)
	return "cleo snoozed on six days, eligible on the seventh", err
}

func (c *checker) startedOver(ctx context.Context) (string, error) {
	if err := c.browsers["ada"].post(ctx, "/demo/reset", url.Values{}); err != nil {
		return "", err
	}
	for _, u := range users {
		if _, err := c.expect(ctx, c.browsers[u.ID], gate.ReasonEligible); err != nil {
			return "", err
		}
	}
	return "ada, bob and cleo eligible", nil
}

func (c *checker) paused(ctx context.Context) (string, error) {
	return c.whileOn(ctx, "asking", gate.ReasonPaused)
}

func (c *checker) studyFull(ctx context.Context) (string, error) {
	return c.whileOn(ctx, "study", gate.ReasonFull)
}

// whileOn turns a switch on, checks that nobody is asked, and turns it off again.
func (c *checker) whileOn(ctx context.Context, toggle string, reason gate.Reason) (string, error) {
	ada := c.browsers["ada"]
	open, err := c.expect(ctx, ada, gate.ReasonEligible)
	if err != nil {
		return "", err
	}
	if err := ada.post(ctx, "/demo/"+toggle, url.Values{"to": {"on"}}); err != nil {
		return "", err
	}
	for _, u := range users {
		if _, err := c.expect(ctx, c.browsers[u.ID], reason); err != nil {
			return "", err
		}
	}
	clicked, err := ada.get(ctx, open.start)
	if err != nil || clicked.status != http.StatusOK || clicked.location != "" {
		return "", mismatch(err, "a click was answered with %d to %q", clicked.status, clicked.location)
	}
	if err := ada.post(ctx, "/demo/"+toggle, url.Values{"to": {"off"}}); err != nil {
		return "", err
	}
	_, err = c.expect(ctx, ada, gate.ReasonEligible)
	return fmt.Sprintf("ada, bob and cleo %s, an open prompt leads to a friendly page; then eligible again", reason), err
}

func (c *checker) webhookForged(ctx context.Context) (string, error) {
	if err := c.browsers["ada"].post(ctx, "/demo/forge", url.Values{}); err != nil {
		return "", err
	}
	answer := c.app.journal.last("webhook", "").Code
	if answer != "401 bad_signature" {
		return "", fmt.Errorf("it was answered %q", answer)
	}
	return answer + ", ada has not completed", c.expectCompleted(ctx, "ada", false)
}

// trick sets the fate of the next webhook and finishes an interview as the user. It
// returns how many webhooks there were before.
func (c *checker) trick(ctx context.Context, user, fate string) (before int, err error) {
	v := c.browsers[user]
	if err := v.post(ctx, "/demo/webhooks", url.Values{"to": {fate}}); err != nil {
		return 0, err
	}
	invited, err := c.expect(ctx, v, gate.ReasonEligible)
	if err != nil {
		return 0, err
	}
	before = len(c.webhooks())
	_, err = c.interview(ctx, user, invited.start)
	return before, err
}

// webhooks returns the results of all webhooks since the app started.
func (c *checker) webhooks() (all []webhook.Result) {
	for _, d := range c.app.kit.Webhook().Deliveries() {
		all = append(all, d.Result)
	}
	slices.Reverse(all)
	return all
}

// webhooksSince waits for n webhooks. All but the first must be duplicates, and the first
// is one if reconciliation came earlier.
func (c *checker) webhooksSince(ctx context.Context, before, n int) (got []webhook.Result, err error) {
	err = eventually(ctx, func() error {
		if got = c.webhooks()[before:]; len(got) != n {
			return fmt.Errorf("the webhooks were %v", got)
		}
		return nil
	})
	for i, result := range got {
		if result != webhook.ResultDuplicate && (i > 0 || result != webhook.ResultAccepted) {
			err = fmt.Errorf("the webhooks were %v", got)
		}
	}
	return got, err
}

func (c *checker) webhookLost(ctx context.Context) (string, error) {
	before, err := c.trick(ctx, "cleo", "lost")
	if err != nil {
		return "", err
	}
	if err := c.app.kit.Webhook().Reconcile(ctx); err != nil { // as Run does every 15 seconds
		return "", err
	}
	if err := c.expectCompleted(ctx, "cleo", true); err != nil {
		return "", err
	}
	if got := c.webhooks()[before:]; len(got) != 0 {
		return "", fmt.Errorf("there were webhooks: %q", got)
	}
	_, err = c.expect(ctx, c.browsers["cleo"], gate.ReasonCompleted)
	return "no webhook came, cleo has completed", err
}

func (c *checker) webhookTwice(ctx context.Context) (string, error) {
	before, err := c.trick(ctx, "bob", "twice")
	if err != nil {
		return "", err
	}
	got, err := c.webhooksSince(ctx, before, 2)
	if err != nil {
		return "", err
	}
	n := 0
	for _, err := range c.app.store.Completions(ctx, store.Filter{UserID: "bob"}) {
		if err != nil {
			return "", err
		}
		n++
	}
	if n != 1 {
		return "", fmt.Errorf("bob has %d interviews", n)
	}
	return fmt.Sprintf("%s, %s; bob has 1 interview", got[0], got[1]), c.expectCompleted(ctx, "bob", true)
}

func (c *checker) webhookLate(ctx context.Context) (string, error) {
	before, err := c.trick(ctx, "ada", "late")
	if err != nil {
		return "", err
	}
	finished := time.Now()
	got, err := c.webhooksSince(ctx, before, 1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s after %v, ada has completed", got[0], time.Since(finished).Round(time.Second)), c.expectCompleted(ctx, "ada", true)
}

func (c *checker) console(ctx context.Context) (string, error) {
	page, err := c.browsers["ada"].get(ctx, consolePath)
	if err != nil || page.status != http.StatusOK || !strings.Contains(page.body, c.p.study.Name) {
		return "", mismatch(err, "status %d", page.status)
	}
	return consolePath + " names the study", nil
}

// providerDown starts an app without a cached study, with a provider that does not answer.
// The provider has still not answered when the pages arrive, which proves that they did not
// wait for it. How long they took depends on the machine and is not checked.
func (c *checker) providerDown(ctx context.Context) (string, error) {
	before := 0
	defer c.p.Release()
	hang := func() {
		before = c.studyRequests()
		c.p.Hang()
	}
	if err := errors.Join(c.close(), c.open(ctx, hang)); err != nil {
		return "", err
	}
	var slowest time.Duration
	const views = 20
	for range views {
		begun := time.Now()
		found, err := c.browsers["cleo"].page(ctx, "/")
		if err != nil {
			return "", err
		}
		if reason := c.app.journal.last("page", "cleo").Code; reason != gate.ReasonUnavailable.String() || found != nil {
			return "", fmt.Errorf("cleo's page: %s", reason)
		}
		slowest = max(slowest, time.Since(begun))
	}
	if c.studyRequests() == before {
		return "", errors.New("the provider was never asked")
	}
	return fmt.Sprintf("%d pages with 200, %s, the slowest after %v", views, gate.ReasonUnavailable, slowest.Round(time.Millisecond)), nil
}

// expect loads the user's page until the decision has the reason, and checks that the page
// has a prompt only if that is ReasonEligible. It checks no times: on a busy machine a
// decision may miss its deadline, and a change may still be in flight.
func (c *checker) expect(ctx context.Context, v *visitor, reason gate.Reason) (found *prompt, err error) {
	err = eventually(ctx, func() error {
		if found, err = v.page(ctx, "/"); err != nil {
			return err
		}
		decided := c.app.journal.last("page", v.user).Code
		if decided != reason.String() || (found != nil) != (reason == gate.ReasonEligible) {
			return fmt.Errorf("%s's page was decided %s, prompt: %v", v.user, decided, found != nil)
		}
		return nil
	})
	return found, err
}

// mismatch returns err, or an error that says what was found if err is nil.
func mismatch(err error, found string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf(found, args...)
}
