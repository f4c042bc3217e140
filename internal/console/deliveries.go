package console

import (
	"net/http"

	"github.com/askonce/askonce/webhook"
)

// deliveriesPage is the data of ui/deliveries.html.
type deliveriesPage struct {
	Deliveries []webhook.Delivery
	Inspected  bool
}

func (c *console) deliveries(w http.ResponseWriter, r *http.Request) {
	page := deliveriesPage{Deliveries: c.Webhook.Deliveries()}
	for _, d := range page.Deliveries {
		page.Inspected = page.Inspected || d.Inspection != nil
	}
	c.render(w, r, http.StatusOK, "deliveries", page)
}

// verdict returns what became of a delivery, in one word.
func verdict(r webhook.Result) badge {
	switch r.Status() / 100 {
	case 2:
		switch r {
		case webhook.ResultAccepted, webhook.ResultDuplicate:
			return badge{"good", "Recorded"}
		case webhook.ResultUnknownEvent, webhook.ResultOtherStudy, webhook.ResultNotCompleted:
			return badge{"", "Ignored"}
		}
		return badge{"warn", "Anonymous"}
	case 4:
		return badge{"bad", "Refused"}
	}
	return badge{"bad", "Failed"}
}

// reasons are why, one for each [webhook.Result].
var reasons = map[webhook.Result]string{
	webhook.ResultAccepted:           "Recorded for the first time, the user is known",
	webhook.ResultDuplicate:          "Recorded before",
	webhook.ResultNoReference:        "The link had no reference",
	webhook.ResultBadReference:       "The reference is not one of the app's",
	webhook.ResultExpiredReference:   "The reference is too old",
	webhook.ResultUnknownUser:        "The user no longer exists",
	webhook.ResultUnknownEvent:       "An event other than interview.completed",
	webhook.ResultOtherStudy:         "Not one of the configured studies",
	webhook.ResultNotCompleted:       "The interview's status is not completed",
	webhook.ResultMethod:             "Not a POST",
	webhook.ResultContentEncoding:    "The body is compressed",
	webhook.ResultMissingSignature:   "No signature",
	webhook.ResultMalformedSignature: "The signature is malformed",
	webhook.ResultBadSignature:       "The signature is not of this body and secret",
	webhook.ResultBodyConsumed:       "Something reads or changes the body before the webhook",
	webhook.ResultTooLarge:           "The body is too large",
	webhook.ResultSlowBody:           "The body came too slowly",
	webhook.ResultAbortedBody:        "The sender hung up",
	webhook.ResultMalformedJSON:      "Signed, but not JSON: see the dead letters",
	webhook.ResultSchema:             "Signed, but not an event that can be recorded: see the dead letters",
	webhook.ResultBusy:               "Too many bodies at once, and this one was the slowest",
	webhook.ResultSecretsUnavailable: "Options.Secrets failed",
	webhook.ResultStore:              "The store failed",
	webhook.ResultShuttingDown:       "The process is about to stop",
	webhook.ResultPanic:              "A function of the app panicked",
}

func reason(r webhook.Result) string { return reasons[r] }
