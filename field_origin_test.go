package oauthlogin_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// The public origin is RedirectURL's: a proxy may have rewritten Host.
func TestPublicOriginBehindAProxy(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	w := a.Serve(http.MethodGet, "https://backend.internal/api/me", "Sec-Fetch-Mode", "cors", "Accept", "*/*", "Referer", "https://app.test/dashboard?q=1")
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["login_url"] != "/login?return_to=%2Fdashboard%3Fq%3D1" {
		t.Errorf("a script behind a proxy: %d %s", w.Code, w.Body)
	}
	for _, tt := range []struct {
		name, target string
		header       []string
		status       int
	}{
		{"behind a proxy", "https://backend.internal/logout", []string{"Origin", "https://app.test"}, http.StatusSeeOther},
		{"behind a proxy, with Sec-Fetch-Site", "https://backend.internal/logout", []string{"Origin", "https://app.test", "Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther},
		{"directly", "https://app.test/logout", []string{"Origin", "https://app.test"}, http.StatusSeeOther},
		{"no Origin", "https://backend.internal/logout", nil, http.StatusSeeOther},
		{"an Origin that agrees with a foreign Host", "https://evil.test/logout", []string{"Origin", "https://evil.test"}, http.StatusForbidden},
		{"an Origin that agrees with the host inside", "https://backend.internal/logout", []string{"Origin", "https://backend.internal"}, http.StatusForbidden},
		{"another port", "https://backend.internal/logout", []string{"Origin", "https://app.test:8443"}, http.StatusForbidden},
		{"another site", "https://app.test/logout", []string{"Origin", "https://app.test", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
	} {
		if w := a.Serve(http.MethodPost, tt.target, tt.header...); w.Code != tt.status {
			t.Errorf("logout, %s: %d", tt.name, w.Code)
		}
	}
}

const elsewhere = "under another host or scheme"

func TestLoginUnderAnotherOriginIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, origin, target string
		header               []string
		noTLS                bool
		warns                string // what began there; "": nothing
	}{
		{"another host", "", "https://www.app.test/login", nil, false, "https://www.app.test"},
		{"another port", "http://localhost:3000", "http://localhost:8080/login", nil, true, "http://localhost:8080"},
		{"another name of the host", "http://localhost:3000", "http://127.0.0.1:3000/login", nil, true, "http://127.0.0.1:3000"},
		{"TLS, and RedirectURL without", "http://localhost:3000", "https://localhost:3000/login", nil, false, "https://localhost:3000"},
		{"a proxy that says http", "", "http://app.test/login", []string{"X-Forwarded-Proto", "http"}, true, "http://app.test"},
		{"a proxy that says another host", "", "http://backend.internal/login", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.app.test"}, true, "https://backend.internal"},
		{"the public origin", "", "https://app.test/login", nil, false, ""},
		{"the default port", "", "https://APP.test:443/login", nil, false, ""},
		{"a proxy that ends TLS", "", "http://app.test/login", nil, true, ""},
		{"a proxy that rewrites Host", "", "http://backend.internal/login", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.test"}, true, ""},
		{"two proxies", "", "http://backend.internal/login", []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "app.test, inner.test"}, true, ""},
	} {
		a := apptest.New(t, apptest.Config{Origin: tt.origin})
		for range 3 {
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			if r.TLS = nil; !tt.noTLS {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			a.Auth.Login(w, r)
			if w.Code != http.StatusSeeOther {
				t.Errorf("%s: %d", tt.name, w.Code)
			}
		}
		log, n := a.Log.String(), 0
		if tt.warns != "" {
			n = 1
		}
		if strings.Count(log, elsewhere) != n || n > 0 && (!strings.Contains(log, "level=WARN") || !strings.Contains(log, tt.warns) || !strings.Contains(log, "redirect_url="+a.URL)) {
			t.Errorf("%s: %s", tt.name, log)
		}
	}
}

func TestLostLoginSaysWhy(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	resp := b.Get("/auth/callback?state=x&code=y")
	if log := a.Log.String(); !strings.Contains(log, "flow_not_found") || !strings.Contains(log, "the login began under another host or scheme than https://app.test,") {
		t.Error(log)
	}
	if !strings.Contains(resp.Text, "started at another address of this site") {
		t.Error(resp.Text)
	}
	// Of a login that is over the instance knows the return path for a while.
	callback := b.CallbackURL("/login?return_to=%2Fdashboard%3Fq%3D1")
	b.Get(callback)
	b.SetCookie(apptest.SessionCookie, "")
	if resp = b.Get(callback); resp.StatusCode != http.StatusBadRequest || len(resp.Links()) != 1 || resp.Links()[0] != "/login?return_to=%2Fdashboard%3Fq%3D1" {
		t.Errorf("%d %q", resp.StatusCode, resp.Links())
	}
}

const notServed = "no request has reached the login path"

// RequireAuth without anything that serves the login path leads to a 404.
func TestLoginPathThatNothingServes(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	gate := a.Auth.RequireAuth(http.NotFoundHandler())
	redirected := func(n int) {
		for range n {
			gate.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://app.test/dashboard", nil))
		}
	}
	redirected(2)
	if log := a.Log.String(); strings.Contains(log, notServed) {
		t.Error(log)
	}
	redirected(10)
	if log := a.Log.String(); strings.Count(log, notServed) != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "instances") || !strings.Contains(log, "login_path=/login") {
		t.Error(log)
	}
	a = apptest.New(t, apptest.Config{})
	gate = a.Auth.RequireAuth(http.NotFoundHandler())
	redirected(2)
	a.Browser(t).Get("/login")
	redirected(10)
	if log := a.Log.String(); strings.Contains(log, notServed) {
		t.Errorf("served: %s", log)
	}
}

func TestPathsAreLoggedAtStart(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.LoginPath, o.LogoutPath = "/in", "/out" }})
	for _, want := range []string{"level=DEBUG", "login_path=/in", "logout_path=/out", "https://app.test/auth/callback"} {
		if !strings.Contains(a.Log.String(), want) {
			t.Errorf("%s is not in %s", want, a.Log)
		}
	}
}

// withPrefix puts back the prefix that a proxy strips, as README.md shows.
func withPrefix(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path, r.RequestURI = prefix+r.URL.Path, prefix+r.RequestURI
		if r.URL.RawPath != "" {
			r.URL.RawPath = prefix + r.URL.RawPath
		}
		next.ServeHTTP(w, r)
	})
}

// below serves an application at https://app.test/app, behind a proxy that strips the
// prefix.
func below(t *testing.T, mount func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler) *apptest.App {
	t.Helper()
	const redirectURL = "https://app.test/app/auth/callback"
	a := apptest.New(t, apptest.Config{
		Provider: oauthlogintest.Config{Clients: []oauthlogintest.Client{{ID: "below", Secret: "s3cret-below", RedirectURIs: []string{redirectURL}}}},
		Change: func(o *oauthlogin.Options) {
			o.LoginPath, o.LogoutPath = "/app/login", "/app/logout"
			o.Providers[0].OAuth2 = &oauth2.Config{ClientID: "below", ClientSecret: "s3cret-below", RedirectURL: redirectURL}
		},
	})
	mux := http.NewServeMux()
	mux.Handle("/", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "%s for %s", r.URL.Path, s.User.Subject)
	})))
	served := mount(a.Auth, mux)
	a.Net["app.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // the proxy
		target, ok := strings.CutPrefix(r.RequestURI, "/app")
		if !ok {
			http.NotFound(w, r)
			return
		}
		inside := httptest.NewRequestWithContext(r.Context(), r.Method, target, r.Body)
		inside.Header, inside.Host = r.Header, r.Host
		served.ServeHTTP(w, inside)
	})
	return a
}

func TestPrefixThatAProxyStrips(t *testing.T) {
	t.Parallel()
	a := below(t, func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler {
		return withPrefix("/app", auth.Handler(http.StripPrefix("/app", mux)))
	})
	b := a.Browser(t)
	resp := b.Follow("/app/dashboard/a%2Fb?q=1")
	if resp.StatusCode != http.StatusOK || resp.Request.URL.RequestURI() != "/app/dashboard/a%2Fb?q=1" || resp.Text != "/dashboard/a/b for alice" {
		t.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, resp.Text)
	}
	if resp = b.Post("/app/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	if resp = b.Get("/app/dashboard"); resp.Location() != "/app/login?return_to=%2Fapp%2Fdashboard" {
		t.Errorf("signed out: %d to %q", resp.StatusCode, resp.Location())
	}

	// Without it the login would lead to itself.
	a = below(t, func(auth *oauthlogin.Middleware, mux http.Handler) http.Handler { return auth.Handler(mux) })
	for _, path := range []string{"/app/dashboard", "/app/auth/callback?code=x&state=y"} {
		b = a.Browser(t)
		resp = b.Follow(path)
		if resp.StatusCode != http.StatusInternalServerError || resp.Request.URL.Path == "/app/dashboard" {
			t.Errorf("%s leads to %s: %d", path, resp.Request.URL, resp.StatusCode)
		}
	}
	if log := a.Log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "code=internal") || !strings.Contains(log, "strips a prefix") {
		t.Error(log)
	}
}

func TestNewRefusesWhatTheFieldTold(t *testing.T) {
	t.Parallel()
	second := func(p oauthlogin.Provider, authURL, issuer string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) {
			if p.OAuth2.Endpoint.AuthURL = authURL; issuer != "" {
				p.Issuer, p.Identify, p.OAuth2.Endpoint = issuer, nil, oauth2.Endpoint{}
			}
			o.Providers = append(o.Providers, p)
		}
	}
	two := func() oauthlogin.Provider {
		return apptest.PlainProvider("two", "https://app.example/auth/callback/two")
	}
	first := func(change func(p *oauthlogin.Provider)) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { change(&o.Providers[0]) }
	}
	for _, tt := range []struct {
		name   string
		change func(*oauthlogin.Options)
		says   string // "": it is fine
	}{
		{"a redirect URL beyond ASCII", first(func(p *oauthlogin.Provider) { p.OAuth2.RedirectURL = "https://bücher.example/auth/callback" }), `"xn--bcher-kva.example"`},
		{"its ASCII form", first(func(p *oauthlogin.Provider) { p.OAuth2.RedirectURL = "https://xn--bcher-kva.example/auth/callback" }), ""},
		{"a post-logout URL beyond ASCII", first(func(p *oauthlogin.Provider) { p.PostLogoutRedirectURL = "https://bücher.example/" }), `"xn--bcher-kva.example"`},
		{"idle for longer than the lifetime", func(o *oauthlogin.Options) { o.IdleTimeout, o.MaxLifetime = 2e12, 1e12 }, "Options.IdleTimeout is 33m20s, longer than MaxLifetime, 16m40s"},
		{"idle for longer than the default lifetime", func(o *oauthlogin.Options) { o.IdleTimeout = 1e15 }, "Options.IdleTimeout is"},
		{"a lifetime shorter than the default idle timeout", func(o *oauthlogin.Options) { o.MaxLifetime = 1e12 }, ""},
		{"both alike", func(o *oauthlogin.Options) { o.IdleTimeout, o.MaxLifetime = 1e12, 1e12 }, ""},
		{"a plain provider at an issuer", second(two(), "https://op.example/authorize", ""), `both have the User.Issuer "https://op.example"`},
		{"a plain provider at an issuer, written otherwise", second(two(), "https://OP.example:443/authorize", ""), "both have the User.Issuer"},
		{"two plain providers on one origin", func(o *oauthlogin.Options) {
			o.Providers[0] = apptest.PlainProvider("one", "https://app.example/auth/callback")
			second(two(), o.Providers[0].OAuth2.Endpoint.AuthURL+"/two", "")(o)
		}, `both have the User.Issuer "https://plain.example"`},
		{"two plain providers on two origins", func(o *oauthlogin.Options) {
			o.Providers[0] = apptest.PlainProvider("one", "https://app.example/auth/callback")
			second(two(), "https://other.example/authorize", "")(o)
		}, ""},
		{"two registrations at one issuer", second(two(), "", "https://op.example"), ""},
		{"a plain provider on the host of a tenant", func(o *oauthlogin.Options) {
			o.Providers[0].Issuer = "https://op.example/tenant"
			second(two(), "https://op.example/authorize", "")(o)
		}, ""},
	} {
		opts := apptest.ValidOptions()
		tt.change(&opts)
		_, err := oauthlogin.New(opts)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Count(err.Error(), "\n") > 0) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

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
