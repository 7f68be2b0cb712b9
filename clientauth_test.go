package oauthlogin_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func clientKey(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// RFC 6749 section 2.3: one method of client authentication in a request, and section
// 2.3.1: credentials are form-urlencoded before HTTP Basic. internal/protocol has the
// table of methods. The OpenID Foundation's oidcc-client-test-client-secret-basic.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	const odd = "a:b+c d%/é&="
	for _, tt := range []struct {
		name       string
		id, secret string
		style      oauth2.AuthStyle
		methods    any // in the metadata; nil: none
		inParams   bool
	}{
		{"nothing said of methods", "app", "s3cret-of-the-app", 0, nil, false},
		{"post alone", "app", "s3cret-of-the-app", 0, []string{"private_key_jwt", "client_secret_post"}, true},
		{"neither method", "app", "s3cret-of-the-app", 0, []string{"private_key_jwt"}, false},
		{"odd characters with Basic", "a:b c%é", odd, oauth2.AuthStyleInHeader, nil, false},
		{"odd characters in the body", "a:b c%é", odd, oauth2.AuthStyleInParams, nil, true},
		{"no secret", "public", "", 0, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
				client := opts.Providers[0].OAuth2
				client.ClientID, client.ClientSecret, client.Endpoint.AuthStyle = tt.id, tt.secret, tt.style
			}})
			provider, err := oauthlogintest.New(oauthlogintest.Config{
				Issuer:  a.Provider.Issuer(),
				Clients: []oauthlogintest.Client{{ID: tt.id, Secret: tt.secret, RedirectURIs: []string{a.URL + "/auth/callback"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(provider.Close)
			provider.AutoApprove("alice")
			provider.EditDiscovery(func(doc map[string]any) { doc["token_endpoint_auth_methods_supported"] = tt.methods })
			a.Net["provider.test"] = provider
			a.Provider = provider

			a.Browser(t).Login("/dashboard")
			requests := provider.Requests(oauthlogintest.Token)
			if len(requests) != 1 || requests[0].Method != http.MethodPost || len(requests[0].Query) > 0 {
				t.Fatalf("token requests: %d", len(requests))
			}
			r := requests[0]
			basic := r.Header.Get("Authorization") != ""
			if basic == tt.inParams || r.Form.Has("client_id") != tt.inParams || r.Form.Has("client_secret") != (tt.inParams && tt.secret != "") {
				t.Errorf("Authorization %q, form %v", r.Header.Get("Authorization"), r.Form)
			}
		})
	}
}

// RFC 7523 section 2.2: code, refresh and revocation, each with an assertion of its own.
// The provider refuses one that it has seen.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "PS256"} {
		key := clientKey(t, alg)
		t.Run(alg, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := apptest.SignedIn(t, apptest.Config{Key: key})
				for range 3 {
					time.Sleep(time.Hour)
					if !b.SignedIn() {
						t.Fatal("signed out")
					}
				}
				a.WantRefreshes(t, 3)
				b.LogOut("/")
				requests := append(a.Provider.Requests(oauthlogintest.Token), a.Provider.Requests(oauthlogintest.Revocation)...)
				if len(requests) != 5 {
					t.Errorf("%d requests", len(requests))
				}
				for _, r := range requests {
					if r.Status != http.StatusOK || r.Form.Has("client_secret") || r.Header.Get("Authorization") != "" {
						t.Errorf("%d to %v", r.Status, r.Form)
					}
					if strings.Contains(a.Log.String(), r.Form.Get("client_assertion")) {
						t.Error("an assertion is in the log")
					}
				}
			})
		})
	}
}

// A token of the platform is sent as it is, whatever the audience, and read again for each
// request.
func TestAssertionFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	rotate := func(text string) {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			p := &opts.Providers[0]
			p.OAuth2.ClientSecret, p.ClientAssertion = "", oauthlogin.AssertionFile(path)
		}})
		var sent []string
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			sent = append(sent, r.FormValue("client_assertion"))
			if r.FormValue("client_id") != "app" { // the sub is the workload's
				t.Errorf("client_id %q", r.FormValue("client_id"))
			}
			r.PostForm.Del("client_assertion") // nothing here trusts the platform
			r.PostForm.Del("client_assertion_type")
			r.SetBasicAuth("app", "s3cret-of-the-app")
			next(w, r)
		})
		b := a.Browser(t)
		if resp := b.TryLogin(); resp.StatusCode != http.StatusInternalServerError || len(sent) != 0 {
			t.Errorf("without the file: %d %s", resp.StatusCode, resp.Text)
		}
		rotate("platform.token.one")
		b.Login("/dashboard")
		rotate("platform.token.two")
		time.Sleep(time.Hour)
		if !b.SignedIn() || len(sent) != 2 || sent[0] != "platform.token.one" || sent[1] != "platform.token.two" {
			t.Errorf("sent %q", sent)
		}
		if log := a.Log.String(); strings.Contains(log, "platform.token") {
			t.Errorf("logged %s", log)
		}
	})
}

// A fault of ClientAssertion, and a provider that does not know the client, end no
// session: also after the access token, until the fault is mended.
func TestClientAuthenticationEndsNoSession(t *testing.T) {
	t.Parallel()
	key, other := clientKey(t, "ES256"), clientKey(t, "ES256")
	for _, name := range []string{"a fault", "a refusal"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := oauthlogin.PrivateKeyJWT("app", "k1", key)
				broken := false
				a, b := apptest.SignedIn(t, apptest.Config{Key: key, Change: func(opts *oauthlogin.Options) {
					opts.Providers[0].ClientAssertion = func(ctx context.Context, audience string) (string, error) {
						switch {
						case broken && name == "a fault":
							return "", errors.New("the key service is away")
						case broken:
							return oauthlogin.PrivateKeyJWT("app", "k1", other)(ctx, audience)
						}
						return good(ctx, audience)
					}
				}})
				broken = true
				time.Sleep(time.Hour - 30*time.Second)
				if !b.SignedIn() {
					t.Error("signed out before the access token has expired")
				}
				time.Sleep(time.Hour)
				if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusOK {
					t.Errorf("afterwards: %d", resp.StatusCode)
				}
				if name == "a fault" {
					if n := a.Provider.Count(oauthlogintest.Token); n != 1 {
						t.Errorf("%d requests to the token endpoint", n)
					}
					if !strings.Contains(a.Log.String(), "the key service is away") {
						t.Error("the log does not name the cause")
					}
				}
				broken = false
				time.Sleep(10 * time.Minute)
				if !b.SignedIn() {
					t.Error("the session has not survived")
				}
			})
		})
	}
}

// A logout signs out whatever comes of the assertion that revoking the tokens needs, and
// waits for it no longer than for the provider.
func TestLogoutWithoutAnAssertion(t *testing.T) {
	t.Parallel()
	key := clientKey(t, "ES256")
	for name, fault := range map[string]func(context.Context) (string, error){
		"a fault":               func(context.Context) (string, error) { return "", errors.New("the key service is away") },
		"a panic":               func(context.Context) (string, error) { panic("the key service is away") },
		"a hang":                func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		"one that cannot end":   func(context.Context) (string, error) { time.Sleep(time.Hour); return "late", nil },
		"one that is not taken": func(context.Context) (string, error) { return "not.an.assertion", nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := false
				a, b := apptest.SignedIn(t, apptest.Config{Key: key, Change: func(opts *oauthlogin.Options) {
					opts.Providers[0].ClientAssertion = func(ctx context.Context, audience string) (string, error) {
						if broken {
							return fault(ctx)
						}
						return oauthlogin.PrivateKeyJWT("app", "k1", key)(ctx, audience)
					}
				}})
				broken = true
				start := time.Now()
				out := b.LogOut("/")
				if out.StatusCode != http.StatusSeeOther || !strings.HasPrefix(out.Location(), "https://provider.test/") || b.SignedIn() {
					t.Errorf("%d to %q, signed in: %t", out.StatusCode, out.Location(), b.SignedIn())
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				time.Sleep(2 * time.Hour) // for the one that cannot end
				if !strings.Contains(a.Log.String(), "revoke refresh token") || strings.Contains(a.Log.String(), "not.an.assertion") {
					t.Errorf("logged %s", a.Log)
				}
			})
		})
	}
}

// A login that cannot make its assertion is an error page of the kind that says it is this
// side's fault, and the code is not sent without authentication.
func TestAssertionFaultAtLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Key: clientKey(t, "ES256"), Change: func(opts *oauthlogin.Options) {
			opts.Providers[0].ClientAssertion = oauthlogin.PrivateKeyJWT("app", "", nil)
		}})
		b := a.Browser(t)
		resp := b.TryLogin()
		if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(resp.Text, "Something went wrong") || a.Provider.Count(oauthlogintest.Token) != 0 {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		if !strings.Contains(a.Log.String(), "make client assertion: oauthlogin: sign client assertion: the key is nil") {
			t.Errorf("logged %s", a.Log)
		}
	})
}

func TestNewRefusesTwoClientCredentials(t *testing.T) {
	t.Parallel()
	opts := apptest.ValidOptions()
	opts.Providers[0].ClientAssertion = oauthlogin.AssertionFile("/none")
	_, err := oauthlogin.New(opts)
	if err == nil || err.Error() != "oauthlogin: Options.Providers[0].ClientAssertion is set, and so is OAuth2.ClientSecret; a client authenticates in one way" {
		t.Errorf("%v", err)
	}
	opts.Providers[0].OAuth2.ClientSecret = ""
	if _, err := oauthlogin.New(opts); err != nil {
		t.Error(err)
	}
}

// RFC 8705 sections 2 and 5, oidcc-client-test-mtls-endpoint-aliases: the certificate in
// Options.HTTPClient authenticates the client, at the aliases of the endpoints alone.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	key := clientKey(t, "ES256")
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var provider atomic.Pointer[oauthlogintest.Provider]
	var mu sync.Mutex
	asked := map[string]int{}
	aliases := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		if len(r.TLS.PeerCertificates) != 1 || !bytes.Equal(r.TLS.PeerCertificates[0].Raw, certificate) {
			t.Errorf("%s without the certificate", r.URL)
		}
		if r.URL.Path != "/userinfo" {
			r.SetBasicAuth("app", "s3cret-of-the-app") // what stands for the certificate at the test provider
		}
		provider.Load().ServeHTTP(w, r)
	}))
	aliases.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	aliases.StartTLS()
	t.Cleanup(aliases.Close)
	roots := x509.NewCertPool()
	roots.AddCert(aliases.Certificate())
	a := apptest.NewTLS(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.Providers[0].OAuth2.ClientSecret = ""
		opts.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
		}}}
	}})
	provider.Store(a.Provider)
	a.Provider.EditIDToken(apptest.Without("name")) // so that user info is asked
	a.Provider.EditDiscovery(func(doc map[string]any) {
		doc["mtls_endpoint_aliases"] = map[string]any{
			"token_endpoint": aliases.URL + "/token", "revocation_endpoint": aliases.URL + "/revoke", "userinfo_endpoint": aliases.URL + "/userinfo",
		}
	})
	b := a.Browser(t)
	b.Login("/dashboard")
	b.LogOut("/")
	mu.Lock()
	defer mu.Unlock()
	if !maps.Equal(asked, map[string]int{"/token": 1, "/revoke": 1, "/userinfo": 1}) {
		t.Errorf("asked at the aliases: %v", asked)
	}
}
