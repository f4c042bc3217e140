package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// An Inspection is a redacted copy of a delivery's header and body. Only fields that
// are known to hold no user data, no secret and no speech keep their text.
type Inspection struct {
	Header []string // lines such as "Content-Type: application/json", sorted
	Body   string   // indented JSON, or what else it is; at most 4 KB
}

const (
	inspectedHeaders = 40
	inspectedValue   = 200     // bytes of one value
	inspectedBody    = 4 << 10 // bytes of JSON
	inspectedDepth   = 8
)

// plainHeaders are the headers whose values are kept.
var plainHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true,
	"Date": true, "Host": true, "Transfer-Encoding": true, "User-Agent": true, "Via": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true,
}

// plainFields are the fields of a body whose texts are kept.
var plainFields = map[string]bool{
	"event": true, "timestamp": true, "interview_id": true, "study_id": true, "study_name": true, "status": true,
	"completed_at": true, "quality_score": true, "language": true, "duration_secs": true,
}

func inspect(header http.Header) *Inspection {
	i := &Inspection{Body: "(not read)"}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, v := range header[name] {
			if len(i.Header) == inspectedHeaders {
				i.Header = append(i.Header, "…")
				return i
			}
			if !plainHeaders[name] {
				v = hidden(len(v))
			}
			i.Header = append(i.Header, cut(name, inspectedValue)+": "+cut(v, inspectedValue))
		}
	}
	return i
}

func hidden(n int) string { return fmt.Sprintf("(hidden, %d bytes)", n) }

// cut returns at most n bytes of s, in valid UTF-8.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// redact returns what may be seen of a body. Equal keys and their order are kept,
// because they may be what is wrong with it.
func redact(body []byte) string {
	if len(body) == 0 {
		return "(empty)"
	}
	if !json.Valid(body) {
		return fmt.Sprintf("(not JSON, %d bytes)", len(body))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	r := redactor{in: d}
	if r.value("", 0) != nil {
		r.out.WriteString("…")
	}
	return r.out.String()
}

// A redactor copies JSON that is valid, with its texts hidden.
type redactor struct {
	in  *json.Decoder
	out strings.Builder
}

// value copies the value of the named field. It fails where the output has become
// too long or too deep.
func (r *redactor) value(name string, depth int) error {
	t, err := r.in.Token()
	if err != nil {
		return err
	}
	if depth > inspectedDepth || r.out.Len() > inspectedBody {
		return io.ErrShortWrite
	}
	switch t := t.(type) {
	case json.Delim:
		return r.children(t, depth)
	case nil:
		r.out.WriteString("null")
	case string:
		if !isPlain(name, depth) {
			t = hidden(len(t))
		}
		r.string(t)
	default: // a number or a boolean
		if !isPlain(name, depth) {
			t = "(hidden)"
		}
		r.out.WriteString(cut(fmt.Sprint(t), inspectedValue))
	}
	return nil
}

// isPlain reports whether the values of a field may be seen: of the event itself
// or of its data, but not of what may be in there.
func isPlain(name string, depth int) bool { return depth <= 2 && plainFields[name] }

// children copies what is in an object or an array.
func (r *redactor) children(open json.Delim, depth int) error {
	r.out.WriteString(open.String())
	first := true
	for r.in.More() {
		if !first {
			r.out.WriteByte(',')
		}
		first = false
		r.line(depth + 1)
		name := ""
		if open == '{' {
			t, err := r.in.Token()
			if err != nil {
				return err
			}
			if name = t.(string); !isWord(name) {
				name = hidden(len(name))
			}
			r.string(name)
			r.out.WriteString(": ")
		}
		if err := r.value(name, depth+1); err != nil {
			return err
		}
	}
	end, err := r.in.Token()
	if err != nil {
		return err
	}
	if !first {
		r.line(depth)
	}
	r.out.WriteString(end.(json.Delim).String())
	return nil
}

// isWord reports whether s can be the name of a field and not, for instance, an
// e-mail address.
func isWord(s string) bool {
	return len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
}

func (r *redactor) line(depth int) {
	r.out.WriteByte('\n')
	r.out.WriteString(strings.Repeat("  ", depth))
}

func (r *redactor) string(s string) {
	quoted, _ := json.Marshal(cut(s, inspectedValue)) // a string always can be
	r.out.Write(quoted)
}
