package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestContractCases lists the cases and the sentences that they check. Run it with -v
// to read them.
func TestContractCases(t *testing.T) {
	t.Parallel()
	seen, n := map[string]bool{}, 0
	list := func(group, name, rule string, needs capability) {
		t.Helper()
		n++
		require.False(t, seen[group+name], "two cases of the name %q in %s", name, group)
		seen[group+name] = true
		require.NotEmpty(t, strings.TrimSpace(rule), name)
		wants := ""
		if needs != 0 {
			wants = " (" + needs.String() + ")"
		}
		t.Logf("%3d %s/%s%s: %s", n, group, name, wants, rule)
	}
	for _, g := range groups {
		for _, c := range g.cases {
			list(g.name, c.name, c.rule, c.needs)
		}
	}
	for _, c := range sharedCases {
		list("shared", c.name, c.rule, c.needs)
	}
	for _, c := range damageCases {
		list("damaged", c.name, c.rule, c.needs)
	}
	require.GreaterOrEqual(t, n, 166)
}
