package gate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// TestCompletedBeforeSigningIn has an interview that this browser's anonymous visitor
// completed. It counts for who has signed in if this browser has opened it: not if the
// user has done so elsewhere, because somebody else may have been here.
func TestCompletedBeforeSigningIn(t *testing.T) {
	t.Parallel()
	opened := time.Now().Add(-time.Hour)
	for name, tc := range map[string]struct {
		visitor   gate.Visitor
		elsewhere bool
		is        gate.Reason
	}{
		"opened here":                 {gate.Visitor{AnonymousID: "anonymous-1", History: gate.History{}.WithOpened(studyID, opened)}, false, gate.ReasonCompleted},
		"opened elsewhere":            {gate.Visitor{AnonymousID: "anonymous-1"}, true, gate.ReasonEligible},
		"never opened":                {gate.Visitor{AnonymousID: "anonymous-1"}, false, gate.ReasonEligible},
		"opened by another visitor":   {gate.Visitor{AnonymousID: "anonymous-2", History: gate.History{}.WithOpened(studyID, opened)}, false, gate.ReasonEligible},
		"a browser without a visitor": {gate.Visitor{History: gate.History{}.WithOpened(studyID, opened)}, false, gate.ReasonEligible},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "anonymous-1"}, InterviewID: "i1", CompletedAt: time.Now()})
			require.NoError(t, err)
			if tc.elsewhere {
				require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: studyID, UserID: "ada"}, Kind: store.InteractionOpened, At: opened}))
			}
			g := warmGate(t, newProvider(), s, &gate.Options{OpenedPause: -1, CoolDown: -1})
			tc.visitor.UserID = "ada"
			require.Equal(t, tc.is, g.Decide(t.Context(), tc.visitor).Reason)
		})
	}
}
