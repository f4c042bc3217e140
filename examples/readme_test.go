// Package examples_test holds what the repository's README promises.
package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	return string(b)
}

// TestEveryGoBlockIsAFile sees to it that the README's Go compiles: each block
// is, byte for byte, the file that the comment above it names.
func TestEveryGoBlockIsAFile(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("(?s)<!-- (examples/\\S+\\.go) -->\n```go\n(.*?)```\n").FindAllStringSubmatch(readme(t), -1)
	require.Len(t, named, strings.Count(readme(t), "```go\n"), "a block of Go has no comment that names its file")
	files := map[string]bool{}
	for _, block := range named {
		file, err := os.ReadFile(filepath.Join("..", block[1]))
		require.NoError(t, err)
		require.Equal(t, string(file), block[2], "README differs from %s", block[1])
		files[block[1]] = true
	}
	require.True(t, files["examples/quickstart/main.go"], "README does not show the quickstart")
}

func TestEveryCommandExists(t *testing.T) {
	t.Parallel()
	text := readme(t)
	for _, command := range []string{"go run ./examples/demo\n", "go run ./examples/demo -check\n", "go test work\n"} {
		require.Regexp(t, `(?m)^`+strings.TrimSpace(command)+`( +#.*)?$`, text)
	}
	for _, run := range regexp.MustCompile(`go run \./([\w/]+)((?: -\w+)*)`).FindAllStringSubmatch(text, -1) {
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
		for flag := range strings.FieldsSeq(strings.ReplaceAll(run[2], " -h", "")) { // which every one has
			require.Regexp(t, `flags\.\w+\((&[\w.]+, )?"`+strings.TrimPrefix(flag, "-")+`"`, source.String(), "%s has no %s", run[1], flag)
		}
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, links)
	for _, link := range links {
		if !strings.Contains(link[1], "://") {
			require.FileExists(t, indexOf(filepath.Join("..", link[1])))
		}
	}
}

// indexOf is a file to look for: a folder counts when it holds a package.
func indexOf(path string) string {
	if sources, _ := filepath.Glob(filepath.Join(path, "*.go")); len(sources) > 0 {
		return sources[0]
	}
	return path
}

func TestReadmeStaysShort(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, strings.Count(readme(t), "\n"), 250)
}
