// Package examples_test tests what the repository's documents promise.
package examples_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// documents are the files whose code, commands, names and links are checked.
var documents = []string{"README.md", "FIRST-MONTH.md", "OPERATIONS.md", "MIGRATING.md", "CONTRIBUTING.md", "SECURITY.md"}

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", name))
	require.NoError(t, err)
	return string(b)
}

// forEachDocument runs check for each document in a subtest.
func forEachDocument(t *testing.T, check func(t *testing.T, text string)) {
	t.Helper()
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, document(t, name))
		})
	}
}

// TestEveryGoBlockIsPartOfAFile checks that the Go in the documents compiles: but
// for its indentation, each block is a run of lines of the file that the comment
// above it names.
func TestEveryGoBlockIsPartOfAFile(t *testing.T) {
	t.Parallel()
	forEachDocument(t, func(t *testing.T, text string) {
		require.NotRegexp(t, `(?m)^ {4,}\w`, text, "code that is indented, and not fenced, is not looked at")
		named := regexp.MustCompile("(?s)<!-- (\\S+\\.go) -->\n```go\n(.*?)```\n").FindAllStringSubmatch(text, -1)
		require.Len(t, named, strings.Count(text, "```go\n"), "a block of Go has no comment that names its file")
		for _, block := range named {
			require.Contains(t, "\n"+flat(document(t, block[1])), "\n"+flat(block[2]), "it is no part of %s", block[1])
		}
	})
	require.Contains(t, document(t, "README.md"), "```go\n"+document(t, "examples/quickstart/main.go")+"```\n",
		"README does not show the whole quickstart")
}

// flat returns text without the indentation of its lines.
func flat(text string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(text, "")
}

// commands are the ones that the documents give, each with the file that runs it
// in CI and the text to find there.
var commands = []struct{ command, file, as string }{
	{`go run ./examples/demo`, "middleware/acceptance/browser/demo_test.go", `"-addr", "127.0.0.1:0"`},
	{`go run ./examples/demo -check`, ".ci/run", "go run ./examples/demo -check"},
	{`for module in "" /store/redisstore /middleware/askgin /middleware/askechov5 /middleware/askechov4; do`, ".ci/consumer", `eval "$commands"`},
	{`go mod edit -replace="github.com/askonce/askonce$module=../askonce$module"`, ".ci/consumer", `eval "$commands"`},
	{`done`, ".ci/consumer", `eval "$commands"`},
	{`go run ./cmd/askonce fake`, "cmd/askonce/fake_test.go", `[]string{"fake", "-addr", "127.0.0.1:0"`},
	{`USERJOURNEYS_API_KEY=uj_live_… go run ./cmd/askonce setup -url https://your.app/webhooks/userjourneys`,
		"cmd/askonce/setup_test.go", `{args: []string{"setup", "-url", ours}, requests: []string{"GET", "PUT"}`},
	{`USERJOURNEYS_API_KEY=uj_live_… go run ./cmd/askonce setup -url https://your.app/webhooks/userjourneys -replace`,
		"cmd/askonce/setup_test.go", `{args: []string{"setup", "-url", ours, "-replace"}, before: theirs`},
	{`go test work`, ".ci/run", "test_command='go test work'"},
	{`go test -race -shuffle=on work`, ".ci/run", "flags=(-vet=off -race -shuffle=on)"}, // but for acceptance and bench
	{`bash .ci/run`, ".github/workflows/ci.yml", "run: bash .ci/run"},
	{`go run ./examples/bench`, ".ci/run", "go run ./examples/bench"},
}

// byHand matches commands that take too long for CI, and those that only set a
// variable.
var byHand = regexp.MustCompile(`^(export ASKONCE_TEST_|ASKONCE_TEST_LONG=1 |go test \./\.\.\. -run '\^\$' -bench )`)

func TestEveryCommandIsRunInCI(t *testing.T) {
	t.Parallel()
	forEachDocument(t, func(t *testing.T, text string) {
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```\n").FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(block[1]) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "  ") // the comment
				if line == "" {
					continue
				}
				ours := slices.ContainsFunc(commands, func(c struct{ command, file, as string }) bool { return c.command == line })
				require.True(t, ours || byHand.MatchString(line), "nothing runs: %s", line)
			}
		}
	})
	for _, c := range commands {
		require.Contains(t, document(t, c.file), c.as, c.command)
	}
}

// TestEveryProgramHasItsFlags also checks commands that are mentioned in a
// sentence.
func TestEveryProgramHasItsFlags(t *testing.T) {
	t.Parallel()
	forEachDocument(t, func(t *testing.T, text string) {
		for _, run := range regexp.MustCompile("go run \\./([\\w/]+)([^`\n#]*)").FindAllStringSubmatch(text, -1) {
			sources, err := filepath.Glob(filepath.Join("..", run[1], "*.go"))
			require.NoError(t, err)
			require.NotEmpty(t, sources, "%s is no command", run[0])
			if slices.Contains(programs, filepath.Base(run[1])) { // which share their flags
				sources = append(sources, filepath.Join("internal", "site", "site.go"))
			}
			var source strings.Builder
			for _, name := range sources {
				b, err := os.ReadFile(name)
				require.NoError(t, err)
				source.Write(b)
			}
			require.Contains(t, source.String(), "package main")
			for _, name := range regexp.MustCompile(` -([\w-]+)`).FindAllStringSubmatch(run[2], -1) {
				require.Regexp(t, `flag(s)?\.\w+\((&[\w.]+, )?"`+name[1]+`"`, source.String(), "%s has no -%s", run[1], name[1])
			}
		}
	})
}

// prose returns text without its blocks of code.
func prose(text string) string {
	return regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
}

// TestEveryNameExists looks up what is in backticks and looks like an exported
// name: gate.Options.Holdout, Kit.Run or CookieKeys.
func TestEveryNameExists(t *testing.T) {
	t.Parallel()
	names := exportedNames(t)
	name := regexp.MustCompile(`^(?:(?:` + strings.Join(packages, "|") + `)\.)?[A-Z][a-z]\w*(?:\.[A-Z]\w*)*`)
	forEachDocument(t, func(t *testing.T, text string) {
		var unknown []string
		for _, code := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(prose(text), -1) {
			if found := name.FindString(code[1]); found != "" && !names[found] && !slices.Contains(elsewhere, found) {
				unknown = append(unknown, code[1])
			}
		}
		require.Empty(t, unknown, "nothing is called so; what is not askonce's own goes into elsewhere")
	})
}

// packages are the packages whose names the documents use.
var packages = []string{"askonce", "gate", "middleware", "askgin", "askechov5", "askechov4", "store", "memstore", "sqlstore", "redisstore", "storetest",
	"userjourneys", "userjourneystest", "webhook", "webhooktest", "recipes"}

// elsewhere are names of HTTP, Go and go-cache.
var elsewhere = []string{"Cache", "Deprecated", "Expires", "Get", "Host", "Last", "Retry", "Secure"}

// exportedNames returns pkg.Name and pkg.Name.Member of every exported name, and
// their suffixes: Name, Name.Member and Member.
func exportedNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	add := func(parts ...string) {
		for i := range parts {
			names[strings.Join(parts[i:], ".")] = true
		}
	}
	for _, root := range []string{"..", "../middleware", "../store", "../userjourneys", "../webhook", "../examples"} {
		for _, pkg := range packages {
			folder := filepath.Join(root, pkg)
			if pkg == "askonce" {
				folder = ".."
			}
			sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
			require.NoError(t, err)
			for _, source := range sources {
				file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
				require.NoError(t, err)
				ast.Inspect(file, func(n ast.Node) bool {
					return addNames(n, func(parts ...string) { add(append([]string{pkg}, parts...)...) })
				})
			}
		}
	}
	return names
}

// addNames adds what n declares, and reports whether to look inside n.
func addNames(n ast.Node, add func(parts ...string)) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Recv == nil {
			add(n.Name.Name)
			return false
		}
		of := n.Recv.List[0].Type
		if pointer, ok := of.(*ast.StarExpr); ok {
			of = pointer.X
		}
		if of, ok := of.(*ast.Ident); ok {
			add(of.Name, n.Name.Name)
		}
		return false
	case *ast.ValueSpec:
		for _, name := range n.Names {
			add(name.Name)
		}
	case *ast.TypeSpec:
		add(n.Name.Name)
		var fields *ast.FieldList
		switch of := n.Type.(type) {
		case *ast.StructType:
			fields = of.Fields
		case *ast.InterfaceType:
			fields = of.Methods
		default:
			return false
		}
		for _, field := range fields.List {
			for _, name := range field.Names {
				add(n.Name.Name, name.Name)
			}
		}
	}
	return true
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	forEachDocument(t, func(t *testing.T, text string) {
		for _, link := range regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(prose(text), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			target := text
			if link[1] != "" {
				file := indexOf(filepath.Join("..", link[1]))
				require.FileExists(t, file)
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				target = string(b)
			}
			if link[2] != "" {
				require.Regexp(t, `(?mi)^#+ `+strings.ReplaceAll(link[2], "-", "[ -]")+`[?]?$`, target)
			}
		}
	})
}

// indexOf returns a file that must exist: for a folder, one of its package's.
func indexOf(path string) string {
	if sources, _ := filepath.Glob(filepath.Join(path, "*.go")); len(sources) > 0 {
		return sources[0]
	}
	return path
}

func TestReadmeStaysShort(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, strings.Count(document(t, "README.md"), "\n"), 200)
}

// TestWorkflow checks that CI runs .ci/run and has no permission to change
// anything.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Permissions map[string]string
		Jobs        map[string]struct{ Steps []struct{ Run string } }
	}
	require.NoError(t, yaml.Unmarshal([]byte(document(t, ".github/workflows/ci.yml")), &workflow))
	require.Equal(t, map[string]string{"contents": "read"}, workflow.Permissions)
	require.Len(t, workflow.Jobs, 1)
	steps := workflow.Jobs["ci"].Steps
	require.Equal(t, "bash .ci/run", steps[len(steps)-1].Run)
}
