package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/askonce/askonce/webhook/webhooktest"
)

const sendUsage = `Usage: askonce send -url URL [-user ID] [-study ID] [-forged]

Sends one signed delivery of a completed interview to an endpoint, as the
provider would, and says what the response means. The app counts it like a real
one: use a test user and a test environment.

The signing secret is read from USERJOURNEYS_WEBHOOK_SECRET.
`

func send(ctx context.Context, c *call) error {
	event := webhooktest.Completed("")
	var target, user string
	var forged bool
	flags := flag.NewFlagSet("send", flag.ContinueOnError)
	flags.StringVar(&target, "url", "", "the `URL` of the app's webhook")
	flags.StringVar(&user, "user", "", "the reference `ID`: the user's id, unless the app signs or seals references (default none)")
	flags.StringVar(&event.Data.StudyID, "study", event.Data.StudyID, "the study's `ID`")
	flags.StringVar(&event.Data.StudyName, "study-name", event.Data.StudyName, "the study's `NAME`")
	flags.StringVar(&event.Data.InterviewID, "interview", event.Data.InterviewID, "the interview's `ID`; repeat one to send a duplicate (default random)")
	flags.StringVar(event.Data.QualityScore, "quality", *event.Data.QualityScore, "the quality `SCORE`: insightful, successful or unsuccessful")
	flags.BoolVar(&forged, "forged", false, "sign with another secret, which the app must refuse")
	flags.Lookup("interview").DefValue = ""
	if err := c.parse(flags, sendUsage); err != nil {
		return err
	}
	secret := c.getenv(secretVariable) // no flag, because others on the machine see those
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("-url must be the absolute http or https URL of the app's webhook")
	case secret == "":
		return errors.New("the environment variable " + secretVariable + " is not set")
	}
	if forged {
		secret = "whsec_forged_by_askonce_send"
	}
	if user != "" {
		event.Data.ReferenceID = &user
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	start := time.Now()
	status, err := webhooktest.Deliver(ctx, target, secret, event)
	if err != nil {
		return fmt.Errorf("no response: %w", err)
	}
	fmt.Fprintf(c.out, "%d %s in %s, interview %s\n%s\n", status, http.StatusText(status),
		time.Since(start).Round(time.Millisecond), event.Data.InterviewID, meaning(status))
	if (status == http.StatusOK) == forged {
		return fmt.Errorf("unexpected status %d", status)
	}
	return nil
}

// meaning explains the status of a response to a delivery.
func meaning(status int) string {
	switch status {
	case http.StatusOK:
		return "The app verified the signature and recorded the interview, without a user if -user is not a reference of the app. Or it ignored the interview, because its study or event is not the app's: see OnDelivery or the debug log."
	case http.StatusBadRequest:
		return "The signature is right, but the body is not an event that the app can record. It is kept as a dead letter."
	case http.StatusUnauthorized:
		return "The signature is missing or wrong: the app has another secret, or something changes the body before the webhook reads it."
	case http.StatusForbidden:
		return "Something in front of the webhook refused the request, such as a CSRF check or a login: mount the webhook outside it."
	case http.StatusNotFound:
		return "No webhook is mounted at this URL."
	case http.StatusMethodNotAllowed:
		return "The URL does not accept POST: the webhook may be mounted elsewhere, or with a method in its pattern."
	case http.StatusRequestTimeout:
		return "The body arrived too slowly."
	case http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return "The request did not arrive as it was sent: look at proxies in between."
	case http.StatusInternalServerError:
		return "A function of the app panicked: see its log. The provider may deliver again, and reconciliation finds the interview."
	case http.StatusServiceUnavailable:
		return "The app is shutting down, overloaded, or cannot reach its store or its secrets: see its log."
	}
	switch {
	case status >= 300 && status < 400:
		return "The URL redirects, which the provider may not follow: register the URL that it redirects to."
	case status >= 500:
		return "The app or a proxy in front of it failed."
	}
	return "This is not a response of askonce's webhook: check the URL."
}
