package askonce_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const secret = "whsec_0123456789abcdef0123456789abcdef"

var discard = slog.New(slog.DiscardHandler)

func userHeader(r *http.Request) string { return r.Header.Get("User") }

// valid returns a configuration without faults.
func valid() askonce.Config {
	return askonce.Config{
		APIKey: "uj_live_0123456789", WebhookSecret: secret, Studies: []string{"Onboarding Feedback"},
		User: userHeader, Store: memstore.New(), CookieKeys: [][]byte{make([]byte, 64), make([]byte, 32)}, Logger: discard,
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*askonce.Config)
		says   []string
	}{
		{"nothing is set", func(c *askonce.Config) { *c = askonce.Config{} }, []string{"APIKey", "WebhookSecret", "Studies", "User", "Store"}},
		{"no API key", func(c *askonce.Config) { c.APIKey = "" }, []string{"Config.APIKey is empty"}},
		{"an API key with a line feed", func(c *askonce.Config) { c.APIKey += "\n" }, []string{"userjourneys: "}},
		{"no webhook secret", func(c *askonce.Config) { c.WebhookSecret = "" }, []string{"Config.WebhookSecret is empty"}},
		{"a webhook secret in quotes", func(c *askonce.Config) { c.WebhookSecret = `"` + secret + `"` }, []string{"unusable signing secret"}},
		{"no webhook secret, and options with a fault", func(c *askonce.Config) {
			c.WebhookSecret, c.Webhook = "", &webhook.Options{ReadTimeout: -1}
		}, []string{"Config.WebhookSecret is empty", "ReadTimeout is negative"}},
		{"no webhook secret, but previous ones", func(c *askonce.Config) {
			c.WebhookSecret, c.Webhook = "", &webhook.Options{PreviousSecrets: []string{secret}}
		}, []string{"Config.WebhookSecret is empty"}},
		{"no study", func(c *askonce.Config) { c.Studies = nil }, []string{"Config.Studies is empty"}},
		{"a study without a name", func(c *askonce.Config) { c.Studies = []string{"Checkout", ""} }, []string{"Config.Studies[1] is empty"}},
		{"a study twice", func(c *askonce.Config) { c.Studies = []string{"Checkout", "Checkout"} }, []string{`names "Checkout" twice`}},
		{"no study, and options with a fault", func(c *askonce.Config) { c.Studies, c.Gate = nil, &gate.Options{Holdout: 7} },
			[]string{"Config.Studies is empty", "gate: Holdout is 7"}},
		{"two studies, and options with a fault", func(c *askonce.Config) {
			c.Studies, c.Gate = []string{"Checkout", "Onboarding"}, &gate.Options{Holdout: 7}
		}, []string{"gate: Holdout is 7"}},
		{"options of a study with a fault", func(c *askonce.Config) {
			c.StudyGates = map[string]*gate.Options{"Onboarding Feedback": {Holdout: 7}}
		}, []string{`Config.StudyGates["Onboarding Feedback"]: gate: Holdout is 7`}},
		{"options of every study, and Gate with a fault", func(c *askonce.Config) {
			c.Gate, c.StudyGates = &gate.Options{Holdout: 7}, map[string]*gate.Options{"Onboarding Feedback": nil}
		}, []string{"gate: Holdout is 7"}},
		{"options of unknown studies", func(c *askonce.Config) {
			c.StudyGates = map[string]*gate.Options{"onboarding feedback": nil, "": {Timeout: -1}}
		}, []string{`StudyGates has "", which is not in Studies`, `StudyGates has "onboarding feedback", which is not in Studies`, `Config.StudyGates[""]: gate: Timeout`}},
		{"references of a study", func(c *askonce.Config) {
			c.StudyGates = map[string]*gate.Options{"Onboarding Feedback": {References: gate.PlainReferences()}}
		}, []string{`StudyGates["Onboarding Feedback"].References is set`}},
		{"no user", func(c *askonce.Config) { c.User = nil }, []string{"Config.User is nil"}},
		{"no store", func(c *askonce.Config) { c.Store = nil }, []string{"Config.Store is nil"}},
		{"half a pair of cookie keys", func(c *askonce.Config) { c.CookieKeys = c.CookieKeys[:1] }, []string{"CookieKeys"}},
		{"an API that is not encrypted", func(c *askonce.Config) { c.BaseURL = "http://provider.example" }, []string{"base URL must be https"}},
		{"an API that is not encrypted, and no key for it", func(c *askonce.Config) { c.APIKey, c.BaseURL = "", "http://provider.example" },
			[]string{"Config.APIKey is empty", "base URL must be https"}},
		{"options of every part", func(c *askonce.Config) {
			c.Gate = &gate.Options{Timeout: -1}
			c.Middleware = &middleware.Options{Position: 9}
			c.Webhook = &webhook.Options{ReadTimeout: -1}
		}, []string{"Timeout is negative", "Position is 9", "ReadTimeout is negative"}},
		{"words that panic", func(c *askonce.Config) {
			c.Middleware = &middleware.Options{Texts: func(string, string, middleware.Texts) middleware.Texts { panic("of the app") }}
		}, []string{"Texts: panic"}},
		{"what is set twice", func(c *askonce.Config) {
			c.Gate = &gate.Options{References: gate.PlainReferences()}
			c.Middleware = &middleware.Options{CookieKeys: c.CookieKeys}
			c.Webhook = &webhook.Options{References: gate.PlainReferences(), Studies: []string{"x"}, Client: &userjourneys.Client{}}
		}, []string{"Gate.References", "Middleware.CookieKeys", "Webhook.References", "Webhook.Studies", "Webhook.Client"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			tc.change(&cfg)
			kit, err := askonce.New(cfg)
			require.Nil(t, kit)
			require.Error(t, err)
			for _, fault := range tc.says {
				require.ErrorContains(t, err, fault)
			}
			require.NotContains(t, err.Error(), "0123456789", "a key or a secret")
			if faults := strings.Count(err.Error(), "\n") + 1; tc.name != "nothing is set" {
				require.Equal(t, len(tc.says), faults, "a fault is named twice: %v", err)
			}
		})
	}
	_, err := askonce.New(valid())
	require.NoError(t, err)
}

func TestSecretsMayComeFromTheWebhookOptions(t *testing.T) {
	t.Parallel()
	cfg := valid()
	cfg.WebhookSecret = ""
	cfg.Webhook = &webhook.Options{Secrets: func(context.Context) ([]string, error) { return []string{secret}, nil }}
	_, err := askonce.New(cfg)
	require.NoError(t, err)
}

func TestNewCopiesTheConfig(t *testing.T) {
	t.Parallel()
	app := newApp(t, func(c *askonce.Config) {
		c.Gate = &gate.Options{Timeout: 10 * time.Second}
		c.Webhook = &webhook.Options{}
	})
	app.cfg.Studies[0] = "Another"
	app.cfg.CookieKeys[0] = nil
	app.cfg.Gate.Target = func(context.Context, gate.Visitor) bool { return false }
	app.run()
	app.requirePrompt("ada", "Checkout")
	require.Nil(t, app.cfg.Webhook.OnRecorded, "the caller's options have been changed")
}

// app is a kit that is connected to a fake provider.
type app struct {
	*testing.T
	cfg      askonce.Config
	kit      *askonce.Kit
	fake     *userjourneystest.Server
	checkout userjourneystest.Study
	staging  userjourneystest.Study
	url      string
}

// newApp starts an app for the study "Checkout". Another app uses the study "Staging" of
// the same project.
func newApp(t *testing.T, change func(*askonce.Config)) *app {
	a := &app{T: t, fake: userjourneystest.NewServer(t, nil), cfg: valid()}
	a.checkout = a.fake.AddStudy(userjourneystest.Study{Name: "Checkout"})
	a.staging = a.fake.AddStudy(userjourneystest.Study{Name: "Staging"})
	a.cfg.APIKey, a.cfg.BaseURL, a.cfg.WebhookSecret = a.fake.APIKey(), a.fake.BaseURL(), a.fake.Secret()
	a.cfg.Studies = []string{"Checkout"}
	a.cfg.Gate = &gate.Options{Timeout: 10 * time.Second}
	if change != nil {
		change(&a.cfg)
	}
	var err error
	a.kit, err = askonce.New(a.cfg)
	require.NoError(t, err)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><body><h1>Home</h1></body></html>"))
	})
	mux.Handle("/webhooks/userjourneys", a.kit.Webhook())
	server := httptest.NewServer(a.kit.Handler(mux))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// register creates the webhook at the provider, as an operator does once.
func (a *app) register() {
	client, err := userjourneys.NewClient(a.fake.APIKey(), &userjourneys.Options{BaseURL: a.fake.BaseURL()})
	require.NoError(a, err)
	_, err = client.PutWebhook(a.Context(), userjourneys.Webhook{URL: a.url + "/webhooks/userjourneys"})
	require.NoError(a, err)
}

// run runs the kit until the test ends.
func (a *app) run() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.kit.Run(ctx) }()
	a.Cleanup(func() {
		stop()
		require.NoError(a, <-ended)
	})
}

// page returns the response to a new browser's request for /.
func (a *app) page(user string) string { return a.get("/", user).Body.String() }

func (a *app) get(path, user string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("User", user)
	w := httptest.NewRecorder()
	a.kit.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><body><h1>Home</h1></body></html>"))
	})).ServeHTTP(w, r)
	return w
}

func (a *app) requirePrompt(user, study string) {
	a.Helper()
	d := a.kit.Gates().Decide(a.Context(), gate.Visitor{UserID: user})
	require.Equal(a, gate.ReasonEligible, d.Reason, "%v", d.Err)
	require.Equal(a, study, d.Prompt.StudyName)
	require.Contains(a, a.page(user), `class="askonce"`)
}

// reference clicks the prompt and returns the reference in the interview's link.
func (a *app) reference(user string) string {
	a.Helper()
	w := a.get("/askonce/start?study="+url.QueryEscape(a.checkout.ID), user)
	require.Equal(a, http.StatusSeeOther, w.Code)
	link, err := url.Parse(w.Header().Get("Location"))
	require.NoError(a, err)
	return link.Query().Get("reference_id")
}

func (a *app) completed(study, user string) bool {
	done, err := a.cfg.Store.Completed(context.Background(), store.Key{StudyID: study, UserID: user})
	return err == nil && done
}

func (a *app) eventually(is func() bool, what string) {
	a.Helper()
	require.Eventually(a, is, 20*time.Second, 10*time.Millisecond, what)
}

func TestAUserIsInvitedOnce(t *testing.T) {
	t.Parallel()
	var recorded, completed atomic.Int32
	refs, err := gate.SignedReferences([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	a := newApp(t, func(c *askonce.Config) {
		c.References = refs
		c.Webhook = &webhook.Options{OnRecorded: func(context.Context, store.Completion) {
			recorded.Add(1)
			panic("of the app")
		}}
		c.Middleware = &middleware.Options{OnInteraction: func(_ context.Context, e middleware.Event) {
			if e.Kind == store.InteractionCompleted && e.UserID == "ada" && e.StudyID != "" && e.Source == middleware.SourceWebhook {
				completed.Add(1)
			}
		}}
	})
	a.register()
	a.run()
	a.requirePrompt("ada", "Checkout")
	require.NotContains(t, a.page(""), `class="askonce"`, "nobody is signed in")

	reference := a.reference("ada")
	require.NotEqual(t, "ada", reference, "the references are signed")
	a.fake.FinishInterview(a.checkout.ID, userjourneystest.Interview{ReferenceID: reference})
	a.eventually(func() bool { return a.completed(a.checkout.ID, "ada") }, "the completion")
	require.NotContains(t, a.page("ada"), `class="askonce"`)
	a.requirePrompt("bob", "Checkout")
	a.eventually(func() bool { return recorded.Load() == 1 }, "the app's OnRecorded")
	require.EqualValues(t, 1, completed.Load(), "the middleware's OnInteraction")
}

// A lost delivery is found through the provider's list, of which only the interviews of
// the configured studies are recorded.
func TestRunFindsCompletionsOfItsOwnStudies(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	a.fake.FinishInterview(a.staging.ID, userjourneystest.Interview{ReferenceID: "ada"})
	a.fake.FinishInterview(a.checkout.ID, userjourneystest.Interview{ReferenceID: "ada"})
	a.run()
	a.eventually(func() bool { return a.completed(a.checkout.ID, "ada") }, "the completion")
	require.False(t, a.completed(a.staging.ID, "ada"))
	for _, r := range a.fake.Requests() {
		require.NotContains(t, r.Query, a.staging.ID, "another app's study is walked")
	}
}

func TestDeliveriesOfOtherStudiesAreIgnored(t *testing.T) {
	t.Parallel()
	var results []webhook.Result
	a := newApp(t, func(c *askonce.Config) {
		c.Webhook = &webhook.Options{OnDelivery: func(_ context.Context, d webhook.Delivery) { results = append(results, d.Result) }}
	})
	for _, study := range []userjourneystest.Study{a.staging, a.checkout} {
		e := webhooktest.Completed("ada")
		e.Data.StudyID, e.Data.StudyName = study.ID, study.Name
		a.kit.Webhook().ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(a.cfg.WebhookSecret, e))
	}
	require.Equal(t, []webhook.Result{webhook.ResultOtherStudy, webhook.ResultAccepted}, results)
}

// A completion may have taken the last place.
func TestACompletionRefetchesTheStudy(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	require.NoError(t, a.kit.Gates().Warm(t.Context()))
	a.fake.SetAccepting(a.checkout.ID, false)
	a.requirePrompt("bob", "Checkout")
	e := webhooktest.Completed("ada")
	e.Data.StudyID, e.Data.StudyName = a.checkout.ID, a.checkout.Name
	a.kit.Webhook().ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(a.cfg.WebhookSecret, e))
	a.eventually(func() bool { return !strings.Contains(a.page("bob"), `class="askonce"`) }, "no prompt for a full study")
}

func TestStudiesAreAskedForByPriority(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *askonce.Config) { c.Studies = []string{"Checkout", "Staging"} })
	a.run()
	a.requirePrompt("ada", "Checkout")
	_, err := a.cfg.Store.Record(t.Context(), store.Completion{
		Key: store.Key{StudyID: a.checkout.ID, UserID: "ada"}, InterviewID: "i1", CompletedAt: time.Now().AddDate(0, 0, -7), // longer ago than CoolDown
	})
	require.NoError(t, err)
	require.Contains(t, a.page("ada"), "/askonce/start?study="+a.staging.ID)
}

// TestStudiesMayHaveOptionsOfTheirOwn gives one study options that replace those of the
// others.
func TestStudiesMayHaveOptionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	refs, err := gate.SignedReferences([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	var told atomic.Int32
	a := newApp(t, func(c *askonce.Config) {
		c.Studies, c.References = []string{"Checkout", "Staging"}, refs
		c.Gate.OnDecision = func(_ context.Context, _ gate.Visitor, d gate.Decision) { told.Add(1) }
		own := *c.Gate
		own.Holdout, own.OnDecision = 1, nil
		c.StudyGates = map[string]*gate.Options{"Checkout": &own}
	})
	clear(a.cfg.StudyGates) // it is not used after New
	require.NoError(t, a.kit.Gates().Warm(t.Context()))
	d := a.kit.Gates().Decide(t.Context(), gate.Visitor{UserID: "ada"})
	require.Equal(t, a.staging.ID, d.StudyID, "the first study invites nobody")
	require.True(t, d.Ask())
	require.EqualValues(t, 1, told.Load(), "the options of one study are not Gate's")
	d = a.kit.Gates().Decide(t.Context(), gate.Visitor{UserID: "ada", StudyID: a.checkout.ID, Preview: true})
	require.True(t, d.Ask())
	link, err := a.kit.Gates().Confirm(t.Context(), gate.Visitor{UserID: "ada", StudyID: a.checkout.ID}).Prompt.Link()
	require.NoError(t, err)
	require.NotContains(t, link, "reference_id=ada", "the references are everybody's")
}

// An answer in one browser counts in another.
func TestAnswersFollowTheUser(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	a.requirePrompt("ada", "Checkout")
	r := httptest.NewRequest(http.MethodPost, "/askonce/decline?study="+a.checkout.ID, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User", "ada")
	a.kit.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	require.Equal(t, gate.ReasonDeclined, a.kit.Gates().Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	require.NotContains(t, a.page("ada"), `class="askonce"`)
	a.requirePrompt("bob", "Checkout")
}

func TestCloseRefusesDeliveries(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	require.NoError(t, a.kit.Close())
	w := httptest.NewRecorder()
	a.kit.Webhook().ServeHTTP(w, webhooktest.NewRequest(a.cfg.WebhookSecret, webhooktest.Completed("ada")))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}

func TestThePartsShareTheLogger(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cfg := valid()
	cfg.CookieKeys, cfg.Logger = nil, slog.New(slog.NewTextHandler(&out, nil))
	_, err := askonce.New(cfg)
	require.NoError(t, err)
	require.Contains(t, out.String(), "no CookieKeys")
}

func TestAppsWithoutPagesMountTheEndpoints(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/askonce/decision", nil)
	r.Header.Set("User", "ada")
	w := httptest.NewRecorder()
	a.kit.Middleware().Endpoints().ServeHTTP(w, r)
	var decision struct{ Ask bool }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &decision))
	require.True(t, decision.Ask)
}

type panickingStore struct{ store.Store }

func (panickingStore) Completed(context.Context, store.Key) (bool, error) { panic("of the store") }
func (panickingStore) Record(context.Context, store.Completion) (bool, error) {
	panic("of the store")
}

// TestPanicsOfTheAppCostOneItem gives the kit an app whose functions panic: the
// pages are served, and the background work goes on.
func TestPanicsOfTheAppCostOneItem(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*askonce.Config){
		"Store":      func(c *askonce.Config) { c.Store = panickingStore{} },
		"References": func(c *askonce.Config) { c.References = panickingReferences{} },
		"Target": func(c *askonce.Config) {
			c.Gate.Target = func(context.Context, gate.Visitor) bool { panic("of the app") }
		},
		"User": func(c *askonce.Config) { c.User = func(*http.Request) string { panic("of the app") } },
		"OnPrompt": func(c *askonce.Config) {
			c.Middleware = &middleware.Options{OnPrompt: func(*http.Request, string, middleware.Outcome) { panic("of the app") }}
		},
		"OnDecision": func(c *askonce.Config) {
			c.Gate.OnDecision = func(context.Context, gate.Visitor, gate.Decision) { panic("of the app") }
		},
		"Policy": func(c *askonce.Config) {
			c.Webhook = &webhook.Options{Policy: func(store.Completion) webhook.Verdict { panic("of the app") }}
		},
		"OnCompleted": func(c *askonce.Config) {
			c.Webhook = &webhook.Options{OnCompleted: func(context.Context, store.Completion, store.Transcript) error { panic("of the app") }}
		},
		"OnDelivery": func(c *askonce.Config) {
			c.Webhook = &webhook.Options{OnDelivery: func(context.Context, webhook.Delivery) { panic("of the app") }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, change)
			a.register()
			a.run()
			require.Contains(t, a.page("ada"), "<h1>Home</h1>")
			a.fake.FinishInterview(a.checkout.ID, userjourneystest.Interview{ReferenceID: "ada"})
			a.eventually(func() bool { return len(a.fake.Deliveries()) == 1 }, "the delivery")
			require.NoError(t, a.fake.Deliveries()[0].Err, "the connection was cut")
			require.Contains(t, a.page("ada"), "<h1>Home</h1>")
			require.Contains(t, a.page("bob"), "<h1>Home</h1>")
		})
	}
}

type panickingReferences struct{}

func (panickingReferences) Reference(store.Key) (string, error)   { panic("of the app") }
func (panickingReferences) UserID(string, string) (string, error) { panic("of the app") }
