package claims

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
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
