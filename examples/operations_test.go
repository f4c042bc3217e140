package examples_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryLogMessageIsExplained checks that OPERATIONS.md says what every log
// message means and what to do, and lists none that does not exist.
func TestEveryLogMessageIsExplained(t *testing.T) {
	t.Parallel()
	explained := map[string]bool{} // whether it has been seen in the code
	_, section, _ := strings.Cut(document(t, "OPERATIONS.md"), "\n## Log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("`([a-z]+: [^`]+)`").FindAllStringSubmatch(section, -1) {
		require.NotContains(t, explained, m[1], "OPERATIONS.md has it twice")
		explained[m[1]] = false
	}
	messages := logMessages(t, "..")
	require.Greater(t, len(messages), 20)
	for message, where := range messages {
		_, ok := explained[message]
		require.True(t, ok, "OPERATIONS.md does not explain %q, from %s", message, where)
		explained[message] = true
	}
	for message, seen := range explained {
		require.True(t, seen, "nothing logs %q of OPERATIONS.md", message)
	}
}

var logMethods = regexp.MustCompile(`^(Debug|Info|Warn|Error|Log)(Context)?$`)

// logMessages returns all strings that begin with "askonce: " and all literals
// that are passed to a log method, with their files. A string that something is
// appended to ends in "…". Texts of errors are left out.
func logMessages(t *testing.T, root string) map[string]string {
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "examples" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != root):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			var literals []ast.Expr
			switch n := n.(type) {
			case *ast.BasicLit:
				if m := text(n); strings.HasPrefix(m, "askonce: ") {
					literals = append(literals, n)
				}
			case *ast.CallExpr:
				if isError(n) {
					return false
				}
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && logMethods.MatchString(f.Sel.Name) {
					literals = n.Args
				}
			}
			for _, l := range literals {
				m := text(l)
				if strings.HasSuffix(m, " ") {
					m += "…"
				}
				if name, rest, ok := strings.Cut(m, ": "); ok && rest != "" && !strings.Contains(name, " ") {
					found[m] = path
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	return found
}

// isError reports whether the call makes an error, whose text begins like a log
// message.
func isError(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (f.Sel.Name == "Errorf" || f.Sel.Name == "New")
}

// text returns the value of a literal string, or "" for everything else.
func text(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return s
}

// requireEveryQueryFindsSeries looks for each series and label of the queries and
// alarms in OPERATIONS.md in what an app serves. An alarm on a series that does
// not exist never fires.
func requireEveryQueryFindsSeries(t *testing.T, served string) {
	t.Helper()
	_, metrics, _ := strings.Cut(document(t, "OPERATIONS.md"), "\n## Metrics\n")
	metrics, _, _ = strings.Cut(metrics, "\n## ")
	for _, name := range regexp.MustCompile(`askonce_\w+`).FindAllString(metrics, -1) {
		require.Contains(t, served, "# HELP "+name+" ")
	}
	selectors := regexp.MustCompile(`(askonce_\w+)\{(\w+)[=!~]+"([^"]+)"\}`).FindAllStringSubmatch(metrics, -1)
	require.NotEmpty(t, selectors)
	for _, s := range selectors {
		for value := range strings.SplitSeq(s[3], `\|`) { // as a Markdown table writes |
			require.Regexp(t, `(?m)^`+s[1]+`\{(?:.*",)?`+s[2]+`="`+value+`"[,}]`, served)
		}
	}
	sums := regexp.MustCompile(`sum by \(([^)]+)\) \(\w+\((askonce_\w+)`).FindAllStringSubmatch(metrics, -1)
	require.NotEmpty(t, sums)
	for _, s := range sums {
		for label := range strings.SplitSeq(s[1], ", ") {
			require.Regexp(t, `(?m)^`+s[2]+`\{(?:.*",)?`+label+`="`, served)
		}
	}
}
