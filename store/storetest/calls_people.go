package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/askonce/askonce/store"
)

func (c *caller) record() call {
	done := store.Completion{
		Key: c.key(), InterviewID: oneOf(c.Rand, c.interviews...), CompletedAt: c.at(),
		Quality: oneOf(c.Rand, "", "", "successful", "unsuccessful"), Language: oneOf(c.Rand, "", "de"),
		Duration: time.Duration(c.IntN(3)) * time.Minute, Ignored: c.IntN(4) == 0,
		Until: oneOf(c.Rand, time.Time{}, time.Time{}, base, base.AddDate(100, 0, 0)),
	}
	if c.IntN(4) == 0 {
		done.UserID = ""
	}
	return newCall(fmt.Sprintf("Record(%+v)", done),
		func(ctx context.Context, s *subject) (bool, error) { return s.Record(ctx, done) },
		func(m *model, _ bool) (bool, error) { return m.record(done), nil })
}

func (c *caller) completed() call {
	k := c.key()
	return newCall(fmt.Sprintf("Completed(%+v)", k),
		func(ctx context.Context, s *subject) (bool, error) { return s.Completed(ctx, k) },
		func(m *model, _ bool) (bool, error) {
			done, _ := m.completed(k)
			return done, nil
		})
}

func (c *caller) reset() call {
	k := c.key()
	return effect(fmt.Sprintf("Reset(%+v)", k),
		func(ctx context.Context, s *subject) error { return s.Reset(ctx, k) },
		func(m *model) error { m.reset(k); return nil })
}

func (c *caller) erase() call {
	user := oneOf(c.Rand, c.users...)
	return effect(fmt.Sprintf("Erase(%q)", user),
		func(ctx context.Context, s *subject) error { return s.Erase(ctx, user) },
		func(m *model) error { m.erase(user); return nil })
}

func (c *caller) list() call {
	f := store.Filter{StudyID: oneOf(c.Rand, c.studies...), NewestFirst: c.IntN(2) == 0}
	switch c.IntN(5) {
	case 0:
		f.UserID = oneOf(c.Rand, c.users...)
	case 1:
		f.InterviewID = oneOf(c.Rand, c.interviews...)
	case 2:
		f.Quality = "successful"
	case 3:
		f.Since = c.at()
	case 4:
		f.After = &store.Completion{CompletedAt: c.at(), InterviewID: oneOf(c.Rand, c.interviews...)}
	}
	return newCall(fmt.Sprintf("Completions(%+v)", f),
		func(ctx context.Context, s *subject) ([]store.Completion, error) {
			return collect(s.Completions(ctx, f))
		},
		func(m *model, _ []store.Completion) ([]store.Completion, error) { return m.list(f), nil })
}

func (c *caller) note() call {
	n := store.Interaction{Key: c.key(), Kind: store.InteractionKind(c.IntN(int(store.InteractionOptedOut) + 1)), At: c.at()}
	switch n.Kind {
	case store.InteractionOptedOut:
		n.StudyID = ""
	case store.InteractionUndone:
		n.StudyID = oneOf(c.Rand, n.StudyID, "")
	case store.InteractionSnoozed:
		n.Until = n.At.Add(time.Duration(1+c.IntN(2)) * time.Hour)
	}
	return effect(fmt.Sprintf("Note(%+v)", n),
		func(ctx context.Context, s *subject) error { return s.Note(ctx, n) },
		func(m *model) error { m.note(n); return nil })
}

func (c *caller) person() call {
	user := oneOf(c.Rand, c.users...)
	return newCall(fmt.Sprintf("Person(%q)", user),
		func(ctx context.Context, s *subject) (store.Person, error) {
			p, err := s.Person(ctx, user)
			p = tidy(p)
			for i := range p.Studies {
				if !p.Studies[i].ResetAt.IsZero() {
					p.Studies[i].ResetAt = base // only the store knows the time
				}
			}
			return p, err
		},
		func(m *model, _ store.Person) (store.Person, error) { return m.person(user), nil })
}

func (c *caller) funnel() call {
	study, from := oneOf(c.Rand, c.studies...), c.at()
	to := from.AddDate(0, 0, c.IntN(5))
	return newCall(fmt.Sprintf("Funnel(%q, %v, %v)", study, from, to),
		func(ctx context.Context, s *subject) ([]store.FunnelDay, error) {
			return s.Funnel(ctx, study, from, to)
		},
		func(m *model, _ []store.FunnelDay) ([]store.FunnelDay, error) { return m.funnel(study, from, to), nil })
}
