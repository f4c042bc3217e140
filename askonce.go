package askonce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// Config configures a [Kit]. APIKey, WebhookSecret, Studies, User and Store are
// required. Config is copied by [New], and prints neither keys nor secrets.
type Config struct {
	// APIKey is the key of the provider's project (uj_live_…).
	APIKey string

	// WebhookSecret is the webhook's signing secret (whsec_…). It may be empty
	// only if Webhook.Secrets is set.
	WebhookSecret string

	// Studies are the studies to invite users to, each by its id or its exact
	// name, the most important first. A user sees one prompt at a time: that of
	// the first study whose gate invites the user. Completions of other studies
	// in the same project are ignored.
	Studies []string

	// User returns the app's id of the user who sent the request, or "" for an
	// anonymous visitor. It usually reads the session, and must be safe for
	// concurrent use. Behind an adapter for Gin or Echo it is not called, because
	// the adapter takes a func of its own: it may return "" then.
	User func(*http.Request) string

	// Store keeps who has completed which study. A store with
	// [store.Interactions] also keeps what users saw and answered. Put
	// [store.NewCached] in front of a database so that most pages need no round
	// trip.
	Store store.Store

	// CookieKeys seal the prompt's cookies; see [middleware.Options]. The command
	// "askonce keys" makes them. All replicas need the same keys. Defaults to
	// random keys and a warning, because cookies become unreadable after a
	// restart.
	CookieKeys middleware.Keys

	// References write the user into the interview's link, and read the user from
	// the webhook's deliveries. Defaults to [gate.PlainReferences].
	References gate.References

	// Gate are the options of each study that is not in StudyGates. Those studies
	// share its hooks: Target finds the study in [gate.Visitor], OnDecision in
	// [gate.Decision]. Gate.References must be nil. Defaults to the defaults of
	// [gate.Options].
	Gate *gate.Options

	// StudyGates are the options of studies that need different ones. The key is the
	// id or name in Studies. The options replace Gate entirely, hooks included: to
	// change one field, copy Gate and change the copy. A nil value means the defaults
	// of [gate.Options]. Their References must be nil. Defaults to Gate for every
	// study.
	StudyGates map[string]*gate.Options

	// Middleware are the options of the middleware. Middleware.CookieKeys must be
	// empty. Defaults to the defaults of [middleware.Options].
	Middleware *middleware.Options

	// Webhook are the options of the webhook. Its Client, Studies and References
	// must be unset. Defaults to the defaults of [webhook.Options].
	Webhook *webhook.Options

	// BaseURL is the root of the provider's API. Set it for a fake provider. It must
	// be https, except on a loopback host. Defaults to
	// [userjourneys.DefaultBaseURL].
	BaseURL string

	// Logger is the logger of every part whose options have none. Defaults to
	// [slog.Default].
	Logger *slog.Logger
}

// Format implements [fmt.Formatter]. It prints only the studies.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "askonce.Config for %q", c.Studies) // fmt ignores errors of its writers
}

// MarshalText implements [encoding.TextMarshaler]. It writes what Format prints, for
// JSON and for logs.
func (c Config) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(c)), nil }

// A Kit connects a gate for each study, the middleware that shows their prompts, and the
// webhook that reports completions to them. It is safe for concurrent use.
type Kit struct {
	gates      *gate.Group
	middleware *middleware.Middleware
	webhook    *webhook.Handler
	store      store.Store
	log        *slog.Logger
}

// New returns a Kit. It does not connect to the provider or the store, so an app
// starts while they are down.
//
// The error names every fault of cfg at once. A missing User or Store is one of them: a
// panic, as in the constructors of the parts, would hide the others.
func New(cfg Config) (*Kit, error) {
	faults := cfg.check()
	// Missing fields are in faults by now. Stand-ins let the rest be checked too.
	cfg.Studies = slices.DeleteFunc(slices.Clone(cfg.Studies), func(s string) bool { return s == "" })
	if cfg.Store == nil {
		cfg.Store = memstore.New()
	}
	if cfg.secretMissing() {
		cfg.WebhookSecret = "missing-missing-missing"
	}
	if cfg.User == nil {
		cfg.User = func(*http.Request) string { return "" }
	}
	client, err := userjourneys.NewClient(cmp.Or(cfg.APIKey, "missing"), &userjourneys.Options{BaseURL: cfg.BaseURL, Logger: cfg.Logger})
	faults = append(faults, err)

	// These gates only check the options: each set once, even if several studies use it or none does.
	_, err = gate.New(client, "missing", cfg.Store, cfg.gateOptions(cfg.Gate))
	faults = append(faults, err)
	for _, study := range slices.Sorted(maps.Keys(cfg.StudyGates)) {
		if _, err := gate.New(client, "missing", cfg.Store, cfg.gateOptions(cfg.StudyGates[study])); err != nil {
			faults = append(faults, fmt.Errorf("askonce: Config.StudyGates[%q]: %w", study, err))
		}
	}
	var gates []*gate.Gate
	for _, study := range cfg.Studies {
		opts, own := cfg.StudyGates[study]
		if !own {
			opts = cfg.Gate
		}
		if g, err := gate.New(client, study, cfg.Store, cfg.gateOptions(opts)); err == nil { // the fault is known otherwise
			gates = append(gates, g)
		}
	}
	kit := &Kit{gates: gate.First(gates...), store: cfg.Store, log: cfg.Logger}
	kit.middleware, err = middleware.New(kit.gates, cfg.User, cfg.middlewareOptions())
	faults = append(faults, err)
	kit.webhook, err = webhook.New(cfg.WebhookSecret, cfg.Store, cfg.webhookOptions(client, kit.recorded))
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return kit, nil
}

// recorded is called for every completion that was recorded for the first time.
func (k *Kit) recorded(ctx context.Context, c store.Completion) {
	k.gates.Recorded(ctx, c)
	k.middleware.Recorded(ctx, c)
}

// check returns the faults that the constructors of the parts do not find.
func (c *Config) check() (faults []error) {
	for _, f := range []struct {
		wrong bool
		says  string
	}{
		{c.APIKey == "", "APIKey is empty"},
		{c.secretMissing(), "WebhookSecret is empty"},
		{len(c.Studies) == 0, "Studies is empty: name at least one study"},
		{c.User == nil, "User is nil"},
		{c.Store == nil, "Store is nil"},
		{c.Gate != nil && c.Gate.References != nil, "Gate.References is set: set Config.References instead"},
		{c.Middleware != nil && len(c.Middleware.CookieKeys) > 0, "Middleware.CookieKeys is set: set Config.CookieKeys instead"},
		{c.Webhook != nil && c.Webhook.References != nil, "Webhook.References is set: set Config.References instead"},
		{c.Webhook != nil && len(c.Webhook.Studies) > 0, "Webhook.Studies is set: set Config.Studies instead"},
		{c.Webhook != nil && c.Webhook.Client != nil, "Webhook.Client is set: set Config.APIKey and Config.BaseURL instead"},
	} {
		if f.wrong {
			faults = append(faults, errors.New("askonce: Config."+f.says))
		}
	}
	for i, s := range c.Studies {
		switch {
		case s == "":
			faults = append(faults, fmt.Errorf("askonce: Config.Studies[%d] is empty", i))
		case slices.Index(c.Studies, s) != i:
			faults = append(faults, fmt.Errorf("askonce: Config.Studies names %q twice", s))
		}
	}
	for _, study := range slices.Sorted(maps.Keys(c.StudyGates)) {
		if !slices.Contains(c.Studies, study) {
			faults = append(faults, fmt.Errorf("askonce: Config.StudyGates has %q, which is not in Studies", study))
		}
		if o := c.StudyGates[study]; o != nil && o.References != nil {
			faults = append(faults, fmt.Errorf("askonce: Config.StudyGates[%q].References is set: set Config.References instead", study))
		}
	}
	return faults
}

func (c *Config) secretMissing() bool {
	return c.WebhookSecret == "" && (c.Webhook == nil || c.Webhook.Secrets == nil)
}

// gateOptions returns opts with the fields that all gates share.
func (c *Config) gateOptions(opts *gate.Options) *gate.Options {
	var o gate.Options
	if opts != nil {
		o = *opts
	}
	o.References = c.References
	o.Logger = cmp.Or(o.Logger, c.Logger)
	return &o
}

func (c *Config) middlewareOptions() *middleware.Options {
	var o middleware.Options
	if c.Middleware != nil {
		o = *c.Middleware
	}
	o.CookieKeys = c.CookieKeys
	if o.Interactions == nil {
		if s, ok := store.As[store.Interactions](c.Store); ok {
			o.Interactions = s
		}
	}
	o.Logger = cmp.Or(o.Logger, c.Logger)
	return &o
}

func (c *Config) webhookOptions(client *userjourneys.Client, recorded func(context.Context, store.Completion)) *webhook.Options {
	var o webhook.Options
	if c.Webhook != nil {
		o = *c.Webhook
	}
	o.Client, o.Studies = client, c.Studies
	if c.References != nil { // webhook.References would not be nil otherwise
		o.References = c.References
	}
	if app := o.OnRecorded; app == nil {
		o.OnRecorded = recorded
	} else {
		o.OnRecorded = func(ctx context.Context, c store.Completion) {
			recorded(ctx, c) // first: the app's function may panic
			app(ctx, c)
		}
	}
	o.Logger = cmp.Or(o.Logger, c.Logger)
	return &o
}

// Handler returns a handler that serves next, with the prompt in its pages for
// users who are invited, and that serves the prompt's own endpoints; see
// [middleware.Middleware.Handler]. A nil next panics.
func (k *Kit) Handler(next http.Handler) http.Handler { return k.middleware.Handler(next) }

// Webhook returns the handler of the provider's deliveries. Mount it at the URL
// that is registered with the provider, without a method in the pattern: it
// answers other methods than POST itself.
func (k *Kit) Webhook() *webhook.Handler { return k.webhook }

// Run does the background work until ctx ends, which is not an error. It fetches the
// studies, so that the first pages need not wait for them, and then transcripts, and
// completions whose delivery was lost. Call it in every replica: replicas that share a
// store share the work.
func (k *Kit) Run(ctx context.Context) error {
	var warm sync.WaitGroup
	warm.Go(func() { _ = k.gates.Warm(ctx) }) // the gates log the error and retry
	defer warm.Wait()
	return k.webhook.Run(ctx)
}

// Close makes the webhook answer every further delivery with 503. Call it only if the
// store is closed while the server still runs. A server that is shut down first needs no
// Close, because [http.Server.Shutdown] waits for deliveries in flight. Close does not
// stop Run: end its context.
func (k *Kit) Close() error { return k.webhook.Close() }

// Middleware returns the middleware, for the adapters of web frameworks and for apps that
// mount only its endpoints.
func (k *Kit) Middleware() *middleware.Middleware { return k.middleware }

// Gates returns the gates of all studies, to explain decisions and to report the state of
// the studies.
func (k *Kit) Gates() *gate.Group { return k.gates }
