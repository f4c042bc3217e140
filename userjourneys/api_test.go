package userjourneys_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
)

// client has every method of *Client.
type client interface {
	Studies(ctx context.Context) iter.Seq2[userjourneys.Study, error]
	FindStudy(ctx context.Context, idOrName string) (userjourneys.Study, error)
	Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error]
	Interview(ctx context.Context, id string) (userjourneys.Interview, error)
	Webhook(ctx context.Context) (userjourneys.Webhook, error)
	PutWebhook(ctx context.Context, w userjourneys.Webhook) (userjourneys.Webhook, error)
	DeleteWebhook(ctx context.Context) error
}

// Programs compile against these. A conversion to a struct type compiles only
// while its fields, their types and their order stay the same.
var (
	_ client                                                            = (*userjourneys.Client)(nil)
	_ func(string, *userjourneys.Options) (*userjourneys.Client, error) = userjourneys.NewClient
	_ func(userjourneys.Interview) []userjourneys.Turn                  = userjourneys.Interview.Turns
	_ interface{ Is(error) bool }                                       = (*userjourneys.Error)(nil)
	_ error                                                             = (*userjourneys.Error)(nil)
	_                                                                   = struct {
		BaseURL    string
		HTTPClient *http.Client
		MaxRetries int
		Logger     *slog.Logger
	}(userjourneys.Options{})
	_ = struct {
		StatusCode int
		Message    string
		RetryAfter time.Duration
	}(userjourneys.Error{})
	_ = struct {
		URL           string
		Events        []string
		SigningSecret userjourneys.Secret
	}(userjourneys.Webhook{})
)

func TestExportsNothingElse(t *testing.T) {
	t.Parallel()
	require.Equal(t, reflect.TypeFor[client]().NumMethod(), reflect.TypeFor[*userjourneys.Client]().NumMethod())
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var names []string
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			names = append(names, declared(file)...)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !ast.IsExported(name) })
	require.ElementsMatch(t, strings.Fields(`
		NewClient Client Options DefaultBaseURL
		Error ErrUnauthorized ErrNotFound ErrRateLimited ErrAmbiguous ErrTooLarge ErrUnexpectedResponse
		Study Limits Limit
		Interview InterviewFilter Turn StatusStarted StatusProcessing StatusCompleted
		QualityInsightful QualitySuccessful QualityUnsuccessful
		Webhook Secret EventInterviewCompleted CanonicalID`), names)
}

// declared returns the names that a file declares, without those of methods.
func declared(file *ast.File) []string {
	var names []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name.Name)
				case *ast.ValueSpec:
					for _, n := range spec.Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}
