package console

import (
	"context"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

const funnelDays = 30

// A funnel counts, for each of the last 30 days, the users who did something for
// the first time.
type funnel struct {
	Days  []store.FunnelDay // the oldest first
	Total store.FunnelDay
	Max   int // the largest number of a day
}

func (c *console) funnel(ctx context.Context, studyID string) (*funnel, error) {
	tomorrow := store.Day(time.Now()).AddDate(0, 0, 1)
	days, err := read(ctx, c, func(ctx context.Context, s store.Interactions) ([]store.FunnelDay, error) {
		return s.Funnel(ctx, studyID, tomorrow.AddDate(0, 0, -funnelDays), tomorrow)
	})
	if err != nil {
		return nil, err
	}
	f := &funnel{Days: days[:min(len(days), funnelDays)]}
	for _, d := range f.Days {
		f.Total.Shown += d.Shown
		f.Total.Opened += d.Opened
		f.Total.Snoozed += d.Snoozed
		f.Total.Declined += d.Declined
		f.Total.Completed += d.Completed
		f.Max = max(f.Max, d.Shown, d.Opened, d.Completed)
	}
	return f, nil
}

// A bar is a rectangle of the chart, in the units of its view box: a day is 10 wide,
// and the largest number 100 high.
type bar struct {
	Class               string
	X, Y, Width, Height float64
}

// A column is one day of the chart.
type column struct {
	store.FunnelDay
	Bars []bar
}

// Columns returns the chart: a wide bar of who saw the prompt, in front of it a
// narrower one of who opened the interview, and the narrowest of who completed it.
func (f *funnel) Columns() []column {
	all := make([]column, len(f.Days))
	for i, d := range f.Days {
		all[i].FunnelDay = d
		for _, part := range []struct {
			class string
			n     int
			width float64
		}{{"shown", d.Shown, 8}, {"opened", d.Opened, 5}, {"completed", d.Completed, 2.4}} {
			if part.n <= 0 {
				continue
			}
			height := max(1.5, 100*float64(part.n)/float64(f.Max)) // high enough to be seen
			all[i].Bars = append(all[i].Bars, bar{part.class, 10*float64(i) + (10-part.width)/2, 100 - height, part.width, height})
		}
	}
	return all
}

// Newest returns the days with the newest first, for the table.
func (f *funnel) Newest() []store.FunnelDay {
	days := slices.Clone(f.Days)
	slices.Reverse(days)
	return days
}
