package claims

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

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
