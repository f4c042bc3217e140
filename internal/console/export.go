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
	flushRows   = 500             // after so many rows an export is sent on
	writingTime = 2 * time.Minute // for a client to take them
)

// A rowWriter writes interviews in one format.
type rowWriter interface {
	write(row exported) error
	flush() error
}

// formats are the formats of an export.
var formats = map[string]struct {
	mime string
	open func(io.Writer) (rowWriter, error)
}{
	"csv":   {"text/csv; charset=utf-8; header=present", newCSV},
	"jsonl": {"application/jsonl; charset=utf-8", newJSONL},
}

// export sends all interviews of a filter, the oldest first, as they come from the
// store: neither their number nor a slow client takes memory. If the store fails
// on the way, the connection is cut, so that half an export does not pass for a
// whole one.
func (c *console) export(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	format, ok := formats[q.Get("format")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	f := store.Filter{StudyID: q.Get("study"), Quality: q.Get("quality")}
	lister, err := has[store.Lister](c)
	if err == nil {
		err = store.CheckFilter(f)
	}
	if err == nil {
		err = c.answers(r.Context(), lister)
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
	if err := c.stream(w, format.open, guard.Seq(lister.Completions(r.Context(), f))); err != nil {
		if r.Context().Err() == nil { // the client is still there
			c.Logger.ErrorContext(r.Context(), "askonce: an export of the console was cut off", "err", err, guard.Stack(err))
		}
		panic(http.ErrAbortHandler)
	}
}

// answers reports whether the store lists anything at all, before an export begins
// that cannot say that it failed. It leaves the filter out: a rare quality may take
// long to find.
func (c *console) answers(ctx context.Context, lister store.Lister) error {
	_, _, err := take(ctx, c, 0, 1, func(ctx context.Context) iter.Seq2[store.Completion, error] {
		return lister.Completions(ctx, store.Filter{})
	})
	return err
}

func (c *console) stream(w http.ResponseWriter, open func(io.Writer) (rowWriter, error), rows iter.Seq2[store.Completion, error]) error {
	to := http.NewResponseController(w)
	// A server's WriteTimeout is meant for pages and would cut an export off.
	next := func() { _ = to.SetWriteDeadline(time.Now().Add(writingTime)) }
	next()
	out, err := open(w)
	if err != nil {
		return err
	}
	names, n := c.studyNames(), 0
	for one, err := range rows {
		if err == nil {
			err = out.write(newExported(one, names[one.StudyID]))
		}
		if err != nil {
			return err
		}
		if n++; n%flushRows == 0 {
			if err := out.flush(); err != nil {
				return err
			}
			_ = to.Flush()
			next()
		}
	}
	return out.flush()
}

// An exported is one line of an export.
type exported struct {
	InterviewID string     `json:"interview_id"`
	StudyID     string     `json:"study_id"`
	StudyName   string     `json:"study_name,omitempty"`
	UserID      string     `json:"user_id,omitempty"`
	CompletedAt time.Time  `json:"completed_at"`
	Quality     string     `json:"quality,omitempty"`
	Language    string     `json:"language,omitempty"`
	Seconds     float64    `json:"duration_secs"`
	Until       *time.Time `json:"until,omitempty"`
	Ignored     bool       `json:"ignored"`
}

func newExported(c store.Completion, studyName string) exported {
	row := exported{
		InterviewID: c.InterviewID, StudyID: c.StudyID, StudyName: studyName, UserID: c.UserID, CompletedAt: c.CompletedAt.UTC(),
		Quality: c.Quality, Language: c.Language, Seconds: c.Duration.Seconds(), Ignored: c.Ignored,
	}
	if !c.Until.IsZero() {
		until := c.Until.UTC()
		row.Until = &until
	}
	return row
}

type jsonlWriter struct{ *json.Encoder }

func newJSONL(w io.Writer) (rowWriter, error) { return jsonlWriter{json.NewEncoder(w)}, nil }

func (w jsonlWriter) write(row exported) error { return w.Encode(row) }
func (w jsonlWriter) flush() error             { return nil }

type csvWriter struct{ *csv.Writer }

// newCSV writes no byte order mark: it would become part of the first column's name
// for every reader but a spreadsheet.
func newCSV(w io.Writer) (rowWriter, error) {
	out := csvWriter{csv.NewWriter(w)}
	out.UseCRLF = true // RFC 4180
	return out, out.Write([]string{
		"interview_id", "study_id", "study_name", "user_id", "completed_at", "quality", "language", "duration_secs", "until", "ignored",
	})
}

func (w csvWriter) write(row exported) error {
	until := ""
	if row.Until != nil {
		until = row.Until.Format(time.RFC3339Nano)
	}
	return w.Write([]string{
		defused(row.InterviewID), defused(row.StudyID), defused(row.StudyName), defused(row.UserID), row.CompletedAt.Format(time.RFC3339Nano),
		defused(row.Quality), defused(row.Language), strconv.FormatFloat(row.Seconds, 'f', -1, 64), until, strconv.FormatBool(row.Ignored),
	})
}

func (w csvWriter) flush() error {
	w.Flush()
	return w.Error()
}

// laterFormula finds formulas after a semicolon, which separates cells where the comma
// is the decimal sign.
var laterFormula = regexp.MustCompile(`(;[\s\p{Z}\p{C}]*)([=+\-@＝＋－＠])`)

// defused keeps a spreadsheet from taking a foreign text for a formula, with the
// apostrophe that marks a text there. See OWASP, "CSV Injection". Spreadsheets may
// drop what is invisible at the beginning, and read full-width signs too.
func defused(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	visible := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	s = laterFormula.ReplaceAllString(s, "$1'$2")
	if strings.IndexAny(visible, "=+-@＝＋－＠") == 0 || s != "" && s[0] < ' ' {
		return "'" + s
	}
	return s
}
