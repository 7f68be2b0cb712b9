package adversarial_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OAuth 2.1 section 7.1.3.2, CVE-2022-31105 of Argo CD, CVE-2025-66001 of NeuVector: the
// chain of certificates is verified, and so is the name in it. There is no option
// against that.
func TestProviderCertificates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, host string
		client     func(*x509.Certificate) *http.Client
		ok         bool
	}{
		{"of a trusted authority", "127.0.0.1", trusting, true},
		{"of an untrusted authority", "127.0.0.1", func(*x509.Certificate) *http.Client { return nil }, false},
		{"of an untrusted authority, with a client that does not name one", "127.0.0.1", func(*x509.Certificate) *http.Client { return &http.Client{} }, false},
		{"for another host", "localhost", trusting, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var provider *oauthlogintest.Provider
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
			_, port, err := net.SplitHostPort(server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if provider, err = oauthlogintest.New(oauthlogintest.Config{Issuer: "https://" + net.JoinHostPort(test.host, port)}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(provider.Close)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			a := apptest.New(t, apptest.Config{KeyAlg: "RS256", Change: func(opts *oauthlogin.Options) {
				opts.Providers[0].Issuer, opts.HTTPClient = provider.Issuer(), test.client(server.Certificate())
			}})
			b := a.Browser(t)
			if test.ok {
				b.StartLogin("/login")
				return
			}
			a.RefusedAtOnce(b, b.Get("/login"), http.StatusBadGateway)
			if n := provider.Count(oauthlogintest.Discovery); n > 0 || !strings.Contains(a.Log.String(), "provider_unavailable") || !strings.Contains(a.Log.String(), "certificate") {
				t.Errorf("%d discoveries: %s", n, a.Log)
			}
		})
	}
}

// trusting is a client for which the certificate is an authority.
func trusting(authority *x509.Certificate) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	transport.TLSClientConfig.RootCAs.AddCert(authority)
	return &http.Client{Transport: transport}
}

// The same advisories: plain http is for loopback alone, and for no name that begins
// like it.
func TestProviderWithoutTLS(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(p *oauthlogin.Provider){
		"an issuer":                            func(p *oauthlogin.Provider) { p.Issuer = "http://provider.test" },
		"an issuer that begins like 127.0.0.1": func(p *oauthlogin.Provider) { p.Issuer = "http://127.0.0.1.hostile.test" },
		"an issuer that begins like localhost": func(p *oauthlogin.Provider) { p.Issuer = "http://localhost.hostile.test" },
		"a redirect URL after the logout":      func(p *oauthlogin.Provider) { p.PostLogoutRedirectURL = "http://app.test/" },
	} {
		opts := apptest.ValidOptions()
		change(&opts.Providers[0])
		if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// goodTokens is a response that a plain OAuth 2.0 client would take.
const goodTokens = `{"access_token":"from-elsewhere","token_type":"Bearer","expires_in":3600}`

// CVE-2026-49478 of Fulcio, CVE-2025-52477 of Octo STS, CVE-2026-23603 of Gitea: discovery
// followed redirects, and picture was fetched. RFC 9700 section 4.12: a redirect of the
// token endpoint would send code, verifier and secret elsewhere, or bring tokens from
// there.
func TestServerSideRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		a.Provider.EditIDToken(apptest.Without("name")) // so that user info is asked for
		codes := 0
		for _, row := range []struct {
			endpoint oauthlogintest.Endpoint
			path     string
			codes    int
			status   int // of a login
		}{
			{oauthlogintest.Discovery, "/.well-known/openid-configuration", 0, http.StatusBadGateway},
			{oauthlogintest.JWKS, "/jwks", 1, http.StatusBadGateway},
			{oauthlogintest.Token, "/token", 1, http.StatusBadGateway},
			{oauthlogintest.UserInfo, "/userinfo", 1, http.StatusOK}, // the login goes on with the ID token
		} {
			elsewhere := "https://hostile.test" + row.path
			for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
				for _, header := range [][]string{
					{"Location", elsewhere},
					{"Location", row.path},
					{"Location", "https://hostile.test/%zz"},
					{"Location", ""},
					{"Refresh", elsewhere},
					{"Content-Location", elsewhere},
					{"Link", elsewhere},
				} {
					a.Provider.Intercept(row.endpoint, apptest.RespondWith(status, goodTokens, header...))
					time.Sleep(time.Minute)
					asked := a.Provider.Count(row.endpoint)
					resp := a.Browser(t).Follow("/login?return_to=/dashboard")
					if resp.StatusCode != row.status || resp.Request.URL.Host != "app.test" || a.Provider.Count(row.endpoint) != asked+1 {
						t.Errorf("%s redirects with %d and %s: %d at %s", row.endpoint, status, header, resp.StatusCode, resp.Request.URL)
					}
					codes += row.codes
				}
			}
			a.Provider.Intercept(row.endpoint, nil)
		}
		a.Provider.Intercept(oauthlogintest.Revocation, apptest.RespondWith(http.StatusTemporaryRedirect, "", "Location", "https://hostile.test/revoke"))

		// OpenID Connect Core sections 5.1, 5.6.2: claims with URLs.
		edit := func(claims map[string]any) {
			const target = "https://hostile.test/jwks"
			for _, name := range []string{"picture", "profile", "website", "jwks_uri", "jku", "x5u", "userinfo_endpoint", "sub_jwk", "icon"} {
				claims[name] = target
			}
			claims["_claim_names"] = map[string]any{"name": "a", "groups": "a", "email": "a"}
			claims["_claim_sources"] = map[string]any{"a": map[string]any{"endpoint": target, "access_token": "x"}, "b": map[string]any{"JWT": "e30.e30.e30"}}
		}
		a.Provider.EditIDToken(func(header, claims map[string]any) {
			delete(claims, "name")
			edit(claims)
			header["jku"], header["x5u"] = "https://hostile.test/jwks", "https://hostile.test/jwks"
		})
		a.Provider.EditUserInfo(edit)
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["userinfo_endpoint"] = "https://hostile.test/userinfo" })
		time.Sleep(time.Minute)
		b := a.Browser(t)
		b.Login("/")
		b.Post("/logout", nil)                                     // which revokes, and is not held up
		a.Leaves(b, apptest.Aftermath{Codes: codes + 1, Runs: 49}) // of the logins without user info
	})
}

// CVE-2023-45289 CVE-2024-45336 CVE-2025-4673 of net/http: credentials followed a redirect.
func TestCredentialsDoNotFollowRedirects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		var atAPI []string
		var reached []*http.Request
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			atAPI = append(atAPI, r.URL.Path+" "+strings.Split(r.Header.Get("Authorization")+" ", " ")[0])
			if r.URL.Path == "/first" {
				http.Redirect(w, r, "https://hostile.test/away", http.StatusTemporaryRedirect)
			}
		})
		a.Net["hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.Reached(r)
			reached = append(reached, r)
			if r.URL.Path == "/away" {
				http.Redirect(w, r, "https://sub.hostile.test/", http.StatusFound)
			}
		})
		a.Net["sub.hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.Net["hostile.test"].ServeHTTP(w, r)
			http.Redirect(w, r, "https://api.test/back", http.StatusFound)
		})
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/call", a.Auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				resp, err := a.Auth.Client(r.Context()).Post("https://api.test/first", "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})))
		}
		b := a.Browser(t)
		b.Login("/")
		b.Get("/call")
		if !slices.Equal(atAPI, []string{"/first Bearer", "/back "}) {
			t.Errorf("the API got %q", atAPI)
		}
		for _, r := range reached {
			for _, name := range []string{"Authorization", "Cookie", "Www-Authenticate", "Proxy-Authorization"} {
				if r.Header.Get(name) != "" {
					t.Errorf("%s%s got %s", r.Host, r.URL.Path, name)
				}
			}
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1, Asked: 2})
	})
}

// A slowBody brings a byte a minute, whatever becomes of the request.
type slowBody struct{ bytes int }

func (b *slowBody) Read(p []byte) (int, error) {
	time.Sleep(time.Minute)
	b.bytes++
	return copy(p, "{"), nil
}

func (b *slowBody) Close() error { return nil }

// Whatever the transport of Options.HTTPClient does with a token request, the
// login ends in time, and the next one works.
func TestTransportsOfTheApplication(t *testing.T) {
	slow := &slowBody{}
	for _, tt := range []struct {
		name    string
		timeout time.Duration // of Options.HTTPClient
		respond apptest.RoundTripFunc
		waited  time.Duration
	}{
		{"waits until its context ends", 0, untilDone, 10 * time.Second},
		{"waits, and the client has a timeout of its own", 3 * time.Second, untilDone, 3 * time.Second},
		{"returns neither response nor error", 0, func(*http.Request) (*http.Response, error) { return nil, nil }, 0},
		{"returns no body", 0, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, 0},
		{"breaks off, and quotes what it read", 0, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(iotest.ErrReader(errors.New(`malformed: "s3cret-of-the-app"`)))}, nil
		}, 0},
		{"has a body that ignores its context", 0, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: slow}, nil
		}, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := true
				var wire http.RoundTripper
				a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
					wire = opts.HTTPClient.Transport
					opts.HTTPClient = &http.Client{Timeout: tt.timeout, Transport: apptest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
						if broken && r.URL.Path == "/token" {
							return tt.respond(r)
						}
						return wire.RoundTrip(r)
					})}
				}})
				b := a.Browser(t)
				start := time.Now()
				resp := b.Follow("/login?return_to=/dashboard")
				if waited := time.Since(start); resp.StatusCode != http.StatusBadGateway || waited != tt.waited || b.SignedIn() || a.Called("/dashboard") > 0 {
					t.Errorf("%d after %v: %s", resp.StatusCode, waited, a.Log)
				}
				if log := a.Log.String(); !strings.Contains(log, "provider_unavailable") || strings.Contains(log, "s3cret") {
					t.Errorf("log %s", log)
				}
				if n := a.Provider.Count(oauthlogintest.Token); n > 0 {
					t.Errorf("%d requests came through", n)
				}
				broken = false
				b.Login("/dashboard")
			})
		})
	}
	if slow.bytes > 1 {
		t.Errorf("%d bytes were read", slow.bytes)
	}
}

func untilDone(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A panic in the application's transport, which is called in a goroutine of its own, is
// an error of one login.
func TestTransportPanics(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		panics := true
		var wire http.RoundTripper
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			wire = opts.HTTPClient.Transport
			opts.HTTPClient = &http.Client{Transport: apptest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if panics && r.URL.Path == path {
					panic(errors.New("the transport's fault, with s3cret-of-the-app in it"))
				}
				return wire.RoundTrip(r)
			})}
		}})
		b := a.Browser(t)
		resp := b.Follow("/login?return_to=/dashboard")
		if resp.StatusCode != http.StatusBadGateway || b.SignedIn() || strings.Contains(a.Log.String(), "s3cret") {
			t.Errorf("%s: %d; %s", path, resp.StatusCode, a.Log)
		}
		panics = false
		if path == "/jwks" { // metadata is not asked for again for a while
			b.Login("/dashboard")
		}
	}
}
