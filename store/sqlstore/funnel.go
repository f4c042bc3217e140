package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

// The kinds that the funnel counts, in the order of its columns.
const (
	shown = iota
	opened
	snoozed
	declined
	completed
	kinds
)

var kindOf = map[store.InteractionKind]int{
	store.InteractionShown: shown, store.InteractionOpened: opened,
	store.InteractionSnoozed: snoozed, store.InteractionDeclined: declined,
}

const (
	addToFunnel = `insert into {prefix}funnel (study_id, day, shown, opened, snoozed, declined, completed) values (?, ?, ?, ?, ?, ?, ?)
		{conflict:study_id, day} shown = {prefix}funnel.shown + {new:shown}, opened = {prefix}funnel.opened + {new:opened},
		snoozed = {prefix}funnel.snoozed + {new:snoozed}, declined = {prefix}funnel.declined + {new:declined},
		completed = {prefix}funnel.completed + {new:completed}`

	selectFunnel = `select day, shown, opened, snoozed, declined, completed from {prefix}funnel where study_id = ? and day >= ? and day < ?`
)

// funnelChange is an addition to a row of the funnel.
type funnelChange struct{ day, kind, by int64 }

// count counts a user who did something in a study. A user counts once, on the
// earliest day.
func (p *person) count(studyID string, kind int, at time.Time) {
	day, first := dayOf(at), &p.study(studyID).firsts[kind]
	if first.Valid && day >= first.V {
		return
	}
	if first.Valid {
		p.funnel = append(p.funnel, funnelChange{first.V, int64(kind), -1})
	}
	p.funnel = append(p.funnel, funnelChange{day, int64(kind), 1})
	*first = sql.Null[int64]{V: day, Valid: true}
}

// countFunnel writes changes in the order of their days, so that transactions do not
// deadlock.
func (q querier) countFunnel(ctx context.Context, studyID string, changes []funnelChange) error {
	slices.SortFunc(changes, func(a, b funnelChange) int { return cmp.Compare(a.day, b.day) })
	for _, c := range changes {
		var add [kinds]int64
		add[c.kind] = c.by
		if _, err := q.exec(ctx, addToFunnel, studyID, c.day, add[shown], add[opened], add[snoozed], add[declined], add[completed]); err != nil {
			return err
		}
	}
	return nil
}

// dayOf returns the number of the UTC day of t since 1970.
func dayOf(t time.Time) int64 { return store.Day(t).Unix() / (24 * 60 * 60) }

// Funnel implements [store.Interactions]. It reads one row for each day.
func (s *Store) Funnel(ctx context.Context, studyID string, from, to time.Time) (days []store.FunnelDay, err error) {
	if err := store.CheckID(studyID); err != nil {
		return nil, err
	}
	counted := map[int64]store.FunnelDay{}
	err = s.run(ctx, "read the funnel", func(q querier) error {
		clear(counted)
		return q.each(ctx, func(rows *sql.Rows) error {
			var day int64
			var f store.FunnelDay
			err := rows.Scan(&day, &f.Shown, &f.Opened, &f.Snoozed, &f.Declined, &f.Completed)
			counted[day] = f
			return err
		}, selectFunnel, studyID, dayOf(from), dayOf(to))
	})
	if err != nil {
		return nil, err
	}
	for day := store.Day(from); day.Before(store.Day(to)); day = day.AddDate(0, 0, 1) {
		f := counted[dayOf(day)]
		f.Day = day
		days = append(days, f)
	}
	return days, nil
}
