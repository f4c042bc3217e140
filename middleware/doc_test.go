package middleware_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// TestAliasesDocumentTheirFields: go doc shows an alias without the fields of the
// internal type behind it, so the comment has to list them.
func TestAliasesDocumentTheirFields(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "prompt.go", nil, parser.ParseComments)
	require.NoError(t, err)
	pkg, err := doc.NewFromFiles(fset, []*ast.File{file}, "github.com/askonce/askonce/middleware")
	require.NoError(t, err)
	docs := map[string]string{}
	for _, typ := range pkg.Types {
		docs[typ.Name] = typ.Doc
	}
	for name, value := range map[string]any{
		"Texts": middleware.Texts{}, "Content": middleware.Content{}, "Notice": middleware.Notice{}, "Sender": middleware.Sender{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			require.Regexp(t, `\b`+regexp.QuoteMeta(field.Name)+`\b`, docs[name], "%s.%s", name, field.Name)
		}
	}
}
