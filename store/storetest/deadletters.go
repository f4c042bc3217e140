package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

func letterID(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// letters lists the dead letters.
func (s *subject) letters(t *testing.T) []store.DeadLetter {
	t.Helper()
	all, err := collect(s.DeadLetters.DeadLetters(t.Context()))
	require.NoError(t, err, "DeadLetters")
	return all
}

// addLetter adds a dead letter that was received some time after base.
func (s *subject) addLetter(t *testing.T, after time.Duration, body, reason string) {
	t.Helper()
	d := store.DeadLetter{ReceivedAt: base.Add(after), Reason: reason, Body: []byte(body)}
	require.NoError(t, s.AddDeadLetter(t.Context(), d), "AddDeadLetter")
}

var deadLetterCases = []contractCase{{
	name:  "no dead letters",
	rule:  "there are none at first; deleting an unknown one returns ErrNotFound",
	needs: deadLetters,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.letters(t))
		require.ErrorIs(t, s.DeleteDeadLetter(t.Context(), letterID(newID())), store.ErrNotFound)
	},
}, {
	name:  "dead letters are kept",
	rule:  "a dead letter is kept with its time, its reason and the hex SHA-256 of its body as ID, oldest first",
	needs: deadLetters,
	run: func(t *testing.T, s *subject) {
		s.addLetter(t, 2*time.Second, "second", "no study")
		s.addLetter(t, 3*time.Second, "third", "")
		s.addLetter(t, time.Second, "first", "bad time")
		got := s.letters(t)
		require.Len(t, got, 3)
		for i, want := range []struct{ body, reason string }{{"first", "bad time"}, {"second", "no study"}, {"third", ""}} {
			require.Equal(t, want.body, string(got[i].Body))
			require.Equal(t, want.reason, got[i].Reason)
			require.Equal(t, letterID(want.body), got[i].ID)
			equalTime(t, base.Add(time.Duration(i+1)*time.Second), got[i].ReceivedAt, "ReceivedAt")
		}
	},
}, {
	name:  "the same body twice",
	rule:  "the same body twice is kept once, as it was added first",
	needs: deadLetters,
	run: func(t *testing.T, s *subject) {
		s.addLetter(t, 0, "body", "first reason")
		s.addLetter(t, time.Hour, "body", "second reason")
		s.addLetter(t, time.Hour, "Body", "another")
		got := s.letters(t)
		require.Len(t, got, 2)
		require.Equal(t, "first reason", got[0].Reason)
		equalTime(t, base, got[0].ReceivedAt, "ReceivedAt")
	},
}, {
	name:  "dead letters are deleted",
	rule:  "DeleteDeadLetter removes one letter, once; the same body is kept again when it is added again",
	needs: deadLetters,
	run: func(t *testing.T, s *subject) {
		s.addLetter(t, 0, "gone", "")
		s.addLetter(t, 0, "stays", "")
		require.NoError(t, s.DeleteDeadLetter(t.Context(), letterID("gone")))
		require.ErrorIs(t, s.DeleteDeadLetter(t.Context(), letterID("gone")), store.ErrNotFound)
		got := s.letters(t)
		require.Len(t, got, 1)
		require.Equal(t, "stays", string(got[0].Body))
		s.addLetter(t, time.Second, "gone", "again")
		require.Len(t, s.letters(t), 2)
	},
}, {
	name:  "bodies of dead letters",
	rule:  "a body is kept byte for byte, and the store shares no memory with its caller",
	needs: deadLetters,
	run: func(t *testing.T, s *subject) {
		bodies := []string{"", "\x00", "\xff\xfe", `{"a":"\u0000"}`, string(bytes.Repeat([]byte("long"), 1<<18))}
		for i, body := range bodies {
			d := store.DeadLetter{ReceivedAt: base.Add(time.Duration(i) * time.Second), Reason: "odd", Body: []byte(body)}
			require.NoError(t, s.AddDeadLetter(t.Context(), d))
			for i := range d.Body {
				d.Body[i] = 'x'
			}
		}
		for range 2 {
			got := s.letters(t)
			require.Len(t, got, len(bodies))
			for i, d := range got {
				require.Equal(t, letterID(bodies[i]), d.ID)
				require.True(t, string(d.Body) == bodies[i], "body %.20q came back as %.20q", bodies[i], d.Body)
				for i := range d.Body {
					d.Body[i] = 'x'
				}
			}
		}
	},
}, {
	name:  "deleting while listing",
	rule:  "a consumer may delete dead letters while they are listed",
	needs: deadLetters,
	run: func(t *testing.T, s *subject) {
		for i := range 5 {
			s.addLetter(t, time.Duration(i)*time.Second, newID(), "")
		}
		for d, err := range s.DeadLetters.DeadLetters(t.Context()) {
			require.NoError(t, err)
			require.NoError(t, s.DeleteDeadLetter(t.Context(), d.ID))
		}
		require.Empty(t, s.letters(t))
	},
}}
