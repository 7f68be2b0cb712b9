package oauthlogin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestChooser(t *testing.T) {
	t.Parallel()
	a, two := apptest.NewTwoProviders(t, nil)
	for _, query := range []string{"?return_to=%2Fdashboard%3Fq%3D1%26r%3D2", "?provider=&return_to=%2Fdashboard%3Fq%3D1%26r%3D2"} {
		b := a.Browser(t)
		resp := b.Get("/login" + query)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || len(resp.Cookies()) > 0 ||
			resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		// Links, in a list with a heading, in a language: no script needed.
		for _, part := range []string{`<html lang="en">`, "<h1>", "<ul", ">one</a>", ">two</a>", "<title>"} {
			if !strings.Contains(resp.Text, part) {
				t.Errorf("page has no %s: %s", part, resp.Text)
			}
		}
		if strings.Contains(resp.Text, "<script") || strings.Contains(resp.Text, "//") {
			t.Errorf("page loads things: %s", resp.Text)
		}
		links := resp.Links()
		if len(links) != 2 {
			t.Fatalf("links %q", links)
		}
		for i, user := range []string{"alice", "bob"} {
			b := a.Browser(t)
			if resp := b.Follow(links[i]); resp.Request.URL.RequestURI() != "/dashboard?q=1&r=2" || !strings.Contains(resp.Text, user) {
				t.Errorf("%s leads to %s: %s", links[i], resp.Request.URL, resp.Text)
			}
		}
	}
	if n := a.Provider.Count(oauthlogintest.Discovery) + two.Count(oauthlogintest.Discovery); n != 2 {
		t.Errorf("%d discoveries; a choice alone needs none", n)
	}
}

func TestChooserEscapesNames(t *testing.T) {
	t.Parallel()
	names := []string{`<script>alert("hostile")</script>`, `" onclick='x' & / ? # é %2F {{.}}`}
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
		o.Providers[0].Name, o.Providers[1].Name = names[0], names[1]
	})
	b := a.Browser(t)
	resp := b.Get("/login?return_to=%2Fdashboard%3Fq%3D%3Cscript%3E%22")
	if strings.Contains(resp.Text, "<script>") || strings.Contains(resp.Text, `" onclick`) {
		t.Errorf("page %s", resp.Text)
	}
	for i, link := range resp.Links() {
		b := a.Browser(t)
		resp := b.Follow(link)
		var user oauthlogin.User
		if err := json.Unmarshal([]byte(resp.Text), &user); err != nil || user.Provider != names[i] || resp.Request.URL.Query().Get("q") != `<script>"` {
			t.Errorf("%s leads to %s: %s", link, resp.Request.URL, resp.Text)
		}
	}
}

func TestUnknownProvider(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"provider=hostile", "provider=ONE", "provider=one%20", "provider=%3Cscript%3Ehostile", "provider=one&provider=two", "provider=one&provider=one"} {
		a, _ := apptest.NewTwoProviders(t, nil)
		b := a.Browser(t)
		resp := b.Get("/login?return_to=%2Fdashboard&" + query)
		a.RefusedAtOnce(b, resp, http.StatusBadRequest)
		if strings.Contains(resp.Text, "hostile") || strings.Contains(a.Log.String(), "hostile") {
			t.Errorf("%s is reflected: %s %s", query, resp.Text, a.Log)
		}
		links := resp.Links()
		if len(links) != 1 {
			t.Fatalf("links %q", links)
		}
		if resp := b.Get(links[0]); resp.StatusCode != http.StatusOK || len(resp.Links()) != 2 {
			t.Errorf("the page's link is no choice: %d %s", resp.StatusCode, resp.Text)
		}
	}
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	a.RefusedAtOnce(b, b.Get("/login?provider=other"), http.StatusBadRequest)
}

// RFC 9700 section 4.4: an attacker who is one of the providers gets no code
// of another, and none of his is taken for another's.
func TestMixUp(t *testing.T) {
	t.Parallel()
	const callbackOne, callbackTwo = "https://app.test/auth/callback", "https://app.test/auth/callback/two"
	at := func(target, cb string) string {
		_, query, _ := strings.Cut(cb, "?")
		return target + "?" + query
	}
	value := func(t *testing.T, cb, name string) string {
		u, err := url.Parse(cb)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get(name)
	}
	// one and two are callbacks of logins pending in the same browser.
	for _, test := range []struct {
		name  string
		cb    func(t *testing.T, one, two string) string
		byISS bool // nothing but iss gives it away, before the provider refuses the verifier
	}{
		// Section 4.4.1: two sent the browser on to one, with its own state.
		{"one's answer to two's request", func(t *testing.T, one, two string) string {
			return apptest.Edited(t, one, func(q url.Values) { q.Set("state", value(t, two, "state")) })
		}, false},
		{"two's answer to one's request", func(t *testing.T, one, two string) string {
			return apptest.Edited(t, two, func(q url.Values) { q.Set("state", value(t, one, "state")) })
		}, false},
		{"one's answer at two's path", func(_ *testing.T, one, _ string) string { return at(callbackTwo, one) }, false},
		{"two's answer at one's path", func(_ *testing.T, _, two string) string { return at(callbackOne, two) }, false},
		{"one's error at two's path", func(t *testing.T, one, _ string) string {
			return at(callbackTwo, apptest.Edited(t, one, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }))
		}, false},
		{"one's answer to two's request, at two's path", func(t *testing.T, one, two string) string {
			return at(callbackTwo, apptest.Edited(t, one, func(q url.Values) { q.Set("state", value(t, two, "state")) }))
		}, true},
		{"two's answer to one's request, at one's path", func(t *testing.T, one, two string) string {
			return at(callbackOne, apptest.Edited(t, two, func(q url.Values) { q.Set("state", value(t, one, "state")) }))
		}, true},
		{"one's answer with two's issuer", func(t *testing.T, one, _ string) string {
			return apptest.Edited(t, one, func(q url.Values) { q.Set("iss", "https://two.test") })
		}, true},
	} {
		for _, withISS := range []bool{true, false} {
			if test.byISS && !withISS {
				continue
			}
			name := test.name
			if !withISS {
				name += ", from providers that do not send iss"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var failed failures
				a, two := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.ErrorHandler = failed.handle })
				strip := func(cb string) string { return cb }
				if !withISS {
					for _, p := range []*oauthlogintest.Provider{a.Provider, two} {
						p.EditDiscovery(func(doc map[string]any) { delete(doc, "authorization_response_iss_parameter_supported") })
					}
					strip = func(cb string) string { return apptest.Edited(t, cb, func(q url.Values) { q.Del("iss") }) }
				}
				b := a.Browser(t)
				one := strip(b.CallbackURL("/login?provider=one&return_to=%2Fdashboard"))
				other := strip(b.CallbackURL("/login?provider=two&return_to=%2Fdashboard"))
				a.RefusedAtOnce(b, b.Get(test.cb(t, one, other)), http.StatusBadRequest)
				if failed.code() != "issuer_mismatch" {
					t.Errorf("error code %q", failed.code())
				}
				if n := two.Count(oauthlogintest.Token); n != 0 {
					t.Errorf("%d token requests to two", n)
				}
			})
		}
	}
}

// Each login is of its own provider, also with both pending at once.
func TestTwoProvidersAtOnce(t *testing.T) {
	t.Parallel()
	a, two := apptest.NewTwoProviders(t, nil)
	b := a.Browser(t)
	first := b.CallbackURL("/login?provider=one&return_to=%2Fapi%2Fme")
	second := b.CallbackURL("/login?provider=two&return_to=%2Fapi%2Fme")
	for _, test := range []struct{ cb, provider, issuer, subject string }{
		{second, "two", "https://two.test", "bob"},
		{first, "one", "https://provider.test", "alice"},
	} {
		if resp := b.Get(test.cb); resp.Location() != "/api/me" {
			t.Fatalf("callback: %d to %q", resp.StatusCode, resp.Location())
		}
		var user oauthlogin.User
		if err := json.Unmarshal([]byte(b.Get("/api/me").Text), &user); err != nil {
			t.Fatal(err)
		}
		if user.Provider != test.provider || user.Issuer != test.issuer || user.Subject != test.subject {
			t.Errorf("user %+v", user)
		}
	}
	if a.Provider.Count(oauthlogintest.Token) != 1 || two.Count(oauthlogintest.Token) != 1 {
		t.Error("a code went elsewhere")
	}
	// The page of a failed login goes back to the same provider.
	cb := apptest.Edited(t, b.CallbackURL("/login?provider=two&return_to=%2Fdashboard"), func(q url.Values) { q.Set("error", "access_denied") })
	if links := b.Get(cb).Links(); !slices.Equal(links, []string{"/login?provider=two&return_to=%2Fdashboard"}) {
		t.Errorf("links %q", links)
	}
}

// Without a name a provider has that of its host.
func TestProviderNameByDefault(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Providers[0].Name, o.Providers[1].Name = "", "" })
	b := a.Browser(t)
	for _, name := range []string{"provider.test", "two.test"} {
		resp := b.Follow("/login?return_to=%2Fapi%2Fme&provider=" + name)
		var user oauthlogin.User
		if err := json.Unmarshal([]byte(resp.Text), &user); err != nil || user.Provider != name {
			t.Errorf("%s: %s", name, resp.Text)
		}
	}
}

// One provider that is down is no trouble for the other, nor for the choice.
func TestOneProviderIsDown(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	delete(a.Net, "two.test")
	b := a.Browser(t)
	if resp := b.Get("/login"); resp.StatusCode != http.StatusOK || len(resp.Links()) != 2 {
		t.Errorf("choice: %d", resp.StatusCode)
	}
	resp := b.Get("/login?provider=two&return_to=%2Fdashboard")
	a.RefusedAtOnce(b, resp, http.StatusBadGateway)
	if resp := b.Follow("/login?provider=one&return_to=%2Fdashboard"); resp.Request.URL.Path != "/dashboard" || resp.StatusCode != http.StatusOK {
		t.Errorf("the other: %d at %s", resp.StatusCode, resp.Request.URL)
	}
}
