package protocol_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

var needs = []struct {
	name   string
	status int
	line   string
	want   protocol.Needs
}{
	{"a scope", 403, `Bearer realm="api", error="insufficient_scope", scope="read write"`, protocol.Needs{Code: "insufficient_scope", Scopes: []string{"read", "write"}}},
	{"a scope of a bound token", 403, `dpop error=insufficient_scope, scope=read`, protocol.Needs{Code: "insufficient_scope", Scopes: []string{"read"}}},
	{"a scope twice", 403, `Bearer error="insufficient_scope", scope=" read  read "`, protocol.Needs{Code: "insufficient_scope", Scopes: []string{"read"}}},
	{"no scope", 403, `Bearer error="insufficient_scope"`, protocol.Needs{Code: "insufficient_scope"}},
	{"a scope with a quotation mark", 403, `Bearer error="insufficient_scope", scope="read a\"b"`, protocol.Needs{Code: "insufficient_scope"}},
	{"a scope with a line break", 403, "Bearer error=\"insufficient_scope\", scope=\"read\n\"", protocol.Needs{Code: "insufficient_scope"}},
	{"a scope that is too long", 403, `Bearer error="insufficient_scope", scope="` + strings.Repeat("x", 1025) + `"`, protocol.Needs{Code: "insufficient_scope"}},
	{"too many scopes", 403, `Bearer error="insufficient_scope", scope="` + distinct(33) + `"`, protocol.Needs{Code: "insufficient_scope"}},
	{"an age and acr values", 401, `Bearer error="insufficient_user_authentication", max_age="5", acr_values="gold silver"`, protocol.Needs{Code: "insufficient_user_authentication", ACR: []string{"gold", "silver"}, MaxAge: 5 * time.Second}},
	{"the second challenge", 401, `Bearer, DPoP algs="ES256", error="insufficient_user_authentication", max_age=60`, protocol.Needs{Code: "insufficient_user_authentication", MaxAge: time.Minute}},
	{"a sign-in in any case", 401, `Bearer error="insufficient_user_authentication", max_age=0`, protocol.Needs{Code: "insufficient_user_authentication", MaxAge: 1}},
	{"a negative age", 401, `Bearer error="insufficient_user_authentication", max_age="-1"`, protocol.Needs{Code: "insufficient_user_authentication"}},
	{"an age that is too long", 401, `Bearer error="insufficient_user_authentication", max_age="99999999999"`, protocol.Needs{Code: "insufficient_user_authentication"}},
	{"acr values with other characters", 401, "Bearer error=\"insufficient_user_authentication\", acr_values=\"gold\x7f\"", protocol.Needs{Code: "insufficient_user_authentication"}},
	{"a scope with the wrong status", 401, `Bearer error="insufficient_scope", scope="read"`, protocol.Needs{}},
	{"a sign-in with the wrong status", 403, `Bearer error="insufficient_user_authentication", max_age=5`, protocol.Needs{}},
	{"success", 200, `Bearer error="insufficient_scope", scope="read"`, protocol.Needs{}},
	{"another scheme", 403, `Basic error="insufficient_scope", scope="read"`, protocol.Needs{}},
	{"another code", 401, `Bearer error="invalid_token"`, protocol.Needs{}},
	{"in a quoted string", 403, `Bearer realm="x, Bearer error=insufficient_scope"`, protocol.Needs{}},
	{"nothing", 401, "", protocol.Needs{}},
}

func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" " + strings.Repeat("a", i+1))
	}
	return b.String()
}

func TestNeedsOf(t *testing.T) {
	t.Parallel()
	for _, tt := range needs {
		got, ok := protocol.NeedsOf(&http.Response{StatusCode: tt.status, Header: http.Header{"Www-Authenticate": {tt.line}}})
		if !reflect.DeepEqual(got, tt.want) || ok != (tt.want.Code != "") {
			t.Errorf("%s: %+v, %t; want %+v", tt.name, got, ok, tt.want)
		}
	}
}

// FuzzNeeds: whatever an API writes, what is read of it can be sent, and is bounded.
func FuzzNeeds(f *testing.F) {
	for _, tt := range needs {
		f.Add(tt.status, tt.line)
	}
	f.Fuzz(func(t *testing.T, status int, line string) {
		got, ok := protocol.NeedsOf(&http.Response{StatusCode: status, Header: http.Header{"Www-Authenticate": {line}}})
		all := append(append([]string{}, got.Scopes...), got.ACR...)
		if !ok && len(all)+int(got.MaxAge) > 0 || ok && status != 401 && status != 403 {
			t.Errorf("%d %q: %+v, %t", status, line, got, ok)
		}
		if len(all) > 32 || len(strings.Join(all, " ")) > 1024 || got.MaxAge < 0 || got.MaxAge > 1<<31*time.Second {
			t.Errorf("%d %q: %+v", status, line, got)
		}
		for _, word := range all {
			if protocol.NoScopeToken(word) {
				t.Errorf("%d %q: %q", status, line, word)
			}
		}
	})
}
