package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// An Inspection is a redacted copy of a delivery's header and body. Only fields that
// are known to hold no user data, secrets or answers keep their text.
type Inspection struct {
	Header []string // lines such as "Content-Type: application/json", sorted
	Body   string   // indented JSON, or a note such as "(empty)"; at most 4 KB
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

// jsonLine matches a line of indented JSON: the key, if any, the value, and a comma.
var jsonLine = regexp.MustCompile(`^(?:("(?:[^"\\]|\\.)*"): )?(.*?)(,?)$`)

// redact returns what may be shown of a body. It works on lines of indented JSON,
// so equal keys and their order, which may be the fault, stay visible.
func redact(body []byte) string {
	if len(body) == 0 {
		return "(empty)"
	}
	var lines bytes.Buffer
	if json.Indent(&lines, body, "", "") != nil {
		return fmt.Sprintf("(not JSON, %d bytes)", len(body))
	}
	var out strings.Builder
	depth := 0
	for line := range strings.SplitSeq(strings.TrimSpace(lines.String()), "\n") {
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		if line[0] == '}' || line[0] == ']' {
			depth--
		}
		out.WriteString(strings.Repeat("  ", depth))
		if depth > inspectedDepth || out.Len() > inspectedBody {
			return out.String() + "…"
		}
		m := jsonLine.FindStringSubmatch(line)
		key, value := m[1], m[2]
		plain := depth <= 2 && plainFields[strings.Trim(key, `"`)] // deeper is what users said
		if key != "" {
			out.WriteString(redactString(key, isWord.MatchString(key)) + ": ")
		}
		switch {
		case value[0] == '"':
			value = redactString(value, plain)
		case strings.HasSuffix(value, "{"), strings.HasSuffix(value, "["):
			depth++
		case value == "null", strings.ContainsAny(value, "{}[]"):
		case plain:
			value = cut(value, inspectedValue)
		default:
			value = "(hidden)"
		}
		out.WriteString(value + m[3])
	}
	return out.String()
}

// isWord matches a key that looks like the name of a field, and not for instance
// like an e-mail address.
var isWord = regexp.MustCompile(`^"[A-Za-z_]{0,40}"$`)

// redactString shortens a JSON string, or hides it unless it is plain.
func redactString(quoted string, plain bool) string {
	var s string
	_ = json.Unmarshal([]byte(quoted), &s) // it is valid
	if plain {
		s = cut(s, inspectedValue)
	} else {
		s = hidden(len(s))
	}
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}
