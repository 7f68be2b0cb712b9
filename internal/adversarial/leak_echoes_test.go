package adversarial_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An echo is a response that repeats its request: told is the most secret word of it,
// heard is all of it.
type echo func(w http.ResponseWriter, told, heard string)

var echoes = []struct {
	name string
	echo
}{
	{"in the description of an error", func(w http.ResponseWriter, _, heard string) {
		writeJSON(w, 400, map[string]any{"error": "invalid_request", "error_description": heard, "error_uri": "https://evil.test/?" + heard})
	}},
	{"in place of an error code", func(w http.ResponseWriter, told, _ string) {
		writeJSON(w, 400, map[string]any{"error": "no good: " + told})
	}},
	{"as an error code", func(w http.ResponseWriter, told, _ string) { writeJSON(w, 400, map[string]any{"error": told}) }},
	{"in a failure", func(w http.ResponseWriter, _, heard string) { http.Error(w, heard, 500) }},
	{"in half a response", func(w http.ResponseWriter, _, heard string) {
		fmt.Fprintf(w, `{"access_token":%q,"sub":%[1]q,"issuer":%[1]q,"keys":[%[1]q`, heard)
	}},
	{"before a response", func(w http.ResponseWriter, told, _ string) { fmt.Fprint(w, told, `{}`) }},
	{"in every member", func(w http.ResponseWriter, told, _ string) {
		w.Header().Set("Content-Type", "application/json; x="+told)
		writeJSON(w, 200, map[string]any{
			"access_token": "an-access-token-of-no-type", "token_type": told, "scope": told, "expires_in": told, "id_token": told,
			"issuer": told, "token_endpoint": told, "keys": []map[string]any{{"kty": told, "kid": told}},
		})
	}},
	{"in headers", func(w http.ResponseWriter, told, heard string) {
		w.Header().Set("WWW-Authenticate", `Bearer error="`+told+`"`)
		w.Header().Set("Content-Type", told)
		w.Header().Set("X-Echo", strconv.Quote(heard))
		http.SetCookie(w, &http.Cookie{Name: "echo", Value: told})
		w.WriteHeader(401)
	}},
	{"in a redirect", func(w http.ResponseWriter, _, heard string) {
		w.Header().Set("Location", "https://evil.test/?"+url.QueryEscape(heard))
		w.WriteHeader(307)
	}},
	{"in a redirect to a malformed URL", func(w http.ResponseWriter, told, _ string) {
		w.Header().Set("Location", "https://evil.test/%zz"+told)
		w.WriteHeader(302)
	}},
}

func writeJSON(w http.ResponseWriter, status int, v map[string]any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// intercept is an Intercept function of the provider.
func (e echo) intercept(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
	told, heard := heardOf(r)
	e(w, told, heard)
}

// heardOf returns the most secret word of a request, and all of it.
func heardOf(r *http.Request) (told, heard string) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	_, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	told = cmp.Or(form.Get("refresh_token"), form.Get("token"), form.Get("code"), bearer, r.URL.String())
	return told, fmt.Sprint(told, " ", r.URL, " ", string(body), " ", r.Header)
}

// breaks are failures below HTTP, in the words of net/http and of transports around
// it.
var breaks = []struct {
	name string
	err  func(r *http.Request, told, heard string) error
}{
	{"a URL in an error", func(r *http.Request, told, _ string) error {
		return &url.Error{Op: "Post", URL: r.URL.String() + "?x=" + told, Err: errors.New("refused")}
	}},
	{"a URL in a wrapped error", func(r *http.Request, told, _ string) error {
		return fmt.Errorf("try again: %w", &url.Error{Op: "Post", URL: r.URL.String() + "?x=" + told, Err: errors.New("refused")})
	}},
	{"a response that is not HTTP", func(_ *http.Request, told, _ string) error {
		return fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", fmt.Errorf("malformed HTTP response %q", told))
	}},
	{"a panic", func(_ *http.Request, _, heard string) error { panic("transport: " + heard) }},
}

// tries calls do once for each way in which requests for path can go wrong, and
// before each time, while everything works, calls before.
func tries(a *apptest.App, path string, panics bool, before, do func()) {
	endpoint := map[string]oauthlogintest.Endpoint{
		"/.well-known/openid-configuration": oauthlogintest.Discovery, "/jwks": oauthlogintest.JWKS, "/token": oauthlogintest.Token,
		"/userinfo": oauthlogintest.UserInfo, "/revoke": oauthlogintest.Revocation,
	}[path]
	for _, e := range echoes {
		before()
		a.Provider.Intercept(endpoint, e.intercept)
		do()
		a.Provider.Intercept(endpoint, nil)
	}
	for _, b := range breaks {
		if b.name == "a panic" && !panics {
			continue
		}
		before()
		a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != path {
				return nil, nil
			}
			copied := r.Clone(r.Context())
			copied.Body = http.NoBody
			if r.GetBody != nil {
				copied.Body, _ = r.GetBody()
			}
			told, heard := heardOf(copied)
			return nil, b.err(r, told, heard)
		})
		do()
		a.Wire.CutBy(nil)
	}
}
