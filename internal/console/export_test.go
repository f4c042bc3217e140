package console

import "github.com/askonce/askonce/webhook"

// Advice returns all sentences that the console takes from OPERATIONS.md.
func Advice() (sentences []string) {
	for _, a := range []advice{
		adviceStore, adviceKey, adviceSecret, adviceRefs, adviceNoWebhook, adviceOther, adviceDead, adviceQueue, adviceReconcile, adviceRun, adviceClosed,
		adviceNoStudy, adviceAmbiguous, adviceStudyKey, adviceLink, adviceProvider,
	} {
		sentences = append(sentences, a.Says)
		if a.Do != "" {
			sentences = append(sentences, a.Do)
		}
	}
	return sentences
}

// Reason returns the console's text for a delivery with this result.
func Reason(r webhook.Result) string { return reason(r) }
