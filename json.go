package oauthlogin

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// An object is a JSON object whose names are compared exactly, which
// encoding/json does not do for structs.
type object map[string]json.RawMessage

// str returns a string member, "" when it is missing or no string.
func (o object) str(name string) string {
	raw, ok := o[name]
	if !ok {
		return ""
	}
	if n := len(raw); n >= 2 && raw[0] == '"' && isPlain(raw[1:n-1]) {
		return string(raw[1 : n-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// isPlain reports whether text is ASCII that JSON writes as it is, as most strings are.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// isTrue reports whether a member is the JSON value true.
func (o object) isTrue(name string) bool { return string(o[name]) == "true" }

// seconds returns a member that counts seconds since 1970; ok is false when
// it is missing, or no number of this age.
func (o object) seconds(name string) (t time.Time, ok bool) {
	var n float64
	if string(o[name]) == "null" || json.Unmarshal(o[name], &n) != nil || !(n >= 0 && n < 1<<40) {
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0), true
}

func parseObject(body []byte) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		return nil, errors.New("answer is no JSON object")
	}
	return o, nil
}

// values returns a claim's value, or its elements, as strings.
func (o object) values(name string) (values []string) {
	var list []json.RawMessage
	if json.Unmarshal(o[name], &list) != nil {
		list = []json.RawMessage{o[name]}
	}
	for _, raw := range list {
		var s string
		switch {
		case json.Unmarshal(raw, &s) == nil && string(raw) != "null":
			values = append(values, s)
		case len(raw) > 0 && raw[0] != '{' && raw[0] != '[' && string(raw) != "null":
			values = append(values, string(raw))
		}
	}
	return values
}

// audience returns aud, which is a string or a list of them, sorted.
func (o object) audience() (aud []string) {
	if json.Unmarshal(o["aud"], &aud) != nil {
		aud = []string{o.str("aud")}
	}
	slices.Sort(aud)
	return aud
}
