package userjourneys

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object with tolerant fields: one that is missing, null or of another
// type reads as its zero value. Each reader takes the names that a field may have, and
// uses the first one that it can read.
type object map[string]json.RawMessage

// decodeObject decodes an object that has the field key. It also finds one inside a field
// "data" or one of the wrappers.
func decodeObject(b []byte, key string, wrappers ...string) (object, error) {
	var o object
	err := json.Unmarshal(b, &o)
	if _, ok := o[key]; ok {
		return o, err
	}
	for _, name := range append(wrappers, "data") {
		if inner := field[object](o, name); inner[key] != nil {
			return inner, err
		}
	}
	return o, err
}

func field[T any](o object, names ...string) T {
	for _, name := range names {
		var v T
		if raw, ok := o[name]; ok && string(raw) != "null" && json.Unmarshal(raw, &v) == nil {
			return v
		}
	}
	var zero T
	return zero
}

func (o object) str(names ...string) string { return field[string](o, names...) }

func (o object) time(name string) time.Time { return field[time.Time](o, name) }

func (o object) raw(names ...string) json.RawMessage {
	for _, name := range names {
		if raw, ok := o[name]; ok && string(raw) != "null" {
			return slices.Clone(raw)
		}
	}
	return nil
}

// flag reads true, 1, "true" and the like. It also reports whether there is such a field.
func (o object) flag(names ...string) (value, ok bool) {
	for _, name := range names {
		if v, err := strconv.ParseBool(unquoted(o[name])); err == nil {
			return v, true
		}
	}
	return false, false
}

// parseNumber reads a number, with or without quotes. It rejects negative numbers, and
// those larger than any count or duration of an interview.
func (o object) parseNumber(names ...string) (n float64, ok bool) {
	for _, name := range names {
		if n, err := strconv.ParseFloat(unquoted(o[name]), 64); err == nil && n >= 0 && n < 1e9 {
			return n, true
		}
	}
	return 0, false
}

func (o object) number(names ...string) float64 {
	n, _ := o.parseNumber(names...)
	return n
}

func (o object) seconds(names ...string) time.Duration {
	return time.Duration(o.number(names...) * float64(time.Second))
}

func unquoted(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }
