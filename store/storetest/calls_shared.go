package storetest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

func (c *caller) letter() call {
	body := oneOf(c.Rand, c.interviews...) + oneOf(c.Rand, "", "\x00")
	sum := sha256.Sum256([]byte(body))
	id := hex.EncodeToString(sum[:])
	switch c.IntN(3) {
	case 0:
		d := store.DeadLetter{ReceivedAt: c.at(), Reason: oneOf(c.Rand, "not JSON", "no study"), Body: []byte(body)}
		return effect(fmt.Sprintf("AddDeadLetter(%+v)", d),
			func(ctx context.Context, s *subject) error { return s.AddDeadLetter(ctx, d) },
			func(m *model) error {
				kept := d
				kept.ID = id
				if _, known := m.letters[id]; !known {
					m.letters[id] = kept
				}
				return nil
			})
	case 1:
		return effect(fmt.Sprintf("DeleteDeadLetter(%q)", id),
			func(ctx context.Context, s *subject) error { return s.DeleteDeadLetter(ctx, id) },
			func(m *model) error {
				if _, known := m.letters[id]; !known {
					return store.ErrNotFound
				}
				delete(m.letters, id)
				return nil
			})
	default:
		mine := func(d store.DeadLetter) bool {
			return c.alone || slices.Contains(c.interviews, strings.TrimSuffix(string(d.Body), "\x00"))
		}
		return newCall("DeadLetters()",
			func(ctx context.Context, s *subject) ([]store.DeadLetter, error) {
				all, err := collect(s.DeadLetters.DeadLetters(ctx))
				return slices.DeleteFunc(all, func(d store.DeadLetter) bool { return !mine(d) }), err
			},
			func(m *model, _ []store.DeadLetter) ([]store.DeadLetter, error) {
				return slices.SortedFunc(maps.Values(m.letters), func(a, b store.DeadLetter) int {
					return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
				}), nil
			})
	}
}

func (c *caller) checkpoint() call {
	name, holder := oneOf(c.Rand, c.studies...), oneOf(c.Rand, c.users...)
	state, lease := oneOf(c.Rand, "", "page 2", "日本"), c.lease()
	save := func(m *model, running bool) error {
		if m.checkpoints[name].holder != holder {
			return store.ErrLeaseLost
		}
		m.checkpoints[name] = modelCheckpoint{holder, state, running}
		return nil
	}
	switch c.IntN(3) {
	case 0:
		type acquired struct {
			state string
			ok    bool
		}
		return newCall(fmt.Sprintf("Acquire(%q, %q, %v)", name, holder, lease),
			func(ctx context.Context, s *subject) (acquired, error) {
				state, ok, err := s.Acquire(ctx, name, holder, lease)
				if !ok {
					state = "" // the contract says nothing about it
				}
				return acquired{state, ok}, err
			},
			func(m *model, _ acquired) (acquired, error) {
				had := m.checkpoints[name]
				if had.running && had.holder != holder {
					return acquired{}, nil
				}
				m.checkpoints[name] = modelCheckpoint{holder, had.state, lease > 0}
				return acquired{had.state, true}, nil
			})
	case 1:
		return effect(fmt.Sprintf("Save(%q, %q, %q, %v)", name, holder, state, lease),
			func(ctx context.Context, s *subject) error { return s.Save(ctx, name, holder, state, lease) },
			func(m *model) error { return save(m, lease > 0) })
	default:
		return effect(fmt.Sprintf("Release(%q, %q, %q)", name, holder, state),
			func(ctx context.Context, s *subject) error { return s.Release(ctx, name, holder, state) },
			func(m *model) error { return save(m, false) })
	}
}

func (c *caller) flip() call {
	sw := store.Switch{
		Name: oneOf(c.Rand, store.PauseAll, store.PauseSwitch("study"), store.PauseSwitch("Study ")),
		On:   c.IntN(2) == 0, By: oneOf(c.Rand, "", "ada"),
		At: base.Add(time.Duration(c.Int64N(1e9)) * time.Second), // rarely the same one twice
	}
	if c.IntN(2) == 0 {
		return newCall("Switches()",
			func(ctx context.Context, s *subject) ([]store.Switch, error) {
				return s.Switches.Switches(ctx)
			},
			func(m *model, _ []store.Switch) ([]store.Switch, error) {
				return slices.SortedFunc(maps.Values(m.switches), func(a, b store.Switch) int { return strings.Compare(a.Name, b.Name) }), nil
			})
	}
	return effect(fmt.Sprintf("SetSwitch(%+v)", sw),
		func(ctx context.Context, s *subject) error { return s.SetSwitch(ctx, sw) },
		func(m *model) error {
			if had, known := m.switches[sw.Name]; !known || !sw.At.Before(had.At) {
				m.switches[sw.Name] = sw
			}
			return nil
		})
}
