package oauthlogintest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestSignOut(t *testing.T) {
	now := time.Now()
	p := start(t, func(c *oauthlogintest.Config) { c.Now = func() time.Time { return now } })
	p.AutoApprove("alice")
	b := newBrowser(t)
	hint := b.signIn(p)["id_token"].(string)
	p.AutoApprove("")
	now = now.Add(2 * time.Hour) // the hint has expired
	p.RotateKeys()               // and its key is retired

	_, claims := decode(t, hint)
	claims["sub"] = "bob"
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	tampered := strings.Split(hint, ".")
	tampered[1] = base64.RawURLEncoding.EncodeToString(payload)
	tests := []struct {
		name     string
		params   url.Values
		location string // empty: a page
		status   int
	}{
		{"unregistered URI", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOutURI + "/"}}, "", 400},
		{"URI without a client", url.Values{"post_logout_redirect_uri": {signedOutURI}}, "", 400},
		{"URI of another client", url.Values{"client_id": {publicID}, "post_logout_redirect_uri": {signedOutURI}}, "", 400},
		{"hint of another client", url.Values{"client_id": {publicID}, "id_token_hint": {hint}}, "", 400},
		{"tampered hint", url.Values{"id_token_hint": {strings.Join(tampered, ".")}}, "", 400},
		{"repeated URI", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOutURI, signedOutURI}}, "", 400},

		{"hint", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOutURI}}, signedOutURI, 303},
		{"client_id and state", url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {signedOutURI}, "state": {"a b"}}, signedOutURI + "?state=a+b", 303},
		{"all", url.Values{"client_id": {clientID}, "id_token_hint": {hint}, "post_logout_redirect_uri": {signedOutURI}}, signedOutURI, 303},
		{"nothing", url.Values{}, "", 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			b.submit(b.get(newLogin(p).url()), "login", "alice", "action", "approve").redirect(t)

			a := b.post(p.Issuer()+"/end_session", test.params)
			if a.StatusCode != test.status || a.Header.Get("Location") != test.location {
				t.Errorf("got %d to %q, want %d to %q", a.StatusCode, a.Header.Get("Location"), test.status, test.location)
			}
			if signedOut := strings.Contains(a.body, "You are signed out"); signedOut != (test.status == 200) {
				t.Errorf("the page says: %s", a.body)
			}
			back := b.get(newLogin(p, "prompt", "none").url()).redirect(t)
			if ended := back.Get("error") == "login_required"; ended != (test.status != http.StatusBadRequest) {
				t.Errorf("prompt=none afterwards: %v", back)
			}
		})
	}
}
