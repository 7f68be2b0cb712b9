package oauthlogin_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// With several providers, a link of another site must not choose: it could sign the
// victim in with an account of the attacker.
func TestLinkOfAnotherSiteChoosesNoProvider(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	for site, chosen := range map[string]bool{"cross-site": false, "same-site": false, "same-origin": true, "none": true, "": true} {
		b := a.Browser(t)
		resp := b.Get("/login?provider=two&return_to=%2Fdashboard%3Fq%3D1", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate")
		if chosen {
			if !strings.HasPrefix(resp.Location(), "https://two.test/authorize?") {
				t.Errorf("%q: %d to %q", site, resp.StatusCode, resp.Location())
			}
			continue
		}
		links := resp.Links()
		if resp.StatusCode != http.StatusOK || len(resp.Cookies()) > 0 || len(links) != 2 || links[1] != "/login?provider=two&return_to="+url.QueryEscape("/dashboard?q=1") {
			t.Fatalf("%q: %d %q", site, resp.StatusCode, links)
		}
		if resp = b.Page("https://app.test").Link("https://app.test" + links[1]); !strings.HasPrefix(resp.Location(), "https://two.test/") {
			t.Errorf("the chooser's link: %d to %q", resp.StatusCode, resp.Location())
		}
	}
	// With one provider there is nothing to choose.
	single := apptest.New(t, apptest.Config{}).Browser(t)
	if resp := single.Get("/login?provider=test", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("one provider: %d", resp.StatusCode)
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
			t.Errorf("the page's link is not a choice: %d %s", resp.StatusCode, resp.Text)
		}
	}
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	a.RefusedAtOnce(b, b.Get("/login?provider=other"), http.StatusBadRequest)
}

// Each login goes to its own provider, also with both pending at once.
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
		a.Expect("callback", b.Get(test.cb), http.StatusSeeOther, "/api/me")
		user := apptest.UserOf(t, b.Get("/api/me"))
		if user.Provider != test.provider || user.Issuer != test.issuer || user.Subject != test.subject {
			t.Errorf("user %+v", user)
		}
	}
	if a.Provider.Count(oauthlogintest.Token) != 1 || two.Count(oauthlogintest.Token) != 1 {
		t.Error("a code went elsewhere")
	}
	// The page of a cancelled login goes back to the same provider.
	cb := apptest.Edited(t, b.CallbackURL("/login?provider=two&return_to=%2Fdashboard"), func(q url.Values) { q.Set("error", "access_denied") })
	if links := b.Get(cb).Links(); !slices.Equal(links, []string{"/login?provider=two&return_to=%2Fdashboard"}) {
		t.Errorf("links %q", links)
	}
}

// A provider without a name is named after its host.
func TestProviderNameByDefault(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) { o.Providers[0].Name, o.Providers[1].Name = "", "" })
	b := a.Browser(t)
	for _, name := range []string{"provider.test", "two.test"} {
		resp := b.Follow("/login?return_to=%2Fapi%2Fme&provider=" + name)
		if apptest.UserOf(t, resp).Provider != name {
			t.Errorf("%s: %s", name, resp.Text)
		}
	}
}

// A provider that is down affects neither the other nor the choice.
func TestOneProviderIsDown(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewTwoProviders(t, nil)
	delete(a.Net, "two.test")
	b := a.Browser(t)
	if resp := b.Get("/login"); resp.StatusCode != http.StatusOK || len(resp.Links()) != 2 {
		t.Errorf("choice: %d", resp.StatusCode)
	}
	a.RefusedAtOnce(b, b.Get("/login?provider=two&return_to=%2Fdashboard"), http.StatusBadGateway)
	if resp := b.Follow("/login?provider=one&return_to=%2Fdashboard"); resp.Request.URL.Path != "/dashboard" || resp.StatusCode != http.StatusOK {
		t.Errorf("the other: %d at %s", resp.StatusCode, resp.Request.URL)
	}
}
