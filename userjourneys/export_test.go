package userjourneys

// For the fuzz tests.
var (
	RetryAfter = retryAfter
	Message    = message
)
