package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// newPlainApp is apptest.New with a plain OAuth 2.0 provider: its endpoints are
// configured, and identify says who signed in. change may be nil.
func newPlainApp(t *testing.T, identify func(context.Context, *http.Client) (oauthlogin.User, error), change func(*oauthlogin.Options)) *apptest.App {
	t.Helper()
	return apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		p := &opts.Providers[0]
		p.Issuer, p.Identify = "", identify
		p.OAuth2.Scopes = []string{"profile"}
		p.OAuth2.Endpoint = oauth2.Endpoint{AuthURL: "https://provider.test/authorize", TokenURL: "https://provider.test/token"}
		if change != nil {
			change(opts)
		}
	}})
}

func TestPlainOAuth(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
		user, err := apptest.ByUserInfo(ctx, client)
		// What names the provider is not Identify's to say.
		user.Provider, user.Issuer = "hostile", "https://evil.test"
		return user, err
	}, nil)
	user := apptest.UserOf(t, a.Browser(t).Login("/dashboard"))
	if user.Provider != "test" || user.Issuer != "https://provider.test" || user.Subject != "alice" || user.Name != "Alice Archer" {
		t.Errorf("user is %+v", user)
	}
	var claims struct{ Sub string }
	if err := user.Claims(&claims); err != nil || claims.Sub != "alice" {
		t.Errorf("claims are %s: %v", user.RawClaims, err)
	}
	for endpoint, want := range map[oauthlogintest.Endpoint]int{
		oauthlogintest.Discovery: 0, oauthlogintest.JWKS: 0, oauthlogintest.Token: 1, oauthlogintest.UserInfo: 1,
	} {
		if n := a.Provider.Count(endpoint); n != want {
			t.Errorf("%d requests to %s, want %d", n, endpoint, want)
		}
	}
	request := a.Provider.Requests(oauthlogintest.Authorization)[0].Query
	if request.Get("code_challenge_method") != "S256" || request.Get("state") == "" || request.Get("scope") != "profile" || request.Has("nonce") {
		t.Errorf("authorization request is %v", request)
	}
	a.Leaks(t, "")
}

// The origin of the authorization endpoint stands for the issuer, in one form.
func TestPlainOAuthIssuer(t *testing.T) {
	t.Parallel()
	for _, authURL := range []string{
		"https://provider.test/authorize", "https://PROVIDER.test:443/authorize", "HTTPS://provider.test/authorize?prompt=consent",
	} {
		t.Run(authURL, func(t *testing.T) {
			a := newPlainApp(t, apptest.ByUserInfo, func(opts *oauthlogin.Options) { opts.Providers[0].OAuth2.Endpoint.AuthURL = authURL })
			a.Net["PROVIDER.test:443"] = a.Provider
			if user := apptest.UserOf(t, a.Browser(t).Login("/dashboard")); user.Issuer != "https://provider.test" {
				t.Errorf("issuer is %q", user.Issuer)
			}
		})
	}
}

// RFC 6749 section 5.1 wants JSON; some answer with a form all the same.
func TestTokenAnswerForms(t *testing.T) {
	t.Parallel()
	asForm := func(tokens map[string]any) string {
		form := url.Values{}
		for name, value := range tokens {
			form.Set(name, fmt.Sprint(value))
		}
		return form.Encode()
	}
	asJSON := func(tokens map[string]any) string {
		b, _ := json.Marshal(tokens)
		return "\n" + string(b)
	}
	for _, tt := range []struct {
		contentType string
		encode      func(map[string]any) string
		ok          bool
	}{
		{"application/x-www-form-urlencoded", asForm, true},
		{"application/x-www-form-urlencoded; charset=utf-8", asForm, true},
		{"Text/Plain", asForm, true},
		{"application/json", asJSON, true},
		{"application/json;charset=UTF-8", asJSON, true},
		{"text/plain", asJSON, true},
		{"text/javascript", asJSON, true},
		{"", asJSON, true},
		{"application/json", asForm, false},
		{"text/html", asForm, false},
	} {
		t.Run(tt.contentType, func(t *testing.T) {
			a := newPlainApp(t, apptest.ByUserInfo, nil)
			b := a.Browser(t)
			var tokens map[string]any
			a.Provider.EditTokenResponse(func(resp map[string]any) { tokens = resp })
			a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				next(apptest.NewDiscard(), r)
				w.Header().Set("Content-Type", tt.contentType)
				io.WriteString(w, tt.encode(tokens))
			})
			if !tt.ok {
				a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
				return
			}
			a.Recovers(t, b)
			if got := b.Get("/token").Text; !strings.HasPrefix(got, "59m5") && got != "1h0m0s" {
				t.Errorf("token lives %s", got)
			}
		})
	}
}

var errNotOneOfUs = errors.New("not a member of the organisation")

// Whoever Identify does not name is nobody.
func TestIdentifyRefuses(t *testing.T) {
	t.Parallel()
	failure := func(err error) func(context.Context, *http.Client) (oauthlogin.User, error) {
		return func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Subject: "alice"}, err
		}
	}
	for _, tt := range []struct {
		name     string
		identify func(context.Context, *http.Client) (oauthlogin.User, error)
		code     string
	}{
		{"no subject", func(context.Context, *http.Client) (oauthlogin.User, error) { return oauthlogin.User{}, nil }, "provider_rejected"},
		{"a name and an address, but no subject", func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Name: "Alice", Email: "alice@example.com", EmailVerified: true}, nil
		}, "provider_rejected"},
		{"a subject that would break log lines", func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Subject: "alice\nlevel=ERROR"}, nil
		}, "provider_rejected"},
		{"an error", failure(errNotOneOfUs), "provider_rejected"},
		{"an error of a request", func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			_, err := apptest.Read(ctx, client, "https://nowhere.test/user")
			return oauthlogin.User{}, err
		}, "provider_unavailable"},
		{"an answer of 2 MiB", func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
			_, err := apptest.Read(ctx, client, "https://huge.test/user")
			return oauthlogin.User{Subject: "alice"}, err
		}, "provider_rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			identify := tt.identify
			a := newPlainApp(t, func(ctx context.Context, client *http.Client) (oauthlogin.User, error) { return identify(ctx, client) }, nil)
			a.Net["huge.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("a", 2<<20)) })
			b := a.Browser(t)
			resp := b.TryLogin()
			a.Refused(t, b, resp, http.StatusBadGateway, tt.code)
			if strings.Contains(resp.Text, "member") || strings.Contains(resp.Text, "nowhere") {
				t.Errorf("page has internals: %s", resp.Text)
			}
			identify = apptest.ByUserInfo
			a.Recovers(t, b)
		})
	}
}

// An error handler can tell by the error that Identify returned.
func TestIdentifyErrorHandler(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, func(context.Context, *http.Client) (oauthlogin.User, error) {
		return oauthlogin.User{}, fmt.Errorf("check membership: %w", errNotOneOfUs)
	}, func(opts *oauthlogin.Options) {
		opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			var e *oauthlogin.Error
			if !errors.Is(err, errNotOneOfUs) || !errors.As(err, &e) {
				t.Errorf("error is %v", err)
				return
			}
			if e.Status != http.StatusBadGateway || e.Provider != "test" || e.RetryURL != "/login?return_to=%2Fdashboard" {
				t.Errorf("error is %+v", *e)
			}
			w.WriteHeader(http.StatusForbidden)
		}
	})
	b := a.Browser(t)
	if resp := b.TryLogin(); resp.StatusCode != http.StatusForbidden || len(b.Cookies()) > 0 {
		t.Errorf("answer is %d, cookies %v", resp.StatusCode, b.Cookies())
	}
}

// The client of Identify has the token for who is asked, and for nobody else.
func TestIdentifyClient(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
		for _, path := range []string{"/moved", "/found", "/temporary", "/permanent"} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.test"+path, nil)
			if err != nil {
				return oauthlogin.User{}, err
			}
			resp, err := client.Do(r)
			if err != nil {
				return oauthlogin.User{}, err
			}
			resp.Body.Close()
			if resp.StatusCode/100 != 3 {
				return oauthlogin.User{}, fmt.Errorf("redirect was followed to %d", resp.StatusCode)
			}
		}
		return apptest.ByUserInfo(ctx, client)
	}, nil)
	var seen []string
	a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		status := map[string]int{"/moved": 301, "/found": 302, "/temporary": 307, "/permanent": 308}[r.URL.Path]
		http.Redirect(w, r, "https://evil.test/evil", status)
	})
	a.Net["evil.test"] = a.Count(func(http.ResponseWriter, *http.Request) {})
	a.Browser(t).Login("/dashboard")
	if a.Called("/evil") > 0 {
		t.Error("the redirect's target was asked")
	}
	for _, header := range seen {
		if len(header) <= len("Bearer ") || !strings.HasPrefix(header, "Bearer ") {
			t.Errorf("Authorization %q", header)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d requests", len(seen))
	}
}

// RFC 9207 section 2.4: without metadata the issuer's host is what is known of
// it, and an answer of another is refused before the code goes anywhere.
func TestPlainOAuthIss(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		iss  []string
		ok   bool
	}{
		{"none", nil, true},
		{"the origin", []string{"https://provider.test"}, true},
		{"below the origin", []string{"https://provider.test/login/oauth"}, true},
		{"another host", []string{"https://evil.test/hostile"}, false},
		{"another scheme", []string{"http://provider.test"}, false},
		{"another port", []string{"https://provider.test:8443"}, false},
		{"the host as a user", []string{"https://provider.test@evil.test"}, false},
		{"a host that begins like it", []string{"https://provider.test.evil.test"}, false},
		{"empty", []string{""}, false},
		{"no URL", []string{"%zzhostile"}, false},
		{"two", []string{"https://provider.test", "https://provider.test"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newPlainApp(t, apptest.ByUserInfo, nil)
			b := a.Browser(t)
			u, err := url.Parse(b.CallbackURL("/login?return_to=/dashboard"))
			if err != nil {
				t.Fatal(err)
			}
			query := u.Query()
			delete(query, "iss")
			if tt.iss != nil {
				query["iss"] = tt.iss
			}
			u.RawQuery = query.Encode()
			resp := b.Get(u.String())
			if tt.ok {
				if resp.Location() != "/dashboard#" || !b.SignedIn() {
					t.Errorf("answer is %d: %s", resp.StatusCode, resp.Text)
				}
				return
			}
			if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" || b.SignedIn() || a.Provider.Count(oauthlogintest.Token) > 0 {
				t.Errorf("answer is %d after %d token requests", resp.StatusCode, a.Provider.Count(oauthlogintest.Token))
			}
			a.Leaks(t, resp.Text)
			a.Recovers(t, b)
		})
	}
}

// A login that began before the provider's configuration became one of OpenID
// Connect has no nonce, which no ID token can match.
func TestProviderOfAnotherKind(t *testing.T) {
	t.Parallel()
	a := newPlainApp(t, apptest.ByUserInfo, func(opts *oauthlogin.Options) { opts.Providers[0].OAuth2.Scopes = []string{"openid"} })
	b := a.Browser(t)
	callback := b.CallbackURL("/login?return_to=/dashboard")
	a.Auth = a.Replica(t, nil)
	if resp := b.Get(callback); resp.StatusCode != http.StatusBadGateway || b.SignedIn() {
		t.Errorf("%d to %q; signed in: %t", resp.StatusCode, resp.Location(), b.SignedIn())
	}
	if !strings.Contains(a.Log.String(), "nonce") {
		t.Errorf("not refused for the nonce\n%s", a.Log)
	}
}
