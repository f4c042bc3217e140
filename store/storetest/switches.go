package storetest

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

func (s *subject) set(t *testing.T, sw store.Switch) {
	t.Helper()
	require.NoError(t, s.SetSwitch(t.Context(), sw), "SetSwitch")
}

func (s *subject) allSwitches(t *testing.T) []store.Switch {
	t.Helper()
	all, err := s.Switches.Switches(t.Context())
	require.NoError(t, err, "Switches")
	for i := range all {
		equalTime(t, all[i].At, all[i].At, "At")
		all[i].At = all[i].At.Truncate(time.Millisecond)
	}
	return all
}

var switchCases = []contractCase{{
	name:  "no switches",
	rule:  "a switch that was never set is not listed",
	needs: switches,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.allSwitches(t))
	},
}, {
	name:  "switches are listed",
	rule:  "Switches returns all switches that were ever set, on and off, ordered by name, with who set them and when",
	needs: switches,
	run: func(t *testing.T, s *subject) {
		study := newID()
		one := store.Switch{Name: store.PauseSwitch(study), On: true, By: "Zoë Øst", At: base}
		all := store.Switch{Name: store.PauseAll, On: false, At: base.Add(time.Hour)}
		lower := store.Switch{Name: store.PauseSwitch("z"), On: true, By: newID(), At: base}
		upper := store.Switch{Name: "Pause", On: true, At: base}
		s.set(t, lower)
		s.set(t, one)
		s.set(t, all)
		s.set(t, upper)
		require.Equal(t, []store.Switch{upper, all, one, lower}, s.allSwitches(t))
	},
}, {
	name:  "the later setting counts",
	rule:  "of two calls for the same name the one with the later At counts, whichever comes first",
	needs: switches,
	run: func(t *testing.T, s *subject) {
		for _, order := range permutations(3) {
			name := newID()
			settings := []store.Switch{
				{Name: name, On: true, By: "ada", At: base},
				{Name: name, On: false, By: "bob", At: base.Add(time.Millisecond)},
				{Name: name, On: true, By: "eve", At: base.Add(time.Hour)},
			}
			for _, i := range order {
				s.set(t, settings[i])
				s.set(t, settings[i])
			}
			require.Contains(t, s.allSwitches(t), settings[2], "set in the order %v", order)
		}
		require.Len(t, s.allSwitches(t), 6)
	},
}, {
	name:  "switches that make no sense",
	rule:  "a name must pass CheckID, and who sets the switch must pass it or be empty",
	needs: switches,
	run: func(t *testing.T, s *subject) {
		refused(t, s.SetSwitch(t.Context(), store.Switch{At: base}), "no name")
		for what, id := range badIDs {
			refused(t, s.SetSwitch(t.Context(), store.Switch{Name: id, At: base}), what)
			refused(t, s.SetSwitch(t.Context(), store.Switch{Name: "pause", By: id, At: base}), what)
		}
		require.Empty(t, s.allSwitches(t))
	},
}, {
	name:  "switches at once",
	rule:  "of concurrent calls, the one with the latest At counts",
	needs: switches,
	run: func(t *testing.T, s *subject) {
		atOnce(50, func(i int) {
			if err := s.SetSwitch(t.Context(), store.Switch{Name: "pause", On: i%2 == 1, At: base.Add(time.Duration(i) * time.Second)}); err != nil {
				t.Errorf("SetSwitch: %v", err)
			}
		})
		require.Equal(t, []store.Switch{{Name: "pause", On: true, At: base.Add(49 * time.Second)}}, s.allSwitches(t))
	},
}}
