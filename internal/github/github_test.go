package github

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

func TestAPI(t *testing.T) {
	for authURL, want := range map[string]string{
		"https://github.com/login/oauth/authorize":       "https://api.github.com",
		"https://GitHub.com/login/oauth/authorize":       "https://api.github.com",
		"https://octo.ghe.com/login/oauth/authorize":     "https://api.octo.ghe.com",
		"https://git.example:8443/login/oauth/authorize": "https://git.example:8443/api/v3",
		"https://github.com.evil.example/login":          "https://github.com.evil.example/api/v3",
		"https://notghe.com/login":                       "https://notghe.com/api/v3",
		"http://127.0.0.1:9000/login/oauth/authorize":    "http://127.0.0.1:9000/api/v3",
		"https://ghe.com.evil.example/login":             "https://ghe.com.evil.example/api/v3",
		"://":                                            "",
	} {
		if got := API(authURL); got != want {
			t.Errorf("%s: %q, want %q", authURL, got, want)
		}
	}
}

// An api responds to paths with a body, or a status alone, or not at all.
type api map[string]any

var errDown = errors.New("down")

func (a api) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
	switch v := a[r.URL.Path].(type) {
	case string:
		resp.Body = io.NopCloser(strings.NewReader(v))
	case io.ReadCloser:
		resp.Body = v
	case int:
		resp.StatusCode = v
	default:
		return nil, errDown
	}
	if r.Method != http.MethodGet || r.URL.Host != "api.github.com" || r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("X-GitHub-Api-Version") == "" {
		resp.StatusCode = http.StatusTeapot
	}
	return resp, nil
}

func TestRead(t *testing.T) {
	const alice = `{"id":12,"login":"alice","name":"Alice A.","email":"public@example.com"}`
	for _, tt := range []struct {
		name         string
		user, emails any
		want         Profile // but for Raw
		fails        string
	}{
		{
			"a user", alice, `[{"email":"old@example.com","primary":false,"verified":true},{"email":"a@example.com","primary":true,"verified":true}]`,
			Profile{ID: "12", Name: "Alice A.", Email: "a@example.com"},
			"",
		},
		{"a user without a name", `{"id":9007199254740993,"login":"bob","name":null}`, `[]`, Profile{ID: "9007199254740993", Name: "bob"}, ""},
		{"an address that is not verified", alice, `[{"email":"a@example.com","primary":true,"verified":false}]`, Profile{ID: "12", Name: "Alice A."}, ""},
		{"no primary address", alice, `[{"email":"a@example.com","verified":true}]`, Profile{ID: "12", Name: "Alice A."}, ""},
		{"no permission to read addresses", alice, 403, Profile{ID: "12", Name: "Alice A."}, ""},
		{"no addresses to find", alice, 404, Profile{ID: "12", Name: "Alice A."}, ""},
		{"addresses that fail", alice, 500, Profile{}, "read /user/emails"},
		{"addresses that cannot be reached", alice, nil, Profile{}, "down"},
		{"addresses that are no list", alice, `{"message":"x"}`, Profile{}, "not a list"},
		{"addresses that are no JSON", alice, `<html>`, Profile{}, "not JSON"},
		{"an id of 0", `{"id":0,"login":"alice"}`, `[]`, Profile{}, "no id"},
		{"a negative id", `{"id":-1,"login":"alice"}`, `[]`, Profile{}, "no id"},
		{"no id", `{"login":"alice"}`, `[]`, Profile{}, "no id"},
		{"an id that is a string", `{"id":"12","login":"alice"}`, `[]`, Profile{}, "no id"},
		{"a list", `[]`, `[]`, Profile{}, "no id"},
		{"no JSON", `{"id":12`, `[]`, Profile{}, "not JSON"},
		{"a token that is not accepted", 401, `[]`, Profile{}, "read /user"},
		{"no connection", nil, `[]`, Profile{}, "down"},
		{"a body that breaks off", io.NopCloser(iotest.ErrReader(errDown)), `[]`, Profile{}, "read response: down"},
	} {
		client := &http.Client{Transport: api{"/user": tt.user, "/user/emails": tt.emails}}
		got, err := Read(t.Context(), client, "https://api.github.com")
		if tt.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.fails)
			}
			continue
		}
		if err != nil || got.ID != tt.want.ID || got.Name != tt.want.Name || got.Email != tt.want.Email || string(got.Raw) != tt.user {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
	// The caller tells a token that is not accepted from a server that is down.
	var status protocol.StatusError
	_, err := Read(t.Context(), &http.Client{Transport: api{"/user": 401}}, "https://api.github.com")
	if !errors.As(err, &status) || status != http.StatusUnauthorized {
		t.Errorf("status %d, %v", status, err)
	}
	if _, err := Read(t.Context(), http.DefaultClient, "://"); err == nil {
		t.Error("an API that is not a URL is read")
	}
}
