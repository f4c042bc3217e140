package examples_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// The keys and secrets that no printed value may show. Each holds recognised.
const (
	recognised    = "Zebra-Quagga-Okapi"
	printedAPIKey = "uj_live_" + recognised
	printedSecret = "whsec_" + recognised
)

var (
	printedKey   = []byte(recognised + "-32-bytes-long")
	printedBlock = []byte(recognised + "-AES-256-block")
)

// exported holds a value of every exported type, by its name. Values whose
// fields are exported are filled by [fill]; the others are made as an app makes
// them.
func exported(t *testing.T) map[string]any {
	fake := userjourneystest.NewServer(t, nil)
	study := fake.AddStudy(userjourneystest.Study{Name: "Onboarding"})
	signed, err := gate.SignedReferences(printedKey)
	require.NoError(t, err)
	sealed, err := gate.SealedReferences(printedKey, printedBlock)
	require.NoError(t, err)
	client, err := userjourneys.NewClient(printedAPIKey, nil)
	require.NoError(t, err)
	reader, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	discard := slog.New(slog.DiscardHandler)
	asks, err := gate.New(reader, "Onboarding", memstore.New(), &gate.Options{References: signed, Logger: discard})
	require.NoError(t, err)
	require.NoError(t, asks.Warm(t.Context()))
	decision := asks.Decide(t.Context(), gate.Visitor{UserID: "ada"})
	require.True(t, decision.Ask())
	_, err = decision.Prompt.Link()
	require.NoError(t, err)
	cookieKeys := [][]byte{printedKey, printedBlock}
	prompt, err := middleware.New(asks, func(*http.Request) string { return "" }, &middleware.Options{CookieKeys: cookieKeys, Logger: discard})
	require.NoError(t, err)
	hook, err := webhook.New(printedSecret, memstore.New(), &webhook.Options{Client: client, Studies: []string{study.ID}, References: sealed, Logger: discard})
	require.NoError(t, err)
	kit, err := askonce.New(askonce.Config{
		APIKey: printedAPIKey, WebhookSecret: printedSecret, Studies: []string{"Onboarding"}, User: func(*http.Request) string { return "" },
		Store: memstore.New(), CookieKeys: cookieKeys, References: sealed, Logger: discard,
	})
	require.NoError(t, err)
	db, err := sql.Open("pgx", "postgres://askonce:"+recognised+"@127.0.0.1:1/test")
	require.NoError(t, err)
	sqlStore, err := sqlstore.New(db, sqlstore.Postgres, nil)
	require.NoError(t, err)
	redisClient := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", Password: recognised})
	t.Cleanup(func() { require.NoError(t, redisClient.Close()) })
	redisStore, err := redisstore.New(redisClient, nil)
	require.NoError(t, err)

	var registered userjourneys.Webhook
	require.NoError(t, json.Unmarshal([]byte(`{"signing_secret":"`+printedSecret+`"}`), &registered))

	types := map[string]any{}
	for _, v := range []any{
		askonce.Config{References: signed}, kit, askonce.ConsoleParts{Gates: gate.First(asks), Webhook: hook, Store: sqlStore, Middleware: prompt},
		gate.CheckResult{}, decision, gate.Explanation{{}}, asks, gate.First(asks), gate.History{}.WithOptOut(time.Now()),
		gate.Options{References: sealed}, decision.Prompt, gate.ReasonEligible, gate.OccasionPage, gate.Status{}, gate.Visitor{},
		prompt, middleware.Options{}, middleware.Keys{printedKey}, middleware.OutcomeInjected, middleware.Event{}, middleware.SourceApp, middleware.PositionBottomEnd, middleware.Content{}, middleware.Texts{}, middleware.Sender{},
		webhook.Delivery{}, webhook.Progress{}, webhook.StepFetched, hook, webhook.Health{}, webhook.Inspection{}, webhook.Options{References: signed, Client: client}, webhook.ResultAccepted,
		webhook.SecretList{printedSecret}, webhook.Complete(),
		webhooktest.Event{}, webhooktest.Data{},
		store.NewCached(memstore.New(), nil), store.CacheOptions{}, store.Completion{}, store.DeadLetter{}, store.Filter{}, store.Job{}, store.Key{}, store.Transcript{},
		store.Interaction{}, store.InteractionShown, store.Person{}, store.PersonStudy{}, store.FunnelDay{}, store.Switch{}, store.ExpirableTranscripts,
		memstore.New(), storetest.Backend{}, storetest.Hooks{}, sqlStore, sqlstore.Postgres, sqlstore.Options{}, redisStore, redisstore.Options{},
		client, userjourneys.Error{}, userjourneys.Interview{}, userjourneys.InterviewFilter{}, userjourneys.Limit{}, userjourneys.Limits{},
		userjourneys.Options{}, userjourneys.Study{}, registered.SigningSecret, userjourneys.Turn{}, registered,
		fake, userjourneystest.Conditions{}, userjourneystest.Delivery{}, userjourneystest.Fate{}, userjourneystest.Interview{}, userjourneystest.Options{}, userjourneystest.Request{}, userjourneystest.Study{},
	} {
		of := reflect.TypeOf(v)
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		} else {
			filled := reflect.New(of)
			filled.Elem().Set(reflect.ValueOf(v))
			fill(filled.Elem(), "", 3)
			v = filled.Interface()
		}
		types[of.PkgPath()[strings.LastIndex(of.PkgPath(), "/")+1:]+"."+of.Name()] = v
	}
	types["gate.References, signed"], types["gate.References, sealed"] = signed, sealed
	return types
}

var secretField = regexp.MustCompile(`(?i)secret|password|token|keys?$`)

// fill fills every zero field of v. One whose name says that it holds a key or a
// secret gets one that is recognised.
func fill(v reflect.Value, name string, depth int) {
	secret := secretField.MatchString(name)
	if !v.CanSet() || !v.IsZero() && v.Kind() != reflect.Struct || depth == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
		if secret {
			v.SetString(printedSecret)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("bytes"))
			if secret {
				v.SetBytes(printedKey)
			}
			return
		}
		list := reflect.MakeSlice(v.Type(), 2, 2)
		for i := range 2 {
			fill(list.Index(i), name, depth-1)
		}
		v.Set(list)
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && strings.HasPrefix(v.Type().Elem().PkgPath(), "github.com/askonce/") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), name, depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, depth)
		}
	}
}

// TestNothingPrintsASecret prints a value of every exported type in every way
// that an app, a log or a template has.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	values := exported(t)
	t.Run("every exported type is printed", func(t *testing.T) {
		for _, name := range exportedTypes(t) {
			_, ok := values[name]
			require.True(t, ok, "%s is missing in the list of exported", name)
		}
	})
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, out := range prints(v) {
				for encoding, s := range encodings() {
					require.NotContains(t, out, s, "%s shows a secret as %s", how, encoding)
				}
			}
		})
	}
}

// encodings are the forms in which a value may show what is recognised.
func encodings() map[string]string {
	raw := []byte(recognised)[:9]
	return map[string]string{
		"text":        recognised,
		"hex":         hex.EncodeToString([]byte(recognised)),
		"upper hex":   strings.ToUpper(hex.EncodeToString([]byte(recognised))),
		"base64":      base64.StdEncoding.EncodeToString(raw),
		"numbers":     strings.Trim(fmt.Sprint(raw), "[]"),
		"Go's syntax": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", raw), "[]byte{"), "}"),
	}
}

var printed = template.Must(template.New("").Parse(`<p title="{{.}}">{{.}} {{printf "%+v" .}}</p>`))
var scripted = template.Must(template.New("").Parse(`<script>x = {{.}}</script>`))

// prints returns v as it is printed, by how that was done. What cannot be
// printed in some way shows nothing.
func prints(v any) map[string]string {
	out := map[string]string{}
	value := v
	if e := reflect.ValueOf(v); e.Kind() == reflect.Pointer && e.Elem().Kind() == reflect.Struct && e.Elem().NumField() > 0 {
		value = e.Elem().Interface()
	}
	for where, v := range map[string]any{"pointer": v, "value": value, "slice": []any{v, value}, "field": struct{ V, P any }{value, v}, "map": map[string]any{"v": value}} {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			out[where+" by "+verb] = fmt.Sprintf(verb, v)
		}
		b, _ := json.Marshal(v)
		out[where+" as JSON"] = string(b)
		var text, js bytes.Buffer
		for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&text, nil)), slog.New(slog.NewJSONHandler(&js, nil))} {
			log.LogAttrs(context.Background(), slog.LevelInfo, "x", slog.Any("v", v))
		}
		out[where+" in a text log"], out[where+" in a JSON log"] = text.String(), js.String()
		for _, page := range []*template.Template{printed, scripted} {
			var html strings.Builder
			_ = page.Execute(io.MultiWriter(&html), v)
			out[where+" in a template"] += html.String()
		}
	}
	return out
}

// exportedTypes are the names of all exported types but interfaces, of all
// packages that can be imported from outside.
func exportedTypes(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (slices.Contains([]string{"examples", "testdata", "internal", "acceptance", "integration", "cmd"}, entry.Name()) || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			d, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range d.Specs {
				s, ok := s.(*ast.TypeSpec)
				if !ok || !s.Name.IsExported() {
					continue
				}
				pkg := file.Name.Name
				switch of := s.Type.(type) {
				case *ast.InterfaceType:
					continue
				case *ast.SelectorExpr: // an alias of a type of an internal package
					pkg = of.X.(*ast.Ident).Name
				}
				names = append(names, pkg+"."+s.Name.Name)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(names), 40)
	return names
}
