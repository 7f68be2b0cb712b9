// Package claims reads the JSON objects that say who a user is: the claims of ID
// tokens and user info. It is pure.
package claims

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// ClockLeeway is how far the clocks of a provider and of the application may
// differ.
const ClockLeeway = time.Minute

// Authentication are the claims about a sign-in, as opposed to its user.
var Authentication = []string{"auth_time", "acr", "amr", "nonce"}

// An Object is a JSON object. Its member names are compared exactly, whereas
// encoding/json ignores case when it decodes into structs.
type Object map[string]json.RawMessage

// Parse returns the JSON object that body is. The last of several members of one
// name counts (RFC 7519 section 4). The error never quotes body.
func Parse(body []byte) (Object, error) {
	var o Object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		return nil, errors.New("response is not a JSON object")
	}
	return o, nil
}

// String returns a string member. It is "" if the member is missing or has
// another type.
func (o Object) String(name string) string {
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

// isPlain reports whether text is ASCII that JSON writes unescaped, as most
// strings are: decoding them takes no parser.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Has reports whether there is a member of that name.
func (o Object) Has(name string) bool { return o[name] != nil }

// IsTrue reports whether a member is the JSON value true.
func (o Object) IsTrue(name string) bool { return string(o[name]) == "true" }

// Time returns a member that counts seconds since 1970 (RFC 7519 section 2). ok
// is false if the member is missing, is not a number, or is beyond the year
// 36,000.
func (o Object) Time(name string) (t time.Time, ok bool) {
	var n float64
	if string(o[name]) == "null" || json.Unmarshal(o[name], &n) != nil || !(n >= 0 && n < 1<<40) {
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0), true
}

// Values returns the value of a member, or the elements of a list, as strings.
// Numbers and booleans are returned as JSON writes them; null, objects and nested
// lists are left out.
func (o Object) Values(name string) (values []string) {
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

// HasAt reports whether there is a claim of that name or path: see At.
func (o Object) HasAt(name string) bool {
	if o.Has(name) {
		return true
	}
	for end := strings.LastIndexByte(name, '.'); end >= 0; end = strings.LastIndexByte(name[:end], '.') {
		if inner, err := Parse(o[name[:end]]); err == nil && inner.HasAt(name[end+1:]) {
			return true
		}
	}
	return false
}

// At returns the values of a claim that a policy names: the member of that whole name, or
// else the one at the path whose segments dots separate, such as realm_access.roles. A
// member of a path may have dots in its name as well. Longer names go first.
func (o Object) At(name string) []string {
	if o.Has(name) {
		return o.Values(name)
	}
	for end := strings.LastIndexByte(name, '.'); end >= 0; end = strings.LastIndexByte(name[:end], '.') {
		if inner, err := Parse(o[name[:end]]); err == nil {
			if values := inner.At(name[end+1:]); values != nil {
				return values
			}
		}
	}
	return nil
}

// Audience returns aud, which is a string or a list of strings, sorted. For an
// aud that is neither, it returns one empty string.
func (o Object) Audience() (aud []string) {
	if json.Unmarshal(o["aud"], &aud) != nil {
		aud = []string{o.String("aud")}
	}
	slices.Sort(aud)
	return aud
}

// AuthTime returns when the user authenticated. ok is false if the claims do not
// say, or name a time after now.
func (o Object) AuthTime(now time.Time) (t time.Time, ok bool) {
	t, ok = o.Time("auth_time")
	return t, ok && !t.After(now.Add(ClockLeeway))
}
