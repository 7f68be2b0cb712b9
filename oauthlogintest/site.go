package oauthlogintest

import (
	"cmp"
	"net/http"
	"net/url"
	"testing"
)

// A Site is an application and a [Provider] on a network of their own, in the
// process of the test.
type Site struct {
	// URL is the origin of the application, https://app.test.
	URL string

	// Provider is where its users sign in.
	Provider *Provider

	t    testing.TB
	base *url.URL
}

const (
	siteURL    = "https://app.test"
	siteIssuer = "https://provider.test"
)

// Run serves the application that newApp returns, and a [Provider], until the test
// ends. It uses no sockets, shares nothing with other tests, and works in a
// [testing/synctest] bubble if it is called in there. base is the origin of the
// application, which newApp configures with [Provider.Registration] and
// [Provider.HTTPClient]. newApp may use t.
//
// Without cfg.Clients, the application is registered as [Provider.Registration]
// says. Without cfg.Issuer, the issuer is https://provider.test. The Provider signs
// with ES256, whose keys are quick to make (see [Provider.SetKeyAlg]), and it shows
// the sign-in page at every login (see [Provider.RememberUsers]).
func Run(t testing.TB, cfg Config, newApp func(base string, p *Provider) http.Handler) *Site {
	t.Helper()
	cfg.Issuer = cmp.Or(cfg.Issuer, siteIssuer)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	base, issuer := parse(siteURL), parse(p.Issuer())
	if hostPort(base) == hostPort(issuer) {
		t.Fatalf("oauthlogintest: Config.Issuer %q is the application's origin", cfg.Issuer)
	}
	p.network = newNetwork()
	t.Cleanup(func() {
		p.network.close()
		p.Close()
	})
	p.SetKeyAlg("ES256")
	p.RememberUsers(false)
	// The application may ask the provider before it is served itself.
	p.network.serve(issuer, p)
	app := newApp(siteURL, p)
	if app == nil {
		t.Fatal("oauthlogintest: Run: the application is a nil http.Handler")
	}
	p.clientAt(siteURL) // for a newApp that has not called Registration, maybe with a prefix
	p.network.serve(base, app)
	return &Site{URL: siteURL, Provider: p, t: t, base: base}
}

// parse is for URLs that are known to be valid.
func parse(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return u
}

// Browser returns a new browser, in which no user is signed in.
func (s *Site) Browser() *Browser { return &Browser{site: s} }

// SignIn returns a new browser, in which a user has signed in through /login of the
// application. Any name will do for a user: see [Config.Users]. It fails the test if
// the application does not accept the login.
//
// For an application with its login elsewhere, use [Browser.SignIn].
func (s *Site) SignIn(user string) *Browser {
	s.t.Helper()
	b := s.Browser()
	b.SignIn(user)
	return b
}
