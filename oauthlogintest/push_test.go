package oauthlogintest_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func startPushing(t *testing.T) (*oauthlogintest.Provider, *time.Time) {
	now := time.Now()
	return start(t, func(c *oauthlogintest.Config) {
		c.RequirePAR = true
		c.Now = func() time.Time { return now }
	}), &now
}

// push pushes a login and returns the reference.
func (b *browser) push(p *oauthlogintest.Provider, l login) string {
	b.t.Helper()
	a := b.post(p.Issuer()+"/par", l.params, basic()...)
	uri, _ := a.json(b.t)["request_uri"].(string)
	if a.StatusCode != http.StatusCreated || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		b.t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	return uri
}

func reference(p *oauthlogintest.Provider, uri string, extra ...string) string {
	params := url.Values{"client_id": {clientID}, "request_uri": {uri}}
	for i := 0; i < len(extra); i += 2 {
		params.Set(extra[i], extra[i+1])
	}
	return p.Issuer() + "/authorize?" + params.Encode()
}

// A page may be loaded again; the response ends the use of a reference.
func TestPushedRequest(t *testing.T) {
	p, _ := startPushing(t)
	b := newBrowser(t)
	l := newLogin(p)
	location := reference(p, b.push(p, l))
	b.get(location)
	a := b.submit(b.get(location), "login", "alice", "action", "approve")
	if resp := b.token(p, l.exchangeForm(a.redirect(t).Get("code"))); resp.StatusCode != http.StatusOK || resp.json(t)["id_token"] == nil {
		t.Errorf("%d %s", resp.StatusCode, resp.body)
	}
	if a := b.get(location); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "used before") {
		t.Errorf("again: %d %s", a.StatusCode, a.body)
	}
	doc := b.get(p.Issuer() + "/.well-known/openid-configuration").json(t)
	if doc["require_pushed_authorization_requests"] != true || doc["pushed_authorization_request_endpoint"] != p.Issuer()+"/par" {
		t.Errorf("metadata %v", doc)
	}
	if doc := b.get(start(t).Issuer() + "/.well-known/openid-configuration").json(t); doc["pushed_authorization_request_endpoint"] != nil {
		t.Errorf("metadata without Config.RequirePAR: %v", doc)
	}
}

func TestPushedRequestRefused(t *testing.T) {
	p, now := startPushing(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	refused := func(name, location string) {
		t.Helper()
		if a := b.get(location); a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", name, a.StatusCode, a.Header.Get("Location"))
		}
	}
	refused("in the front channel", newLogin(p).url())
	refused("an unknown reference", reference(p, "urn:ietf:params:oauth:request_uri:x"))
	refused("of another client", reference(p, b.push(p, newLogin(p)), "client_id", publicID))
	refused("with a further parameter", reference(p, b.push(p, newLogin(p)), "scope", "openid"))
	refused("twice", reference(p, b.push(p, newLogin(p)))+"&request_uri=x")
	late := b.push(p, newLogin(p))
	*now = now.Add(time.Minute)
	refused("late", reference(p, late))

	for name, params := range map[string][]string{
		"a request_uri in it":     {"request_uri", "urn:x"},
		"another client":          {"client_id", publicID},
		"no client_id":            {"client_id", ""},
		"an unknown redirect URI": {"redirect_uri", "https://attacker.example/"},
		"no PKCE":                 {"code_challenge", ""},
		"a request object":        {"request", "x"},
	} {
		a := b.post(p.Issuer()+"/par", newLogin(p, params...).params, basic()...)
		if a.StatusCode/100 != 4 || a.json(t)["request_uri"] != nil {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	wantError(t, b.post(p.Issuer()+"/par", newLogin(p).params), http.StatusUnauthorized, "invalid_client")
	public := maps.Clone(newLogin(p, "client_id", publicID, "redirect_uri", publicURI).params)
	if a := b.post(p.Issuer()+"/par", public); a.StatusCode != http.StatusCreated {
		t.Errorf("a public client: %d %s", a.StatusCode, a.body)
	}
}
