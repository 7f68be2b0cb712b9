package claims

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// parse returns the object in text.
func parse(t *testing.T, text string) Object {
	t.Helper()
	o, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"{}": true, ` {"a":1} `: true, `{"a":1,"a":2}`: true,
		"": false, "null": false, "[]": false, "1": false, `"x"`: false, `{"a":`: false, "{}{}": false, "\ufeff{}": false,
	} {
		if o, err := Parse([]byte(text)); (err == nil) != ok || (o != nil) != ok {
			t.Errorf("%q: %v, %v", text, o, err)
		}
	}
	if got := parse(t, `{"a":"first","A":"other","a":"last"}`).String("a"); got != "last" {
		t.Errorf("a is %q", got)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value, str string
		isTrue     bool
		seconds    int64 // -1: not a time
		values     []string
	}{
		{`"x"`, "x", false, -1, []string{"x"}},
		{`""`, "", false, -1, []string{""}},
		{`"a\"b\u00e9"`, `a"bé`, false, -1, []string{`a"bé`}},
		{`"é"`, "é", false, -1, []string{"é"}},
		{`true`, "", true, -1, []string{"true"}},
		{`"true"`, "true", false, -1, []string{"true"}},
		{`null`, "", false, -1, nil},
		{`0`, "", false, 0, []string{"0"}},
		{`1700000000.9`, "", false, 1700000000, []string{"1700000000.9"}},
		{`1e3`, "", false, 1000, []string{"1e3"}},
		{`-1`, "", false, -1, []string{"-1"}},
		{`1e300`, "", false, -1, []string{"1e300"}},
		{`1e400`, "", false, -1, []string{"1e400"}},
		{`1099511627776`, "", false, -1, []string{"1099511627776"}},
		{`"1700000000"`, "1700000000", false, -1, []string{"1700000000"}},
		{`["a",1,true,null,{"b":2},["c"],"d"]`, "", false, -1, []string{"a", "1", "true", "d"}},
		{`[]`, "", false, -1, nil},
		{`{"a":1}`, "", false, -1, nil},
	} {
		o := parse(t, `{"m":`+tt.value+`}`)
		at, ok := o.Time("m")
		if !ok {
			at = time.Unix(-1, 0)
		}
		if o.String("m") != tt.str || o.IsTrue("m") != tt.isTrue || at.Unix() != tt.seconds || !slices.Equal(o.Values("m"), tt.values) {
			t.Errorf("%s is %q, %t, %d, %q", tt.value, o.String("m"), o.IsTrue("m"), at.Unix(), o.Values("m"))
		}
	}
	var none Object
	if _, ok := none.Time("m"); ok || none.String("m") != "" || none.IsTrue("m") || len(none.Values("m")) > 0 {
		t.Error("a missing member has a value")
	}
}

func TestAudience(t *testing.T) {
	t.Parallel()
	for aud, want := range map[string][]string{
		`{"aud":"app"}`: {"app"}, `{"aud":["b","a"]}`: {"a", "b"}, `{"aud":[]}`: {}, `{"aud":["app",null]}`: {"", "app"},
		`{"aud":["app",1]}`: {""}, `{"aud":1}`: {""}, `{}`: {""}, `{"AUD":"app"}`: {""},
	} {
		if got := parse(t, aud).Audience(); !slices.Equal(got, want) {
			t.Errorf("%s is %q", aud, got)
		}
	}
}

func TestAuthTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for after, want := range map[time.Duration]bool{0: true, -time.Hour: true, ClockLeeway: true, ClockLeeway + time.Second: false} {
		o := parse(t, `{"auth_time":`+strconv.FormatInt(now.Add(after).Unix(), 10)+`}`)
		if at, ok := o.AuthTime(now); ok != want || !at.Equal(now.Add(after)) {
			t.Errorf("%v after now: %v, %t", after, at, ok)
		}
	}
}

// equal compares objects by the text of their members.
func equal(o Object, want Object) bool {
	return maps.EqualFunc(o, want, func(a, b json.RawMessage) bool { return string(a) == string(b) })
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, signed, info, want string
		changed                  bool
	}{
		{"no user info", `{"sub":"a","name":"A"}`, `{}`, `{"sub":"a","name":"A"}`, false},
		{"what is missing", `{"sub":"a"}`, `{"sub":"a","name":"A","x":1}`, `{"sub":"a","name":"A","x":1}`, true},
		{"nothing that is new", `{"sub":"a","name":"A"}`, `{"sub":"a","name":"B"}`, `{"sub":"a","name":"A"}`, false},
		{"an empty name gives way", `{"name":""}`, `{"name":"A"}`, `{"name":"A"}`, true},
		{"a name of another type gives way", `{"name":{"x":1}}`, `{"name":"A"}`, `{"name":"A"}`, true},
		{"another spelling", `{"sub":"a"}`, `{"SUB":"b","\u017fub":"c","name":"A"}`, `{"sub":"a","name":"A"}`, true},
		{"an address with its verification", `{"email_verified":true}`, `{"email":"e"}`, `{"email":"e"}`, true},
		{"an address that gives way, its verification with it", `{"email":"","email_verified":true}`, `{"email":"e","email_verified":false}`, `{"email":"e","email_verified":false}`, true},
		{"a verification elsewhere", `{"email":"e"}`, `{"email":"e","email_verified":true}`, `{"email":"e"}`, false},
		{"a verification elsewhere by another name", `{"email":"e"}`, `{"Email_Verified":true}`, `{"email":"e"}`, false},
		{"how the user signed in", `{}`, `{"acr":"x","amr":["x"],"auth_time":1,"nonce":"x","ACR":"x"}`, `{}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signed, info := parse(t, tt.signed), parse(t, tt.info)
			got, changed := Merge(signed, info)
			if !equal(got, parse(t, tt.want)) || changed != tt.changed {
				t.Errorf("merged to %s, %t", got, changed)
			}
			if !equal(signed, parse(t, tt.signed)) || !equal(info, parse(t, tt.info)) {
				t.Error("an argument was changed")
			}
		})
	}
	if got, changed := Merge(parse(t, `{"sub":"a"}`), nil); changed || len(got) != 1 {
		t.Errorf("without user info: %s", got)
	}
}

func TestUpdated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, known, last, fresh, want string }{
		{"a change", `{"sub":"a","x":1}`, `{"sub":"a","x":1}`, `{"sub":"a","x":2}`, `{"sub":"a","x":2}`},
		{"a claim that is gone", `{"sub":"a","groups":["x"]}`, `{"sub":"a","groups":["x"]}`, `{"sub":"a"}`, `{"sub":"a"}`},
		{"a claim of user info", `{"sub":"a","groups":["x"]}`, `{"sub":"a"}`, `{"sub":"a"}`, `{"sub":"a","groups":["x"]}`},
		{"a profile that is left out", `{"name":"A","email":"e","email_verified":true}`, `{"name":"A","email":"e","email_verified":true}`, `{}`, `{"name":"A","email":"e","email_verified":true}`},
		{"an empty name", `{"name":"A"}`, `{}`, `{"name":""}`, `{"name":"A"}`},
		{"another address", `{"email":"e","email_verified":true}`, `{}`, `{"email":"f"}`, `{"email":"f"}`},
		{"a verification without an address", `{"email":"e","email_verified":false}`, `{}`, `{"email_verified":true}`, `{"email":"e","email_verified":false}`},
		{"how the user signed in", `{"acr":"x","auth_time":1,"amr":["x"],"nonce":"n"}`, `{"acr":"x","auth_time":1,"amr":["x"],"nonce":"n"}`, `{"acr":"y","auth_time":2}`, `{"acr":"x","auth_time":1,"amr":["x"],"nonce":"n"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known, last, fresh := parse(t, tt.known), parse(t, tt.last), parse(t, tt.fresh)
			if got := Updated(known, last, fresh); !equal(got, parse(t, tt.want)) {
				t.Errorf("updated to %s", got)
			}
			if !equal(known, parse(t, tt.known)) || !equal(last, parse(t, tt.last)) || !equal(fresh, parse(t, tt.fresh)) {
				t.Error("an argument was changed")
			}
		})
	}
	if got := Updated(nil, nil, parse(t, `{"sub":"a"}`)); got.String("sub") != "a" {
		t.Errorf("from nothing: %s", got)
	}
}

func TestAt(t *testing.T) {
	o := parse(t, `{
		"realm_access": {"roles": ["offline", "admin"], "n": {"deep": true}},
		"resource_access": {"app": {"roles": ["editor"]}, "my.app": {"roles": ["owner"]}, "list": [{"roles": ["x"]}]},
		"https://example.com/roles": ["a"], "a.b": [], "a": {"b": ["hidden"], "c": null, "": {"d": "e"}, "N": 1},
		"flat.name": null, "flat": {"name": "hidden"}, "id": 12345678901234567890, "text": "x.y"
	}`)
	for name, want := range map[string][]string{
		"realm_access.roles":              {"offline", "admin"},
		"realm_access.n.deep":             {"true"},
		"resource_access.app.roles":       {"editor"},
		"resource_access.my.app.roles":    {"owner"},
		"https://example.com/roles":       {"a"},
		"id":                              {"12345678901234567890"},
		"a.b":                             nil, // the claim of that whole name is an empty list
		"flat.name":                       nil, // and this one is null
		"a.c":                             nil,
		"a..d":                            {"e"},
		"a.n":                             nil,
		"A.N":                             nil,
		"realm_access":                    nil,
		"realm_access.":                   nil,
		".realm_access":                   nil,
		"realm_access.roles.admin":        nil,
		"resource_access.list.roles":      nil,
		"resource_access.App.roles":       nil,
		"realm_access.roles ":             nil,
		"text.y":                          nil,
		"":                                nil,
		".":                               nil,
		"resource_access.my.app.roles.no": nil,
	} {
		if got := o.At(name); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestOverlay(t *testing.T) {
	o, own := parse(t, `{"Roles":1,"roles":2,"name":"x"}`), parse(t, `{"ROLES":3,"n":4}`)
	if got := Overlay(o, own); !equal(got, parse(t, `{"ROLES":3,"name":"x","n":4}`)) || len(o) != 3 || len(own) != 2 {
		t.Errorf("%s", got)
	}
}

// User info cannot stand in front of what a policy reads inside a signed claim.
func TestMergeKeepsSignedPaths(t *testing.T) {
	signed := Object{"realm_access": json.RawMessage(`{"roles":["user"]}`), "none": json.RawMessage(`{}`)}
	info := Object{
		"realm_access.roles": json.RawMessage(`["admin"]`), "Realm_Access.roles": json.RawMessage(`["admin"]`),
		"none.roles": json.RawMessage(`["admin"]`), "other.roles": json.RawMessage(`["x"]`),
		strings.Repeat("a.", 1<<20): json.RawMessage(`1`), // takes no quadratic time
	}
	merged, _ := Merge(signed, info)
	for name, want := range map[string]string{"realm_access.roles": "[user]", "Realm_Access.roles": "[]", "none.roles": "[]", "other.roles": "[x]"} {
		if got := fmt.Sprint(merged.At(name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
