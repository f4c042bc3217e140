package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
)

const (
	flushRows   = 500             // rows between two flushes of an export
	writingTime = 2 * time.Minute // for the client to take that many rows
)

// formats are the formats of an export, each with a func that returns its writer.
var formats = map[string]struct {
	mime   string
	writer func(io.Writer) func(exported) error
}{
	"csv": {"text/csv; charset=utf-8; header=present", csvWriter},
	"jsonl": {"application/jsonl; charset=utf-8", func(w io.Writer) func(exported) error {
		lines := json.NewEncoder(w)
		return func(row exported) error { return lines.Encode(row) }
	}},
}

// export sends all interviews that the filter selects, the oldest first, as they come
// from the store: its memory grows neither with their number nor with a slow client. If
// the store fails on the way, export cuts the connection, so that half an export does
// not pass for a whole one.
func (c *console) export(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	format, ok := formats[q.Get("format")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	f := store.Filter{StudyID: q.Get("study"), Quality: q.Get("quality")}
	lister, ok := store.As[store.Lister](c.Store)
	err := store.CheckFilter(f)
	if !ok {
		err = errLacks
	}
	if err == nil {
		err = c.answers(r.Context())
	}
	if err != nil {
		c.failed(w, r, "interviews", "export", err)
		return
	}
	name := "interviews-" + time.Now().UTC().Format(time.DateOnly) + "." + q.Get("format")
	w.Header().Set("Content-Type", format.mime)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	if r.Method == http.MethodHead {
		return
	}
	if err := c.stream(w, format.writer(w), guard.Seq(lister.Completions(r.Context(), f))); err != nil {
		if r.Context().Err() == nil { // the client is still there
			c.Logger.ErrorContext(r.Context(), "askonce: an export of the console was cut off", "err", err, guard.Stack(err))
		}
		panic(http.ErrAbortHandler)
	}
}

// answers checks that the store lists anything at all, before an export begins that
// could not report a failure any more. It leaves the filter out: a rare quality may take
// long to find.
func (c *console) answers(ctx context.Context) error {
	_, _, err := take(ctx, c, 0, 1, func(ctx context.Context, s store.Lister) iter.Seq2[store.Completion, error] {
		return s.Completions(ctx, store.Filter{})
	})
	return err
}

func (c *console) stream(w http.ResponseWriter, write func(exported) error, rows iter.Seq2[store.Completion, error]) error {
	to := http.NewResponseController(w)
	names, n := c.studyNames(), 0
	for one, err := range rows {
		if err != nil {
			return err
		}
		if n%flushRows == 0 {
			_ = to.Flush()
			// A server's WriteTimeout is meant for pages and would cut an export off.
			_ = to.SetWriteDeadline(time.Now().Add(writingTime))
		}
		n++
		if err := write(newExported(one, names[one.StudyID])); err != nil {
			return err
		}
	}
	return nil
}

// An exported is one line of an export.
type exported struct {
	InterviewID string    `json:"interview_id"`
	StudyID     string    `json:"study_id"`
	StudyName   string    `json:"study_name,omitempty"`
	UserID      string    `json:"user_id,omitempty"`
	CompletedAt time.Time `json:"completed_at"`
	Quality     string    `json:"quality,omitempty"`
	Language    string    `json:"language,omitempty"`
	Seconds     float64   `json:"duration_secs"`
	Until       time.Time `json:"until,omitzero"`
	Ignored     bool      `json:"ignored"`
}

func newExported(c store.Completion, studyName string) exported {
	return exported{
		InterviewID: c.InterviewID, StudyID: c.StudyID, StudyName: studyName, UserID: c.UserID, CompletedAt: c.CompletedAt.UTC(),
		Quality: c.Quality, Language: c.Language, Seconds: c.Duration.Seconds(), Until: c.Until.UTC(), Ignored: c.Ignored,
	}
}

// csvWriter writes the names of the columns and returns what writes a row. It writes no
// byte order mark, which only spreadsheets would keep out of the first column's name.
func csvWriter(w io.Writer) func(exported) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180
	write := func(cells ...string) error {
		_ = out.Write(cells) // Error returns it too
		out.Flush()
		return out.Error()
	}
	_ = write("interview_id", "study_id", "study_name", "user_id", "completed_at", "quality", "language", "duration_secs", "until", "ignored")
	return func(row exported) error {
		until := ""
		if !row.Until.IsZero() {
			until = row.Until.Format(time.RFC3339Nano)
		}
		return write(defused(row.InterviewID), defused(row.StudyID), defused(row.StudyName), defused(row.UserID), row.CompletedAt.Format(time.RFC3339Nano),
			defused(row.Quality), defused(row.Language), strconv.FormatFloat(row.Seconds, 'f', -1, 64), until, strconv.FormatBool(row.Ignored))
	}
}

// laterFormula matches a formula after a semicolon, which separates cells where the
// comma is the decimal sign.
var laterFormula = regexp.MustCompile(`(;[\s\p{Z}\p{C}]*)([=+\-@＝＋－＠])`)

// defused puts an apostrophe before a foreign text that a spreadsheet would take for a
// formula; see OWASP, "CSV Injection". Spreadsheets may drop invisible characters at the
// beginning, and they accept full-width signs.
func defused(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	visible := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	s = laterFormula.ReplaceAllString(s, "$1'$2")
	if strings.IndexAny(visible, "=+-@＝＋－＠") == 0 || s != "" && s[0] < ' ' {
		return "'" + s
	}
	return s
}
