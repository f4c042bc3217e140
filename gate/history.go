package gate

// History is what a visitor has seen of prompts so far.
type History struct{}
