package site

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

// Metrics counts the calls of askonce's hooks, for Prometheus.
type Metrics struct {
	registry   *prometheus.Registry
	decided    *prometheus.CounterVec
	ofStudy    sync.Map // study id → func(gate.Reason) that counts in decided
	prompted   func(middleware.Outcome)
	answered   func(store.InteractionKind)
	delivered  func(webhook.Result)
	progressed func(webhook.Step)
	recorded   prometheus.Counter
	took       prometheus.Histogram
}

func newMetrics() *Metrics {
	r := prometheus.NewRegistry()
	return &Metrics{
		registry: r,
		decided: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "askonce_decisions_total", Help: "Decisions about each study, for page views and for clicks; one page may be several.",
		}, []string{"study", "reason"}),
		prompted:   counter[middleware.Outcome](r, "askonce_prompts_total", "What became of the prompt in responses to users who are asked.", "outcome"),
		answered:   counter[store.InteractionKind](r, "askonce_interactions_total", "What users saw and answered.", "kind"),
		progressed: counter[webhook.Step](r, "askonce_progress_total", "What Handler.Run has done.", "step"),
		delivered:  counter[webhook.Result](r, "askonce_deliveries_total", "Requests to the webhook.", "reason"),
		recorded: promauto.With(r).NewCounter(prometheus.CounterOpts{
			Name: "askonce_completions_total", Help: "Interviews recorded for the first time, delivered or found by reconciliation.",
		}),
		took: promauto.With(r).NewHistogram(prometheus.HistogramOpts{
			Name: "askonce_delivery_seconds", Help: "Time to answer a request to the webhook.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
}

// Decision is for [gate.Options.OnDecision]. The visitor is not a label: there are too many
// of them, and monitoring need not know who they are.
func (m *Metrics) Decision(_ context.Context, _ gate.Visitor, d gate.Decision) {
	count, ok := m.ofStudy.Load(d.StudyID)
	if !ok {
		count, _ = m.ofStudy.LoadOrStore(d.StudyID, series[gate.Reason](m.decided.MustCurryWith(prometheus.Labels{"study": d.StudyID})))
	}
	count.(func(gate.Reason))(d.Reason)
}

// Prompt is for [middleware.Options.OnPrompt].
func (m *Metrics) Prompt(_ *http.Request, _ string, o middleware.Outcome) { m.prompted(o) }

// Interaction is for [middleware.Options.OnInteraction].
func (m *Metrics) Interaction(_ context.Context, e middleware.Event) { m.answered(e.Kind) }

// Progress is for [webhook.Options.OnProgress].
func (m *Metrics) Progress(_ context.Context, p webhook.Progress) { m.progressed(p.Step) }

// Delivery is for [webhook.Options.OnDelivery].
func (m *Metrics) Delivery(_ context.Context, d webhook.Delivery) {
	m.delivered(d.Result)
	m.took.Observe(d.Duration.Seconds())
}

// Recorded is for [webhook.Options.OnRecorded].
func (m *Metrics) Recorded(context.Context, store.Completion) { m.recorded.Inc() }

// Handler serves all series, and the state of the kit at that moment. It is for
// your monitoring, not for the public.
func (m *Metrics) Handler(kit *askonce.Kit) http.Handler {
	m.registry.MustRegister(health{kit.Webhook(), kit.Gates()})
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// enum is an enum of askonce. Its values start at 0 and end before the first one that
// prints as "unknown".
type enum interface {
	~uint8
	String() string
}

// counter returns a counter with a series for each value of the label.
func counter[L enum](r prometheus.Registerer, name, help, label string) func(L) {
	return series[L](promauto.With(r).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label}))
}

// series creates a series of vec, which has one label, for each of its values. A value that
// has not occurred yet is 0 instead of missing, so that a rate sees its first increment.
func series[L enum](vec *prometheus.CounterVec) func(L) {
	var of []prometheus.Counter
	for v := L(0); v.String() != "unknown"; v++ {
		of = append(of, vec.WithLabelValues(v.String()))
	}
	return func(v L) { of[v].Inc() }
}

// health reads the state of askonce whenever Prometheus scrapes.
type health struct {
	hook *webhook.Handler
	ask  *gate.Group
}

const healthTimeout = 2 * time.Second

func gauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("askonce_"+name, help, nil, nil)
}

var (
	storeUp       = gauge("store_up", "1 when the store answers, else 0; the two counts of transcripts are missing then.")
	pending       = gauge("transcripts_pending", "Transcripts that are not fetched yet, at most 1000.")
	dead          = gauge("transcripts_dead", "Transcripts that were given up, at most 1000.")
	oldestPending = gauge("transcripts_oldest_seconds", "How long the oldest pending transcript has waited, 0 when none does.")
	reconciled    = gauge("reconciled_seconds", "How long ago the provider's list was walked without an error; missing before the first time.")
	keyRefused    = gauge("api_key_refused", "1 while the provider refuses the API key, else 0.")
	capacityAge   = gauge("capacity_age_seconds", "Age of the oldest cached study; missing while a study is not cached.")
)

func (health) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeUp, pending, dead, oldestPending, reconciled, keyRefused, capacityAge} {
		descs <- d
	}
}

func (h health) Collect(metrics chan<- prometheus.Metric) {
	set := func(d *prometheus.Desc, v float64) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	is := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	now, err := h.hook.Health(ctx)
	set(storeUp, is(err == nil))
	set(keyRefused, is(now.KeyRefused))
	if err == nil {
		set(pending, float64(now.Pending))
		set(dead, float64(now.Dead))
		waited := 0.0
		if !now.OldestPending.IsZero() {
			waited = time.Since(now.OldestPending).Seconds()
		}
		set(oldestPending, waited)
	}
	if !now.LastReconcile.IsZero() {
		set(reconciled, time.Since(now.LastReconcile).Seconds())
	}
	if age, ok := h.ask.Age(); ok {
		set(capacityAge, age.Seconds())
	}
}
