package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// oddIDs are all different. Each is one that some database confuses with another or
// returns changed.
var oddIDs = []string{
	"a", "A", " a", "a ", "a  ", " ", "  ", // case and padding
	"á", "a\u0301", "Å", "\u212B", "ß", "ss", "ẞ", "ı", "i", "I", "İ", "fi", "\uFB01", "ﬀ", // folding and normal forms
	"😀", "😁", "👩‍💻", "👩", "\u200b", "a\u200b", "\u200fa", "\u2060a", // emoji, and characters without width
	"1", "01", "1.0", "1e0", "+1", "0x1", "null", "NULL", "true", "nan", // what looks like another type
	"'", "''", `"`, "`", `\`, `\\`, "%", "_", "a%", "?", "$1", ":a", "@a", "{a}", "{", "}", "[a]", "*", "--", "/*", ";", // syntax
	"a:b", "a|b", "a/b", "a,b", "..", "/", "#a", "&amp;", "<b>", "日本語", "ａ", "\uFFFD", "\U0010FFFF",
	strings.Repeat("x", store.MaxIDLen-1), strings.Repeat("x", store.MaxIDLen), strings.Repeat("é", store.MaxIDLen/2),
	strings.Repeat("x", store.MaxIDLen-1) + "y", strings.Repeat("😀", store.MaxIDLen/4),
}

// badIDs are refused.
var badIDs = map[string]string{
	"NUL":             "secret\x00",
	"newline":         "secret\n",
	"tab":             "sec\tret",
	"DEL":             "secret\x7f",
	"C1 control":      "secret\u0085",
	"invalid UTF-8":   "secret\xff",
	"truncated UTF-8": "secret\xe2\x82",
	"surrogate":       "secret\xed\xa0\x80",
	"too long":        "secret" + strings.Repeat("x", store.MaxIDLen-5),
	"1 MB":            strings.Repeat("secret", 1<<20/6),
}

var idCases = []contractCase{{
	name: "odd users are different users",
	rule: "ids are opaque: never trimmed, folded or normalised; ids that differ in one byte are different users",
	run: func(t *testing.T, s *subject) {
		study := newID()
		for i, user := range oddIDs {
			k := store.Key{StudyID: study, UserID: user}
			require.False(t, s.completed(t, k), "user %+q is taken for one of %+q", user, oddIDs[:i])
			c := completionOf(k)
			s.mustRecord(t, c)
			require.True(t, s.completed(t, k), "user %+q", user)
			s.kept(t, c)
		}
	},
}, {
	name: "odd studies are different studies",
	rule: "study ids are opaque",
	run: func(t *testing.T, s *subject) {
		user := newID()
		for i, study := range oddIDs {
			k := store.Key{StudyID: study, UserID: user}
			require.False(t, s.completed(t, k), "study %+q is taken for one of %+q", study, oddIDs[:i])
			c := completionOf(k)
			s.mustRecord(t, c)
			require.True(t, s.completed(t, k), "study %+q", study)
			s.kept(t, c)
		}
	},
}, {
	name: "odd interviews are different interviews",
	rule: "interview ids are opaque",
	run: func(t *testing.T, s *subject) {
		for i, id := range oddIDs {
			c := newCompletion()
			c.InterviewID = id
			require.True(t, s.record(t, c), "interview %+q is taken for one of %+q", id, oddIDs[:i])
			require.False(t, s.record(t, c), "interview %+q", id)
			s.kept(t, c)
		}
	},
}, {
	name: "odd qualities and languages",
	rule: "Quality and Language are kept as they are, up to 256 bytes",
	run: func(t *testing.T, s *subject) {
		for i, text := range oddIDs {
			c := newCompletion()
			c.Quality, c.Language = text, oddIDs[len(oddIDs)-1-i]
			s.mustRecord(t, c)
			s.kept(t, c)
		}
	},
}, {
	name: "study and user do not run together",
	rule: "a key is two ids, not one text",
	run: func(t *testing.T, s *subject) {
		for _, sep := range []string{":", "|", "/", ",", " ", "-", "\u2028", ""} {
			p := newID()
			s.mustRecord(t, completionOf(store.Key{StudyID: p + "a", UserID: "b" + sep + "c"}))
			require.False(t, s.completed(t, store.Key{StudyID: p + "a" + sep + "b", UserID: "c"}), "separator %+q", sep)
			require.False(t, s.completed(t, store.Key{StudyID: p + "ab" + sep, UserID: "c"}), "separator %+q", sep)
		}
	},
}, {
	name: "bad ids are refused",
	rule: "an id that is too long, not valid UTF-8 or has a control character is refused with ErrInvalid, nothing is stored, and the error does not contain the id",
	run: func(t *testing.T, s *subject) {
		for name, bad := range badIDs {
			for field, spoil := range map[string]func(c *store.Completion){
				"study":     func(c *store.Completion) { c.StudyID = bad },
				"user":      func(c *store.Completion) { c.UserID = bad },
				"interview": func(c *store.Completion) { c.InterviewID = bad },
				"quality":   func(c *store.Completion) { c.Quality = bad },
				"language":  func(c *store.Completion) { c.Language = bad },
			} {
				what := fmt.Sprintf("%s as %s", name, field)
				good := newCompletion()
				c := good
				spoil(&c)
				first, err := s.Record(t.Context(), c)
				refused(t, err, "Record, "+what)
				require.False(t, first, what)
				if c.Key != good.Key {
					_, err = s.Completed(t.Context(), c.Key)
					refused(t, err, "Completed, "+what)
				}
				require.False(t, s.completed(t, good.Key), "Completed of what was refused, %s", what)
				if s.has&lister != 0 {
					require.Empty(t, s.list(t, store.Filter{}), "listed after %s", what)
				}
			}
		}
	},
}, {
	name: "empty ids are refused",
	rule: "an empty study or interview, and an empty user where a user is required, is refused with ErrInvalid",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		_, err := s.Completed(t.Context(), store.Key{UserID: c.UserID})
		refused(t, err, "Completed without a study")
		_, err = s.Completed(t.Context(), store.Key{StudyID: c.StudyID})
		refused(t, err, "Completed without a user")
		noStudy, noInterview := c, c
		noStudy.StudyID, noInterview.InterviewID = "", ""
		_, err = s.Record(t.Context(), noStudy)
		refused(t, err, "Record without a study")
		_, err = s.Record(t.Context(), noInterview)
		refused(t, err, "Record without an interview")
		require.False(t, s.completed(t, c.Key))
	},
}, {
	name:  "reset refuses bad ids",
	rule:  "Reset refuses ids that are empty or bad with ErrInvalid",
	needs: resetter,
	run: func(t *testing.T, s *subject) {
		refused(t, s.Reset(t.Context(), store.Key{UserID: newID()}), "Reset without a study")
		refused(t, s.Reset(t.Context(), store.Key{StudyID: newID()}), "Reset without a user")
		for name, bad := range badIDs {
			refused(t, s.Reset(t.Context(), store.Key{StudyID: newID(), UserID: bad}), "Reset, "+name)
		}
	},
}, {
	name:  "erase refuses bad ids",
	rule:  "Erase refuses an id that is empty or bad with ErrInvalid",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		refused(t, s.Erase(t.Context(), ""), "Erase of nobody")
		for name, bad := range badIDs {
			refused(t, s.Erase(t.Context(), bad), "Erase, "+name)
		}
	},
}, {
	name:  "transcripts refuse bad ids",
	rule:  "Transcript and RequeueJob refuse an id that is empty or bad with ErrInvalid",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		for name, bad := range badIDs {
			_, err := s.Transcript(t.Context(), bad)
			refused(t, err, "Transcript, "+name)
			refused(t, s.RequeueJob(t.Context(), bad), "RequeueJob, "+name)
		}
		_, err := s.Transcript(t.Context(), "")
		refused(t, err, "Transcript of nothing")
	},
}}

// refused requires an [store.ErrInvalid] that does not contain the id.
func refused(t *testing.T, err error, what string) {
	t.Helper()
	require.ErrorIs(t, err, store.ErrInvalid, what)
	require.NotContains(t, err.Error(), "secret", what)
}
