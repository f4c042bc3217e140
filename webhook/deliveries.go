package webhook

import (
	"slices"
	"sync"
	"time"
)

// A Delivery is one request that the [Handler] has answered.
type Delivery struct {
	ReceivedAt time.Time     `json:"received_at"`
	Duration   time.Duration `json:"duration"`
	Result     Result        `json:"result"`
	Size       int           `json:"size"` // bytes of the body that were read

	// InterviewID and StudyID are "" unless the signature is right and the body
	// is an interview.completed.
	InterviewID string `json:"interview_id,omitempty"`
	StudyID     string `json:"study_id,omitempty"`

	// Inspection is what was sent, or nil unless [Options.Inspect] is set.
	Inspection *Inspection `json:"-"`
}

const keptDeliveries = 100

// recorder keeps the last deliveries.
type recorder struct {
	mu   sync.Mutex
	ring [keptDeliveries]Delivery
	n    int // ever
}

func (r *recorder) add(d Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.n%keptDeliveries] = d
	r.n++
}

// Deliveries returns the last 100 requests that this process has answered, the
// newest first. They hold no reference, and no body but that of an [Inspection].
func (h *Handler) Deliveries() []Delivery {
	r := &h.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Delivery
	for i := max(0, r.n-keptDeliveries); i < r.n; i++ {
		out = append(out, r.ring[i%keptDeliveries])
	}
	slices.Reverse(out)
	return out
}
