package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/askonce/askonce/userjourneys"
)

const studiesUsage = `Usage: askonce studies

Lists the project's active studies, with the places left this week and this
month. A study that is missing is paused, deleted, or in another project.

The API key is read from USERJOURNEYS_API_KEY.
`

func studies(ctx context.Context, c *call) error {
	if err := c.parse(flag.NewFlagSet("studies", flag.ContinueOnError), studiesUsage); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tRESPONSES\tLEFT THIS WEEK\tLEFT THIS MONTH\tLANGUAGES\tID")
	n, closedByProject := 0, false
	for s, err := range client.Studies(ctx) {
		if err != nil {
			return err
		}
		n++
		responses := "accepting"
		if !s.AcceptingResponses {
			responses = "not accepting"
			closedByProject = closedByProject || left(s.Limits.Weekly) > 0 && left(s.Limits.Monthly) > 0
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(s.Name), responses,
			places(s.Limits.Weekly), places(s.Limits.Monthly), strings.Join(s.SupportedLanguages, ","), printable(s.ID))
	}
	if n == 0 {
		fmt.Fprintln(c.out, "No study is active. Activate one in the provider's dashboard, and check that the key is of its project.")
		return nil
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if closedByProject {
		fmt.Fprintln(c.hints, "\nA study with places left accepts no responses: the project's own monthly limit, which the API does not show, may be used up.")
	}
	return nil
}

// left returns the places left, or 1 if there is no limit.
func left(l *userjourneys.Limit) int {
	if l == nil {
		return 1
	}
	return max(0, l.Limit-l.Used)
}

func places(l *userjourneys.Limit) string {
	if l == nil {
		return "no limit"
	}
	return fmt.Sprintf("%d of %d", left(l), l.Limit)
}

// printable replaces what could move the cursor or break the table.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
