package storetest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

var transcriptCases = []contractCase{{
	name:  "a late reference leaves the transcript",
	rule:  "filling in a user later leaves the transcript as it is",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queuedAnonymous(t)
		s.finish(t, j, "{}")
		require.False(t, s.record(t, c), "first")
		got, err := s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
		require.Equal(t, "{}", string(got.Body))
		require.Empty(t, s.pending(t))
	},
}, {
	name:  "unknown transcript",
	rule:  "Transcript returns ErrNotFound until a transcript is stored, even while its job is pending",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		_, err := s.Transcript(t.Context(), newID())
		require.ErrorIs(t, err, store.ErrNotFound)
		c, _ := s.queued(t)
		_, err = s.Transcript(t.Context(), c.InterviewID)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
}, {
	name:  "a transcript is stored and its job finished",
	rule:  "SaveTranscript stores the transcript, FinishJob deletes the job",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		want := store.Transcript{InterviewID: c.InterviewID, FetchedAt: base.In(time.FixedZone("", 3600)), Body: []byte(`{"b": 1, "a": 1.10, "b": 2}`)}
		require.NoError(t, s.SaveTranscript(t.Context(), j, want))
		require.NoError(t, s.FinishJob(t.Context(), j))
		got, err := s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
		require.Equal(t, c.InterviewID, got.InterviewID)
		equalTime(t, base, got.FetchedAt, "FetchedAt")
		require.Equal(t, string(want.Body), string(got.Body))
		require.Empty(t, s.pending(t))
		require.Empty(t, s.dead(t))
		require.True(t, s.completed(t, c.Key))
		s.leaseLost(t, j)
	},
}, {
	name:  "odd bodies",
	rule:  "a body is kept byte for byte, whatever the bytes",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		everyByte := make([]byte, 256)
		for i := range everyByte {
			everyByte[i] = byte(i)
		}
		for _, body := range []string{"", "\x00", "\x00a\x00", `{"a":"\u0000"}`, "\xff\xfe", string(everyByte), "  {}\r\n", "'; drop table", "\\x00", "null", strings.Repeat("é", 40_000)} {
			s.roundTrip(t, []byte(body))
		}
	},
}, {
	name:  "a large transcript",
	rule:  "a transcript of 5 MB is kept byte for byte",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		body := make([]byte, 5<<20)
		rand.NewChaCha8([32]byte{}).Read(body)
		s.roundTrip(t, body)
	},
}, {
	name:  "bodies are the caller's own",
	rule:  "a store shares no bytes with its caller, neither those it was given nor those it gives",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		body := []byte("original")
		require.NoError(t, s.SaveTranscript(t.Context(), j, store.Transcript{InterviewID: c.InterviewID, FetchedAt: base, Body: body}))
		for range 2 {
			copy(body, "scribble")
			got, err := s.Transcript(t.Context(), c.InterviewID)
			require.NoError(t, err)
			require.Equal(t, "original", string(got.Body))
			body = got.Body
		}
	},
}}

// roundTrip stores body as the transcript of a new interview and reads it back.
func (s *subject) roundTrip(t *testing.T, body []byte) {
	t.Helper()
	c, j := s.queued(t)
	s.finish(t, j, string(body))
	got, err := s.Transcript(t.Context(), c.InterviewID)
	require.NoError(t, err)
	require.Equal(t, len(body), len(got.Body), "bytes of the body %.20q", body)
	require.True(t, bytes.Equal(body, got.Body), "the body %.20q came back as %.20q", body, got.Body)
}

func transcriptOf(j store.Job, body string) store.Transcript {
	return store.Transcript{InterviewID: j.InterviewID, FetchedAt: base, Body: []byte(body)}
}
