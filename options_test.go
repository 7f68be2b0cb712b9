package oauthlogin_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// faultsOf returns the faults that an error of New joins.
func faultsOf(t *testing.T, err error) []error {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v (%T) joins no errors", err, err)
	}
	return joined.Unwrap()
}

// plainAt is a plain provider with this authorization endpoint, at a callback path of
// its own.
func plainAt(name, authURL string) oauthlogin.Provider {
	p := apptest.PlainProvider(name, "https://app.example/auth/callback/"+name)
	p.OAuth2.Endpoint.AuthURL = authURL
	return p
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	first := func(o *oauthlogin.Options) *oauthlogin.Provider { return &o.Providers[0] }
	redirect := func(u string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { first(o).OAuth2.RedirectURL = u }
	}
	issuer := func(u string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { first(o).Issuer = u }
	}
	loginPath := func(p string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.LoginPath = p }
	}
	homePath := func(p string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.HomePath = p }
	}
	key := func(k []byte) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.Keys = [][]byte{k} }
	}
	limits := func(idle, lifetime time.Duration) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.IdleTimeout, o.MaxLifetime = idle, lifetime }
	}
	cookieName := func(name string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.CookieName = name }
	}
	plain := func(change func(*oauthlogin.Provider)) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) {
			o.Providers[0] = apptest.PlainProvider("test", "https://app.example/auth/callback")
			change(first(o))
		}
	}
	add := func(p oauthlogin.Provider) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.Providers = append(o.Providers, p) }
	}
	trusted := func(origin string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.TrustedOrigins = []string{origin} }
	}
	const (
		origin      = "Options.TrustedOrigins[0] "
		redirectURL = "Options.Providers[0].OAuth2.RedirectURL "
		second      = "Options.Providers[1].OAuth2.RedirectURL "
		issuerField = "Options.Providers[0].Issuer "
		postLogout  = "Options.Providers[0].PostLogoutRedirectURL "
		bothIssuers = "Options.Providers[0] and Providers[1] would both have the User.Issuer "
	)
	for _, test := range []struct {
		name   string
		change func(*oauthlogin.Options)
		fault  string // begins with the path of the field, in Go
	}{
		{"no provider", func(o *oauthlogin.Options) { o.Providers = nil }, "Options.Providers "},
		{"a provider without a client", func(o *oauthlogin.Options) { first(o).OAuth2 = nil }, "Options.Providers[0].OAuth2 "},
		{"a client without an ID", func(o *oauthlogin.Options) { first(o).OAuth2.ClientID = "" }, "Options.Providers[0].OAuth2.ClientID "},

		{"no redirect URL", redirect(""), redirectURL},
		{"a redirect URL that is a path", redirect("/auth/callback"), redirectURL},
		{"a redirect URL without a scheme", redirect("app.example/auth/callback"), redirectURL},
		{"a redirect URL without a scheme, with a host", redirect("//app.example/auth/callback"), redirectURL},
		{"a redirect URL without a host", redirect("https:///auth/callback"), redirectURL},
		{"a redirect URL with a port alone", redirect("https://:443/auth/callback"), redirectURL},
		{"a redirect URL with an app's own scheme", redirect("com.example.app:/auth/callback"), redirectURL},
		{"a redirect URL that runs a script", redirect("javascript:alert(1)"), redirectURL},
		{"a malformed redirect URL", redirect("https://app.example:port/auth/callback"), redirectURL},
		// RFC 6749 section 3.1.2.
		{"a redirect URL with a fragment", redirect("https://app.example/auth/callback#here"), redirectURL},
		{"a redirect URL with an empty fragment", redirect("https://app.example/auth/callback#"), redirectURL},
		{"a redirect URL without a path", redirect("https://app.example"), redirectURL},
		{"a redirect URL that is the whole site", redirect("https://app.example/"), redirectURL},
		{"a redirect URL with dots", redirect("https://app.example/auth/../callback"), redirectURL},
		{"a redirect URL with a password", redirect("https://me:" + apptest.TestSecret + "@app.example/auth/callback"), redirectURL},
		// RFC 8252 section 7.3, RFC 9700 section 2.6.
		{"a redirect URL without TLS", redirect("http://app.example/auth/callback"), redirectURL},
		{"a redirect URL without TLS in the local network", redirect("http://192.168.0.1/auth/callback"), redirectURL},
		{"a redirect URL without TLS on all addresses", redirect("http://0.0.0.0:3000/auth/callback"), redirectURL},
		{"a redirect URL without TLS on all IPv6 addresses", redirect("http://[::]:3000/auth/callback"), redirectURL},
		{"a redirect URL without TLS that begins like loopback", redirect("http://localhost.evil.example/auth/callback"), redirectURL},
		{"a redirect URL without TLS that begins like 127.0.0.1", redirect("http://127.0.0.1.nip.example/auth/callback"), redirectURL},

		{"a redirect URL beyond ASCII", redirect("https://bücher.example/auth/callback"), redirectURL + `"https://bücher.example/auth/callback" has a host that browsers write as "xn--bcher-kva.example"`},

		{"no key", func(o *oauthlogin.Options) { o.Keys = nil }, "Options.Keys "},
		{"an empty key", key([]byte{}), "Options.Keys[0] "},
		{"a nil key", key(nil), "Options.Keys[0] "},
		{"a key of 31 bytes", key(apptest.Key(1)[:31]), "Options.Keys[0] "},
		{"a key of zeros", key(make([]byte, 32)), "Options.Keys[0] "},
		{"a key of one byte repeated", key(bytes.Repeat([]byte("k"), 64)), "Options.Keys[0] "},
		{"a short second key", func(o *oauthlogin.Options) { o.Keys = append(o.Keys, apptest.Key(9)[:16]) }, "Options.Keys[1] "},

		// OpenID Connect Core section 2: no query, no fragment, https.
		{"an issuer with a query", issuer("https://op.example?tenant=1"), issuerField},
		{"an issuer with an empty query", issuer("https://op.example?"), issuerField},
		{"an issuer with a fragment", issuer("https://op.example#tenant"), issuerField},
		{"an issuer without TLS", issuer("http://op.example"), issuerField},
		{"an issuer without a scheme", issuer("op.example"), issuerField},
		{"an issuer with a password", issuer("https://me:" + apptest.TestSecret + "@op.example"), issuerField},

		{
			"an issuer that is the URL of its metadata", issuer("https://op.example/tenant/.well-known/openid-configuration"),
			issuerField + `"https://op.example/tenant/.well-known/openid-configuration" is the URL of the metadata; the issuer is "https://op.example/tenant", `,
		},
		{
			"a logout with a hint of its own", func(o *oauthlogin.Options) { first(o).LogoutParams = url.Values{"ID_token_hint": {"x"}} },
			`Options.Providers[0].LogoutParams sets "ID_token_hint", `,
		},

		{"an issuer and Identify", func(o *oauthlogin.Options) { first(o).Identify = apptest.PlainProvider("", "").Identify }, "Options.Providers[0].Identify "},
		{"an issuer and an endpoint", func(o *oauthlogin.Options) { first(o).OAuth2.Endpoint.TokenURL = "https://op.example/token" }, "Options.Providers[0].OAuth2.Endpoint "},
		{"neither issuer nor Identify", plain(func(p *oauthlogin.Provider) { p.Identify = nil }), "Options.Providers[0].Identify "},
		{"neither issuer nor authorization endpoint", plain(func(p *oauthlogin.Provider) { p.OAuth2.Endpoint.AuthURL = "" }), "Options.Providers[0].OAuth2.Endpoint.AuthURL "},
		{"neither issuer nor token endpoint", plain(func(p *oauthlogin.Provider) { p.OAuth2.Endpoint.TokenURL = "" }), "Options.Providers[0].OAuth2.Endpoint.TokenURL "},
		{"an authorization endpoint without TLS", plain(func(p *oauthlogin.Provider) { p.OAuth2.Endpoint.AuthURL = "http://op.example/authorize" }), "Options.Providers[0].OAuth2.Endpoint.AuthURL "},
		{"a token endpoint without TLS", plain(func(p *oauthlogin.Provider) { p.OAuth2.Endpoint.TokenURL = "http://op.example/token" }), "Options.Providers[0].OAuth2.Endpoint.TokenURL "},
		{"a token endpoint with a password", plain(func(p *oauthlogin.Provider) {
			p.OAuth2.Endpoint.TokenURL = "https://me:" + apptest.TestSecret + "@op.example/token"
		}), "Options.Providers[0].OAuth2.Endpoint.TokenURL "},
		{"an authorization endpoint with a state", plain(func(p *oauthlogin.Provider) { p.OAuth2.Endpoint.AuthURL = "https://op.example/authorize?state=fixed" }), "Options.Providers[0].OAuth2.Endpoint.AuthURL"},
		{"a max_age that is not a number", func(o *oauthlogin.Options) { first(o).AuthParams = url.Values{"max_age": {"1h"}} }, "Options.Providers[0].AuthParams"},

		{"two providers with one name", add(apptest.PlainProvider("test", "https://app.example/auth/callback/two")), "Options.Providers[1].Name "},
		{"two providers with one redirect URL", add(apptest.PlainProvider("two", "https://app.example/auth/callback")), second},
		// RFC 9700 section 4.4.2.2: a router tells paths apart, and nothing else.
		{"two redirect URLs that differ in their query", add(apptest.PlainProvider("two", "https://app.example/auth/callback?provider=two")), second},
		{"redirect URLs on two hosts", add(apptest.PlainProvider("two", "https://two.example/auth/callback/two")), second},
		{"redirect URLs on two ports", add(apptest.PlainProvider("two", "https://app.example:8443/auth/callback/two")), second},
		{"redirect URLs with and without TLS", func(o *oauthlogin.Options) {
			first(o).OAuth2.RedirectURL = "https://localhost/auth/callback"
			o.Providers = append(o.Providers, apptest.PlainProvider("two", "http://localhost/auth/callback/two"))
		}, second},

		// Users of two providers with one User.Issuer could pass for one another.
		{"a plain provider at an issuer", add(plainAt("two", "https://op.example/authorize")), bothIssuers + `"https://op.example"`},
		{"a plain provider at an issuer, written otherwise", add(plainAt("two", "https://OP.example:443/authorize")), bothIssuers},
		{"two plain providers on one origin", func(o *oauthlogin.Options) {
			o.Providers = []oauthlogin.Provider{plainAt("one", "https://plain.example/authorize"), plainAt("two", "https://plain.example/authorize/two")}
		}, bothIssuers + `"https://plain.example"`},

		{"a login path that is the logout path", loginPath("/logout"), "Options.LoginPath "},
		{"a login path that is the callback's", loginPath("/auth/callback"), redirectURL},
		{"a logout path that is the callback's", func(o *oauthlogin.Options) { o.LogoutPath = "/auth/callback" }, redirectURL},
		{"a login path at which providers send logout tokens", loginPath("/logout/backchannel"), "Options.LoginPath "},
		{"a callback at which providers send logout tokens", func(o *oauthlogin.Options) {
			o.LogoutPath, first(o).OAuth2.RedirectURL = "/bye/", "https://app.example/bye/backchannel"
		}, redirectURL},
		{"a login path that is the whole site", loginPath("/"), "Options.LoginPath "},
		{"a relative login path", loginPath("login"), "Options.LoginPath "},
		{"a login path with a query", loginPath("/login?x=1"), "Options.LoginPath "},
		{"a login path with dots", loginPath("/a/../login"), "Options.LoginPath "},
		{"a login path on another host", loginPath("//evil.example/login"), "Options.LoginPath "},
		{"a login path that is a URL", loginPath("https://app.example/login"), "Options.LoginPath "},
		{"a login path with a space", loginPath("/log in"), "Options.LoginPath "},
		{"a login path with a backslash", loginPath(`/\login`), "Options.LoginPath "},

		{"a home path that is a URL", homePath("https://app.example/app/"), "Options.HomePath "},
		{"a home path on another host", homePath("//evil.example/"), "Options.HomePath "},
		{"a home path on another host by backslash", homePath(`/\evil.example`), "Options.HomePath "},
		{"a relative home path", homePath("app/"), "Options.HomePath "},
		{"a home path with a space", homePath("/my app/"), "Options.HomePath "},
		{"a home path beyond ASCII", homePath("/übersicht"), "Options.HomePath "},
		{"a home path with a backslash in its query", homePath(`/app?x=\`), "Options.HomePath "},
		{"a home path with a fragment", homePath("/app/#start"), `Options.HomePath "/app/#start" has a fragment`},
		{"a home path of 513 bytes", homePath("/" + strings.Repeat("x", 512)), "Options.HomePath has 513 bytes"},
		{"a home path that is the login path", homePath("/login"), `Options.HomePath "/login" leads to the login, `},
		{"a home path that leads to the login path", homePath("/x/../login/?x"), "Options.HomePath "},
		{"a home path that is the logout path", homePath("/logout"), "Options.HomePath "},
		{"a home path at which providers send logout tokens", homePath("/logout/backchannel"), "Options.HomePath "},
		{"a home path that is the callback's", homePath("/auth/callback"), "Options.HomePath "},
		{"a home path that is where browsers register keys", func(o *oauthlogin.Options) { o.BindDevices, o.HomePath = true, "/login/device" }, "Options.HomePath "},

		{"a logout URL with a password", func(o *oauthlogin.Options) {
			first(o).PostLogoutRedirectURL = "https://me:" + apptest.TestSecret + "@app.example/"
		}, postLogout},
		{"a logout URL beyond ASCII", func(o *oauthlogin.Options) { first(o).PostLogoutRedirectURL = "https://bücher.example/" }, postLogout + `"https://bücher.example/" has a host that browsers write as "xn--bcher-kva.example"`},

		{"a negative idle timeout", func(o *oauthlogin.Options) { o.IdleTimeout = -1 }, "Options.IdleTimeout "},
		{"a negative lifetime", func(o *oauthlogin.Options) { o.MaxLifetime = -time.Hour }, "Options.MaxLifetime "},
		{"idle for longer than the lifetime", limits(2000*time.Second, 1000*time.Second), "Options.IdleTimeout is 33m20s, longer than MaxLifetime, 16m40s"},
		{"idle for longer than the default lifetime", limits(1e6*time.Second, 0), "Options.IdleTimeout is"},
		{"a trusted origin that is empty", trusted(""), origin},
		{"a trusted origin without a scheme", trusted("admin.example"), origin},
		{"a trusted origin without a scheme, with a port", trusted("admin.example:8443"), origin},
		{"a trusted origin that is null", trusted("null"), origin},
		{"a trusted origin that is a wildcard", trusted("*"), origin},
		{"a trusted origin with a wildcard", trusted("https://*.app.example"), origin},
		{"a trusted origin that ends with a slash", trusted("https://admin.example/"), origin},
		{"a trusted origin with a path", trusted("https://admin.example/app"), origin},
		{"a trusted origin with a query", trusted("https://admin.example?x=1"), origin},
		{"a trusted origin with an empty query", trusted("https://admin.example?"), origin},
		{"a trusted origin with a fragment", trusted("https://admin.example#x"), origin},
		{"a trusted origin with an empty fragment", trusted("https://admin.example#"), origin},
		{"a trusted origin with a user", trusted("https://me@admin.example"), origin},
		{"a trusted origin with a password", trusted("https://me:" + apptest.TestSecret + "@admin.example"), origin},
		{"a trusted origin in capitals", trusted("https://Admin.example"), origin},
		{"a trusted origin with a scheme in capitals", trusted("HTTPS://admin.example"), origin},
		{"a trusted origin with the default port", trusted("https://admin.example:443"), origin},
		{"a trusted origin with an empty port", trusted("https://admin.example:"), origin},
		{"a trusted origin with a port that is none", trusted("https://admin.example:99999"), origin},
		{"a trusted origin with a port of zeros", trusted("https://admin.example:08443"), origin},
		{"a trusted origin with a space", trusted("https://admin.example "), origin},
		{"a trusted origin with a quotation mark", trusted(`https://admin".example`), origin},
		{"two trusted origins in one", trusted("https://admin.example,https://two.example"), origin},
		{"a trusted origin beyond ASCII", trusted("https://bücher.example"), origin},
		{"a trusted origin with another scheme", trusted("chrome-extension://abcdefgh"), origin},
		{"a trusted origin that is a file", trusted("file:///index.html"), origin},
		{"a trusted origin without TLS", trusted("http://admin.example"), origin},
		{"a trusted origin without TLS that begins like loopback", trusted("http://localhost.evil.example"), origin},
		{"a trusted origin with a zone", trusted("http://[::1%25lo]:3000"), origin},
		{"a trusted origin in brackets", trusted("https://[admin]"), origin},
		{"a second trusted origin", func(o *oauthlogin.Options) {
			o.TrustedOrigins = []string{"https://admin.example", "https://two.example/"}
		}, `Options.TrustedOrigins[1] "https://two.example/" `},

		{"a cookie name with a space", cookieName("my app"), "Options.CookieName "},
		{"a cookie name with a separator", cookieName("my;app"), "Options.CookieName "},
		{"a cookie name with the package's separator", cookieName("my.app"), "Options.CookieName "},
		{"a cookie name with a prefix of browsers", cookieName("__Secure-app"), "Options.CookieName "},
		{"a cookie name of 65 bytes", cookieName(strings.Repeat("n", 65)), "Options.CookieName "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opts := apptest.ValidOptions()
			test.change(&opts)
			auth, err := oauthlogin.New(opts)
			if err == nil || auth != nil {
				t.Fatalf("New made a Middleware: %t; error %v", auth != nil, err)
			}
			faults := faultsOf(t, err)
			if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "oauthlogin: "+test.fault) {
				t.Errorf("faults %q; want one, of %q", faults, test.fault)
			}
			noSecrets(t, err.Error(), opts.Keys)
		})
	}
}

// CVE-2025-67716 of nextjs-auth0: AuthParams override none of the package's own
// parameters.
func TestNewRefusesOwnParameters(t *testing.T) {
	t.Parallel()
	for _, name := range ownParameters {
		for _, spelled := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			opts := apptest.ValidOptions()
			opts.Providers[0].AuthParams = url.Values{"prompt": {"login"}, spelled: {"mine"}}
			_, err := oauthlogin.New(opts)
			if faults := faultsOf(t, err); len(faults) != 1 || !strings.Contains(faults[0].Error(), "Options.Providers[0].AuthParams") {
				t.Errorf("AuthParams with %q: %v", spelled, err)
			}
		}
	}
}

// ownParameters carry the security of the authorization request, or change how its
// response arrives.
var ownParameters = []string{
	"state", "nonce", "redirect_uri", "client_id", "response_type", "response_mode", "scope",
	"code_challenge", "code_challenge_method", "request", "request_uri",
}

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	opts := oauthlogin.Options{
		Providers: []oauthlogin.Provider{
			{
				Name: "one", Issuer: "http://op.example?q",
				OAuth2:     &oauth2.Config{ClientSecret: apptest.TestSecret, RedirectURL: "/auth/callback"},
				Identify:   apptest.PlainProvider("", "").Identify,
				AuthParams: url.Values{"State": {"mine"}},
			},
			{Name: "one", Issuer: "https://op.example#x", AuthParams: url.Values{"nonce": {"mine"}}},
			apptest.PlainProvider("three", "https://app.example/login"),
		},
		Keys:        [][]byte{[]byte("too short"), make([]byte, 40)},
		IdleTimeout: -1, MaxLifetime: -1, CookieName: ";", LogoutPath: "/login",
		TrustedOrigins: []string{"https://admin.example", "*", "https://admin.example/"},
	}
	_, err := oauthlogin.New(opts)
	for _, path := range []string{
		`Options.TrustedOrigins[1] "*" `, `Options.TrustedOrigins[2] "https://admin.example/" `,
		"Options.Keys[0] ", "Options.Keys[1] ", "Options.IdleTimeout ", "Options.MaxLifetime ", "Options.CookieName ", "Options.LoginPath ",
		"Options.Providers[0].OAuth2.ClientID ", "Options.Providers[0].OAuth2.RedirectURL ", "Options.Providers[0].Issuer ",
		"Options.Providers[0].Identify ", "Options.Providers[0].AuthParams ",
		"Options.Providers[1].OAuth2 ", "Options.Providers[1].Name ", "Options.Providers[1].Issuer ", "Options.Providers[1].AuthParams ",
		"Options.Providers[2].OAuth2.RedirectURL ",
	} {
		if !slices.ContainsFunc(faultsOf(t, err), func(fault error) bool { return strings.HasPrefix(fault.Error(), "oauthlogin: "+path) }) {
			t.Errorf("no fault of %q", path)
		}
	}
	noSecrets(t, err.Error(), opts.Keys)
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	redirect := func(u string) func(*oauthlogin.Options) {
		return func(o *oauthlogin.Options) { o.Providers[0].OAuth2.RedirectURL = u }
	}
	for _, test := range []struct {
		name   string
		change func(*oauthlogin.Options)
	}{
		{"the smallest options", func(*oauthlogin.Options) {}},
		{"no name", func(o *oauthlogin.Options) { o.Providers[0].Name = "" }},
		{"a public client", func(o *oauthlogin.Options) { o.Providers[0].OAuth2.ClientSecret = "" }},
		{"the ASCII form of a redirect URL beyond ASCII", redirect("https://xn--bcher-kva.example/auth/callback")},
		{"plain http on localhost", redirect("http://localhost:3000/auth/callback")},
		{"plain http on 127.0.0.1", redirect("http://127.0.0.1/auth/callback")},
		{"plain http on the rest of 127.0.0.0/8", redirect("http://127.1.2.3:3000/auth/callback")},
		{"plain http on ::1", redirect("http://[::1]:3000/auth/callback")},
		{"a redirect URL with a query", redirect("https://app.example/auth/callback?tenant=1")},
		{"a scheme in capital letters", redirect("HTTPS://app.example/auth/callback")},
		{"an issuer that ends with a slash", func(o *oauthlogin.Options) { o.Providers[0].Issuer = "https://op.example/tenant/" }},
		{"an issuer on loopback", func(o *oauthlogin.Options) { o.Providers[0].Issuer = "http://127.0.0.1:9000" }},
		{"keys of several lengths", func(o *oauthlogin.Options) { o.Keys = append(o.Keys, append(apptest.Key(1), apptest.Key(2)...)) }},
		{"trusted origins", func(o *oauthlogin.Options) {
			o.TrustedOrigins = []string{
				"https://app.example", "https://admin.app.example:8443", "https://xn--bcher-kva.example", "https://192.0.2.1", "https://[2001:db8::1]:8443",
				"http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000",
			}
		}},
		{"two providers on one host", func(o *oauthlogin.Options) {
			o.Providers = append(o.Providers, apptest.PlainProvider("two", "https://APP.example:443/auth/callback/two"))
		}},
		{"two registrations at one issuer", func(o *oauthlogin.Options) {
			again := o.Providers[0]
			client := *again.OAuth2
			client.RedirectURL += "/two"
			again.Name, again.OAuth2 = "two", &client
			o.Providers = append(o.Providers, again)
		}},
		{"two plain providers on two origins", func(o *oauthlogin.Options) {
			o.Providers = []oauthlogin.Provider{plainAt("one", "https://plain.example/authorize"), plainAt("two", "https://other.example/authorize")}
		}},
		{"a plain provider on the host of a tenant", func(o *oauthlogin.Options) {
			o.Providers[0].Issuer = "https://op.example/tenant"
			o.Providers = append(o.Providers, plainAt("two", "https://op.example/authorize"))
		}},
		{"a lifetime shorter than the default idle timeout", func(o *oauthlogin.Options) { o.MaxLifetime = time.Hour }},
		{"a lifetime as long as the idle timeout", func(o *oauthlogin.Options) { o.IdleTimeout, o.MaxLifetime = time.Hour, time.Hour }},
		{"parameters that are not the package's", func(o *oauthlogin.Options) {
			o.Providers[0].AuthParams = url.Values{"access_type": {"offline"}, "prompt": {"consent"}, "max_age": {"3600"}, "acr_values": {"a b"}}
		}},
		{"an authorization endpoint with a query", func(o *oauthlogin.Options) {
			o.Providers[0] = apptest.PlainProvider("test", "https://app.example/auth/callback")
			o.Providers[0].OAuth2.Endpoint.AuthURL += "?tenant=1"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opts := apptest.ValidOptions()
			test.change(&opts)
			apptest.NewAuth(t, opts)
		})
	}
}

func TestNewCopiesOptions(t *testing.T) {
	t.Parallel()
	var given *oauthlogin.Options
	a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) {
		o.Keys = append(o.Keys, apptest.Key(2))
		o.Providers[0].AuthParams = url.Values{"prompt": {"consent"}}
		o.Providers[0].TrustedAudiences = []string{"trusted"}
		o.TrustedOrigins = []string{"https://admin.app.test"}
		given = o
	}})
	a.Provider.EditIDToken(func(_, claims map[string]any) { claims["aud"] = []string{"app", "trusted"} })
	b := a.Browser(t)
	b.Login("/dashboard")
	_, before := b.StartLogin("/login")

	for _, key := range given.Keys {
		clear(key)
	}
	p := &given.Providers[0]
	p.Name, p.Issuer = "other", "https://other.example"
	p.AuthParams.Set("prompt", "none")
	p.AuthParams.Set("state", "mine")
	p.TrustedAudiences[0] = "other"
	p.OAuth2.Scopes[1] = "admin"
	given.TrustedOrigins[0] = "https://evil.test"
	*p.OAuth2 = oauth2.Config{ClientID: "other"}
	given.Providers[0] = oauthlogin.Provider{}
	*given = oauthlogin.Options{LoginPath: "/other"}

	if !b.SignedIn() {
		t.Error("the session did not survive a change of the options")
	}
	if resp := b.Page("https://evil.test").Fetch(http.MethodPost, "https://app.test/api/me", "cors"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("an origin that became trusted later: %d", resp.StatusCode)
	}
	_, after := b.StartLogin("/login")
	for _, params := range []url.Values{before, after} {
		params.Del("state")
		params.Del("nonce")
		params.Del("code_challenge")
	}
	if before.Encode() != after.Encode() {
		t.Errorf("authorization request %s; before the change %s", after.Encode(), before.Encode())
	}
	a.Browser(t).Login("/dashboard")
}

func TestNewDoesNoIO(t *testing.T) {
	t.Parallel()
	provider := oauthlogintest.Start(oauthlogintest.Config{})
	defer provider.Close()
	opts := apptest.ValidOptions()
	opts.Providers[0].Issuer = provider.Issuer()
	apptest.NewAuth(t, opts)

	opts.HTTPClient = &http.Client{Transport: apptest.Network{}, Jar: nil}
	opts.Providers = append(opts.Providers, apptest.PlainProvider("two", "https://app.example/auth/callback/two"))
	auth := apptest.NewAuth(t, opts)
	auth.Handler(http.NotFoundHandler())
	auth.RequireAuth(http.NotFoundHandler())
	if n := provider.Count(oauthlogintest.Discovery); n > 0 {
		t.Errorf("New asked the provider %d times", n)
	}
}

// A Middleware that New did not make closes everything: a forgotten error check
// must not open the site.
func TestUnmadeMiddlewareIsClosed(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]*oauthlogin.Middleware{"zero": {}, "nil": nil} {
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%s Middleware ran the handler", name) })
		for entry, handler := range map[string]http.Handler{
			"Handler":             auth.Handler(next),
			"RequireAuth":         auth.RequireAuth(next),
			"Handler+RequireAuth": auth.Handler(auth.RequireAuth(next)),
			"Require":             auth.Require(oauthlogin.Policy{})(next),
			"Require with MaxAge": auth.Require(oauthlogin.Policy{MaxAge: time.Hour})(next),
			"SilentLogin":         auth.SilentLogin(next),
			"SessionInfo":         http.HandlerFunc(auth.SessionInfo),
			"Login":               http.HandlerFunc(auth.Login),
			"Callback":            http.HandlerFunc(auth.Callback),
			"Logout":              http.HandlerFunc(auth.Logout),
			"BackChannelLogout":   http.HandlerFunc(auth.BackChannelLogout),
			"StartLogin": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: "/dashboard"})
			}),
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				for _, path := range []string{"/", "/dashboard", "/login", "/auth/callback?code=c&state=s", "/logout", "/logout/backchannel"} {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
					if w.Code != http.StatusInternalServerError || w.Header().Get("Location") != "" || w.Header().Get("Set-Cookie") != "" {
						t.Errorf("%s of a %s Middleware, %s %s: %d %v", entry, name, method, path, w.Code, w.Header())
					}
				}
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		w := httptest.NewRecorder()
		if auth.SignOut(w, r); len(w.Header()) > 0 {
			t.Errorf("SignOut of a %s Middleware: %v", name, w.Header())
		}
		if s, err := auth.Session(r); s != nil || err == nil {
			t.Errorf("Session of a %s Middleware: %v, %v", name, s, err)
		}
		if _, err := auth.Client(t.Context()).Get("https://api.example/"); !errors.Is(err, oauthlogin.ErrNoSession) {
			t.Errorf("Client of a %s Middleware: %v", name, err)
		}
	}
}

// noSecrets fails the test if text has the client secret or a key in it.
func noSecrets(t *testing.T, text string, keys [][]byte) {
	t.Helper()
	h := apptest.NewLeakHunt()
	h.Secret("client_secret", apptest.TestSecret)
	for _, key := range keys {
		h.Secret("key", string(key))
	}
	h.Says("text", text)
	h.Report(t)
}
