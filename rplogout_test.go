package oauthlogin_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// OpenID Connect RP-Initiated Logout section 2; oidcc-client-test-rp-init-logout.
func TestRPInitiatedLogout(t *testing.T) {
	t.Parallel()
	registered := oauthlogintest.Client{
		ID: "leaver", Secret: "s3cret-of-the-app", RedirectURIs: []string{"https://app.test/auth/callback"},
		PostLogoutRedirectURIs: []string{"https://app.test/bye", "https://app.test/bye?x=%2F", "https://www.test/bye"},
	}
	comeBackTo := func(target string) func(*oauthlogin.Options) {
		return func(opts *oauthlogin.Options) {
			opts.Providers[0].OAuth2.ClientID = "leaver"
			opts.Providers[0].PostLogoutRedirectURL = target
		}
	}
	for _, test := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		setUp    func(a *apptest.App)
		signedIn func(b *apptest.Browser)
		clientID string
		endpoint string
		comeBack string
		noHint   bool
		leadsTo  string // "": not to us
	}{
		{name: "back to the front page by default"},
		{name: "back to another page", change: comeBackTo("https://app.test/bye"), clientID: "leaver", comeBack: "https://app.test/bye"},
		{name: "back to a page with a query", change: comeBackTo("https://app.test/bye?x=%2F"), clientID: "leaver", comeBack: "https://app.test/bye?x=%2F"},
		{name: "back to another site of ours", change: comeBackTo("https://www.test/bye"), clientID: "leaver", comeBack: "https://www.test/bye"},
		{
			name: "an endpoint with a query of its own",
			setUp: func(a *apptest.App) {
				a.Provider.EditDiscovery(func(doc map[string]any) {
					doc["end_session_endpoint"] = "https://provider.test/end_session?tenant=a%20b&empty="
				})
			},
			endpoint: "https://provider.test/end_session?tenant=a%20b&empty=",
		},
		{
			name: "an ID token that has expired", // section 2: it will do
			signedIn: func(b *apptest.Browser) {
				time.Sleep(50 * time.Minute)
				b.Get("/")
			},
			setUp: func(a *apptest.App) {
				a.Provider.EditIDToken(func(_, claims map[string]any) { claims["exp"] = time.Now().Add(time.Minute).Unix() })
			},
		},
		{
			name:     "the ID token of the last refresh",
			signedIn: func(b *apptest.Browser) { time.Sleep(59*time.Minute + 30*time.Second); b.Get("/dashboard") },
		},
		{
			name: "an ID token too long for a request line",
			setUp: func(a *apptest.App) {
				a.Provider.EditIDToken(func(_, claims map[string]any) { claims["long"] = strings.Repeat("long", 1<<10) })
			},
			noHint: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Change: test.change, Provider: oauthlogintest.Config{Clients: []oauthlogintest.Client{registered}}})
				if test.setUp != nil {
					test.setUp(a)
				}
				b := a.Browser(t)
				b.Login("/dashboard")
				if test.signedIn != nil {
					test.signedIn(b)
				}
				clientID, comeBack, endpoint := "app", "https://app.test/", "https://provider.test/end_session"
				if test.clientID != "" {
					clientID, comeBack = test.clientID, test.comeBack
				}
				if test.endpoint != "" {
					endpoint = test.endpoint
				}

				out := b.LogOut("/left?q=a%20b")
				u, err := url.Parse(out.Location())
				if err != nil {
					t.Fatal(err)
				}
				want, _ := url.Parse(endpoint)
				sent, query := u.Query(), want.Query()
				query.Set("client_id", clientID)
				query.Set("post_logout_redirect_uri", comeBack)
				query.Set("state", sent.Get("state"))
				if !test.noHint {
					query.Set("id_token_hint", a.LastIssued("id_token"))
				}
				u.RawQuery, want.RawQuery = "", ""
				if u.String() != want.String() || !maps.EqualFunc(sent, query, slices.Equal) {
					t.Errorf("logout led to %s?%v; want %v", u, sent, query)
				}
				if len(sent.Get("state")) < 43 {
					t.Errorf("state %q is short", sent.Get("state"))
				}
				if len(b.Cookies()) > 0 {
					t.Errorf("cookies left: %v", slices.Collect(maps.Keys(b.Cookies())))
				}
				if out.Header.Get("Referrer-Policy") != "no-referrer" || out.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("headers %v", out.Header)
				}

				back := b.Get(out.Location()) // the provider verifies hint and URI
				if back.StatusCode != http.StatusSeeOther || !strings.HasPrefix(back.Location(), comeBack) {
					t.Fatalf("provider answered %d to %q: %s", back.StatusCode, back.Location(), back.Text)
				}
				a.Events.Want(t, slices.Concat(
					[]string{"login test/alice"}, refreshes(a), []string{"logout test/alice"})...)
				if !strings.HasPrefix(comeBack, "https://app.test/") {
					return
				}
				if resp := b.Follow(back.Location()); resp.Request.URL.String() != "https://app.test/left?q=a%20b" || resp.Text != "home of nobody" {
					t.Errorf("came back to %s: %s", resp.Request.URL, resp.Text)
				}
				if len(b.Cookies()) > 0 || b.SignedIn() {
					t.Errorf("cookies left: %v", b.Cookies())
				}
			})
		})
	}
}

// refreshes returns an event for each refresh that the provider answered.
func refreshes(a *apptest.App) (events []string) {
	for range a.Provider.Count(oauthlogintest.Token) - 1 {
		events = append(events, "refresh test/alice")
	}
	return events
}

// What comes back leads on with a state of ours alone, and shows the page
// otherwise: oidcc-client-test-rp-init-logout-other-state,
// oidcc-client-test-rp-init-logout-no-state.
func TestReturnFromLogout(t *testing.T) {
	t.Parallel()
	const left = "/left?q=a%20b"
	with := func(query string) func(*apptest.App, *apptest.Browser, string) string {
		return func(*apptest.App, *apptest.Browser, string) string { return "/?" + query }
	}
	for _, test := range []struct {
		name    string
		come    func(a *apptest.App, b *apptest.Browser, back string) string
		leadsOn bool
	}{
		{"with the state", func(_ *apptest.App, _ *apptest.Browser, back string) string { return back }, true},
		{"with the state, and parameters of the provider's", func(_ *apptest.App, _ *apptest.Browser, back string) string {
			return strings.Replace(back, "?", "?sid=1&", 1) + "&iss=x"
		}, true},
		{"with the state, after an hour", func(_ *apptest.App, _ *apptest.Browser, back string) string {
			time.Sleep(time.Hour)
			return back
		}, true},
		{"without a query", func(*apptest.App, *apptest.Browser, string) string { return "/" }, false},
		{"without a state", with("sid=1"), false},
		{"with an empty state", with("state="), false},
		{"with another state", with("state=another-state"), false},
		{"with a path for the state", with("state=%2Fleft"), false},
		{"with another state before ours", func(_ *apptest.App, _ *apptest.Browser, back string) string {
			return strings.Replace(back, "?", "?state=another-state&", 1)
		}, false},
		{"with the state cut short", func(_ *apptest.App, _ *apptest.Browser, back string) string { return back[:len(back)-8] }, false},
		{"with the state of another application", func(_ *apptest.App, b *apptest.Browser, _ string) string {
			other := apptest.New(b.T, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(9)} }})
			ob := other.Browser(b.T)
			ob.Login("/dashboard")
			return ob.Get(ob.LogOut(left).Location()).Location()
		}, false},
		{"with the state of a login", func(_ *apptest.App, b *apptest.Browser, _ string) string {
			_, params := b.StartLogin("/login")
			return "/?" + url.Values{"state": params["state"]}.Encode()
		}, false},
		{"with a flow cookie for the state", func(_ *apptest.App, b *apptest.Browser, _ string) string {
			b.StartLogin("/login")
			return "/?state=" + url.QueryEscape(b.Cookies()[b.CookieNames(apptest.FlowPrefix)[0]])
		}, false},
		{"at another path", func(_ *apptest.App, _ *apptest.Browser, back string) string {
			return strings.Replace(back, "/?", "/elsewhere?", 1)
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				b := a.Browser(t)
				b.Login("/dashboard")
				out := b.LogOut(left)
				back := b.Get(out.Location()).Location()
				// OAuth 2.1 section 4.1.1: what the state carries is nobody's to read.
				if strings.Contains(out.Location(), "left") {
					t.Errorf("logout led to %s", out.Location())
				}
				target := test.come(a, b, back)
				resp := b.Get(target)
				switch {
				case test.leadsOn && (resp.StatusCode != http.StatusSeeOther || resp.Location() != left):
					t.Errorf("%d to %q", resp.StatusCode, resp.Location())
				case test.leadsOn && (resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer"):
					t.Errorf("headers %v", resp.Header)
				case !test.leadsOn && (resp.StatusCode != http.StatusOK || resp.Text != "home of nobody"):
					t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
				}
				if len(resp.Cookies()) > 0 || b.SignedIn() {
					t.Errorf("cookies %v", resp.Cookies())
				}
				if resp := b.Do(b.Request(http.MethodPost, target, nil)); resp.Location() != "" {
					t.Errorf("a form is led to %s", resp.Location())
				}
				b.Login("/dashboard")
			})
		})
	}
}

// RFC 9700 section 4.11: also behind a logout nobody is led elsewhere. The
// rule itself is that of logins.
func TestLogoutIsNoOpenRedirect(t *testing.T) {
	t.Parallel()
	for _, local := range []bool{false, true} {
		a := apptest.New(t, apptest.Config{})
		if local {
			a.NoEndSession()
		}
		b := a.Browser(t)
		for _, returnTo := range []string{
			"//evil.test", "https://evil.test/", `/\evil.test`, "/\t/evil.test", "/./\\evil.test", "javascript:alert(1)",
			"evil.test", "/login", "/./login", "/logout", "/auth/callback?x=1", "", "/" + strings.Repeat("x", 4000),
		} {
			b.Login("/dashboard")
			if resp := b.Follow(b.LogOut(returnTo).Location()); resp.Request.URL.String() != "https://app.test/" {
				t.Errorf("return_to=%.40q led to %s", returnTo, resp.Request.URL)
			}
		}
		b.Login("/dashboard")
		out := b.Post("/logout?return_to=%2Fa", url.Values{"return_to": {"/b"}})
		if resp := b.Follow(out.Location()); resp.Request.URL.String() != "https://app.test/" {
			t.Errorf("two return paths led to %s", resp.Request.URL)
		}
		b.Login("/dashboard")
		out = b.Post("/logout?return_to=%2Fa%3Fb", nil)
		if resp := b.Follow(out.Location()); resp.Request.URL.String() != "https://app.test/a?b" {
			t.Errorf("return_to in the query led to %s", resp.Request.URL)
		}
	}
}

// RFC 7009 section 2.1, RFC 6749 section 2.3: the newest refresh token, once,
// by the client that it was issued to.
func TestLogoutRevokesTheRefreshToken(t *testing.T) {
	t.Parallel()
	callback := []string{"https://app.test/auth/callback"}
	clients := []oauthlogintest.Client{
		{ID: "public", RedirectURIs: callback},
		{ID: "odd:id@x", Secret: "odd:s3cret + %41&=é", RedirectURIs: callback},
	}
	untilRefresh := func() { time.Sleep(59*time.Minute + 30*time.Second) }
	for _, test := range []struct {
		name     string
		client   func(*oauth2.Config)
		provider oauthlogintest.Config
		setUp    func(a *apptest.App)
		signedIn func(a *apptest.App, b *apptest.Browser)
		basic    bool
		form     []string // names of parameters besides the token's
		none     bool
	}{
		{name: "HTTP Basic by default", basic: true},
		{name: "HTTP Basic with characters that need encoding", basic: true, client: func(c *oauth2.Config) {
			c.ClientID, c.ClientSecret = clients[1].ID, clients[1].Secret
		}},
		{name: "parameters if the application says so", form: []string{"client_id", "client_secret"}, client: func(c *oauth2.Config) {
			c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		}},
		{name: "parameters if metadata says so", form: []string{"client_id", "client_secret"}, setUp: func(a *apptest.App) {
			a.Provider.EditDiscovery(func(doc map[string]any) {
				doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
			})
		}},
		{name: "a public client", form: []string{"client_id"}, client: func(c *oauth2.Config) {
			c.ClientID, c.ClientSecret = "public", ""
		}},
		{name: "after a refresh", basic: true, signedIn: func(_ *apptest.App, b *apptest.Browser) {
			untilRefresh()
			b.Get("/dashboard")
		}},
		{name: "after a refresh that another request has seen alone", basic: true, signedIn: func(a *apptest.App, b *apptest.Browser) {
			untilRefresh()
			b.Clone().Get("/dashboard")
		}},
		{name: "with a refresh due, which nobody needs any more", basic: true, signedIn: func(*apptest.App, *apptest.Browser) { untilRefresh() }},
		{name: "no refresh token", provider: oauthlogintest.Config{NoRefreshTokens: true}, none: true},
		{name: "no revocation_endpoint", none: true, setUp: func(a *apptest.App) {
			a.Provider.EditDiscovery(func(doc map[string]any) { delete(doc, "revocation_endpoint") })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.provider.Clients = clients
				a := apptest.New(t, apptest.Config{Provider: test.provider, Change: func(opts *oauthlogin.Options) {
					if test.client != nil {
						test.client(opts.Providers[0].OAuth2)
					}
				}})
				if test.setUp != nil {
					test.setUp(a)
				}
				b := a.Browser(t)
				b.Login("/dashboard")
				if test.signedIn != nil {
					test.signedIn(a, b)
				}
				newest, tokenCalls := a.LastIssued("refresh_token"), a.Provider.Count(oauthlogintest.Token)
				b.LogOut("/")
				sent := a.Provider.Requests(oauthlogintest.Revocation)
				if n := a.Provider.Count(oauthlogintest.Token); n != tokenCalls {
					t.Errorf("%d calls of the token endpoint", n-tokenCalls)
				}
				if test.none {
					if len(sent) > 0 {
						t.Errorf("%d revocations", len(sent))
					}
					return
				}
				if len(sent) != 1 || sent[0].Status != http.StatusOK || sent[0].Method != http.MethodPost {
					t.Fatalf("%d revocations: %v", len(sent), sent)
				}
				form := sent[0].Form
				if form.Get("token") != newest || form.Get("token_type_hint") != "refresh_token" {
					t.Errorf("revoked another token than the newest, as %q", form.Get("token_type_hint"))
				}
				names := slices.Sorted(maps.Keys(form))
				if want := append(test.form, "token", "token_type_hint"); !slices.Equal(names, want) {
					t.Errorf("parameters %v; want %v", names, want)
				}
				if _, _, basic := (&http.Request{Header: sent[0].Header}).BasicAuth(); basic != test.basic {
					t.Errorf("HTTP Basic: %v", basic)
				}
				if len(sent[0].Query) > 0 {
					t.Errorf("query %v", sent[0].Query)
				}
			})
		})
	}
}

// A fault of the provider keeps nobody signed in, and nobody waiting.
func TestLogoutWithoutTheProvider(t *testing.T) {
	t.Parallel()
	answer := func(status int, location string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Location": {location}}, Body: http.NoBody}, nil
		}
	}
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for _, test := range []struct {
		name    string
		fault   func(*http.Request) (*http.Response, error)
		revokes bool // if it is asked
	}{
		{name: "is down", fault: func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }},
		{name: "hangs", fault: hang},
		{name: "answers 500", fault: answer(http.StatusInternalServerError, "")},
		{name: "answers 503", fault: answer(http.StatusServiceUnavailable, "")},
		{name: "answers 400", fault: answer(http.StatusBadRequest, "")},
		{name: "redirects elsewhere", fault: answer(http.StatusTemporaryRedirect, "https://evil.test/revoke")},
		{name: "never ends its answer", revokes: true, fault: func(r *http.Request) (*http.Response, error) {
			body, end := io.Pipe()
			context.AfterFunc(r.Context(), func() { end.CloseWithError(r.Context().Err()) })
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body}, nil
		}},
	} {
		for _, known := range []bool{true, false} {
			name, comeTo := test.name, "https://provider.test/end_session?"
			if !known {
				name, comeTo = name+" since before the start", "/left?q=a%20b"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := apptest.New(t, apptest.Config{})
					b := a.Browser(t)
					b.Login("/dashboard")
					b.StartLogin("/login")
					if !known {
						a.Restart(t)
					}
					a.Events.Take()
					var revocations atomic.Int32
					a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
						if r.URL.Path == "/revoke" {
							revocations.Add(1)
						}
						return test.fault(r)
					})
					started := time.Now()
					out := b.LogOut("/left?q=a%20b")
					if waited := time.Since(started); waited > 3*time.Second {
						t.Errorf("the user waited for %v", waited)
					}
					if !strings.HasPrefix(out.Location(), comeTo) {
						t.Errorf("logout led to %s; want %s", out.Location(), comeTo)
					}
					if len(b.Cookies()) > 0 || b.SignedIn() {
						t.Errorf("cookies left: %v", b.Cookies())
					}
					if n := revocations.Load(); known && n != 1 || !known && n > 0 {
						t.Errorf("%d revocations", n)
					}
					a.Events.Want(t, "logout test/alice")
					if (known && test.revokes) == strings.Contains(a.Log.String(), "refresh token not revoked") {
						t.Errorf("log: %s", a.Log)
					}
					a.Leaks(t, out.Text)
					a.Wire.CutBy(nil)
					time.Sleep(time.Minute)
					b.Login("/dashboard")
				})
			})
		}
	}
}

// Logouts that are nobody's business but ours: no call, no detour, no cookie
// left.
func TestLogoutWithoutCalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		setUp    func(a *apptest.App)
		signedIn func(b *apptest.Browser)
		subject  string // whose session ends; "": none does
	}{
		{name: "no end_session_endpoint and no revocation_endpoint", subject: "alice", setUp: func(a *apptest.App) {
			a.Provider.EditDiscovery(func(doc map[string]any) {
				delete(doc, "end_session_endpoint")
				delete(doc, "revocation_endpoint")
			})
		}},
		{name: "plain OAuth 2.0", change: apptest.PlainOAuth, subject: "12345678"},
		{name: "a session that has expired", signedIn: func(*apptest.Browser) { time.Sleep(25 * time.Hour) }},
		{name: "a session cookie that does not open", signedIn: func(b *apptest.Browser) {
			b.SetCookie(apptest.SessionCookie, b.Cookies()[apptest.SessionCookie]+"AAAA")
		}},
		{name: "a session cookie of nonsense", signedIn: func(b *apptest.Browser) { b.SetCookie(apptest.SessionCookie, "nonsense") }},
		{name: "cookies larger than any of ours", signedIn: func(b *apptest.Browser) {
			for _, suffix := range []string{"", ".1", ".2", ".3", ".4", ".rounds", ".silent", ".flow.nonsense"} {
				b.SetCookie(apptest.SessionCookie+suffix, "5"+strings.Repeat("A", 6000))
			}
		}},
		{name: "a chunk that is missing", signedIn: func(b *apptest.Browser) {
			b.SetCookie(apptest.SessionCookie, "2"+strings.TrimPrefix(b.Cookies()[apptest.SessionCookie], "1"))
		}},
		{name: "nobody signed in", signedIn: func(b *apptest.Browser) { b.SetCookie(apptest.SessionCookie, "") }},
		{name: "a session of other keys", signedIn: func(b *apptest.Browser) {
			other := apptest.New(b.T, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(9)} }})
			ob := other.Browser(b.T)
			ob.Login("/")
			b.SetCookie(apptest.SessionCookie, ob.Cookies()[apptest.SessionCookie])
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{Change: test.change})
				if test.setUp != nil {
					test.setUp(a)
				}
				b := a.Browser(t)
				b.Login("/")
				b.StartLogin("/login")
				if test.signedIn != nil {
					test.signedIn(b)
				}
				a.Events.Take()
				a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
					t.Errorf("%s %s", r.Method, r.URL)
					return nil, errors.New("cut")
				})
				if out := b.LogOut("/left?q=a%20b"); out.Location() != "/left?q=a%20b" {
					t.Errorf("logout led to %s", out.Location())
				}
				if len(b.Cookies()) > 0 {
					t.Errorf("cookies left: %v", b.Cookies())
				}
				var events []string
				if test.subject != "" {
					events = []string{"logout test/" + test.subject}
				}
				a.Events.Want(t, events...)
				a.Wire.CutBy(nil)
				b.Login("/dashboard")
			})
		})
	}
}

// SignOut in a handler ends all that a logout does, with one Set-Cookie
// for each name, and leaves the answer to the handler.
func TestSignOut(t *testing.T) {
	t.Parallel()
	untilRefresh := func(*apptest.App) { time.Sleep(59*time.Minute + 30*time.Second) }
	for _, test := range []struct {
		name      string
		path      string
		before    func(a *apptest.App)
		refreshed bool
	}{
		{name: "behind RequireAuth", path: "/end"},
		{name: "behind Handler alone", path: "/end/public"},
		{name: "twice", path: "/end/twice"},
		{name: "after a refresh in the same request", path: "/end", before: untilRefresh, refreshed: true},
		{name: "after a refresh that made the session larger", path: "/end", refreshed: true, before: func(a *apptest.App) {
			untilRefresh(a)
			a.Provider.EditTokenResponse(func(resp map[string]any) {
				var long strings.Builder
				for long.Len() < 6000 {
					long.WriteString(rand.Text())
				}
				resp["access_token"] = long.String()
				delete(resp, "id_token")
			})
		}},
		{name: "when the cookie is due to be written anew", path: "/end", before: func(*apptest.App) { time.Sleep(3 * time.Hour) }, refreshed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := apptest.New(t, apptest.Config{})
				a.Routes = func(mux *http.ServeMux) {
					end := a.Count(func(w http.ResponseWriter, r *http.Request) {
						a.Auth.SignOut(w, r)
						if r.URL.Path == "/end/twice" {
							a.Auth.SignOut(w, r)
						}
						fmt.Fprint(w, "account deleted")
					})
					mux.Handle("/end", a.Auth.RequireAuth(end))
					mux.Handle("/end/twice", a.Auth.RequireAuth(end))
					mux.Handle("/end/public", end)
				}
				b := a.Browser(t)
				b.Login("/dashboard")
				b.StartLogin("/login")
				if test.before != nil {
					test.before(a)
				}
				a.Events.Take()
				old := b.Clone()
				resp := b.Post(test.path, nil)
				if resp.StatusCode != http.StatusOK || resp.Text != "account deleted" || resp.Location() != "" {
					t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
				}
				for _, c := range resp.Cookies() {
					if c.MaxAge >= 0 || c.Value != "" {
						t.Errorf("cookie %s of %d bytes is set", c.Name, len(c.Value))
					}
				}
				if len(b.Cookies()) > 0 || b.SignedIn() {
					t.Errorf("cookies left: %v", slices.Collect(maps.Keys(b.Cookies())))
				}
				if old.SignedIn() {
					t.Error("the old cookie is good again")
				}
				want := []string{"logout test/alice"}
				if test.refreshed {
					want = []string{"refresh test/alice", "logout test/alice"}
				}
				a.Events.Want(t, want...)
				revoked := a.Provider.Requests(oauthlogintest.Revocation)
				if len(revoked) != 1 || revoked[0].Form.Get("token") != a.LastIssued("refresh_token") {
					t.Errorf("%d revocations", len(revoked))
				}
				a.Provider.EditTokenResponse(nil)
				b.Login("/dashboard")
			})
		})
	}
	t.Run("without a session", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("/end", a.Auth.SignOut) }
		b := a.Browser(t)
		b.SetCookie(apptest.SessionCookie, "nonsense")
		if resp := b.Get("/end"); resp.StatusCode != http.StatusOK || len(b.Cookies()) > 0 {
			t.Errorf("%d, cookies %v", resp.StatusCode, b.Cookies())
		}
		a.Events.Want(t)
	})
}

// A handler whose request began before a refresh elsewhere revokes what that
// brought, and not what it knows: an old token says little to a provider.
func TestSignOutAfterARefreshElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/slow", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(2 * time.Minute)
				a.Auth.SignOut(w, r)
			})))
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		other := b.Clone()
		time.Sleep(58 * time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Get("/slow")
		}()
		time.Sleep(90 * time.Second)
		other.Get("/dashboard")
		<-done
		a.Events.Want(t, "login test/alice", "refresh test/alice", "logout test/alice")
		revoked := a.Provider.Requests(oauthlogintest.Revocation)
		if len(revoked) != 1 || revoked[0].Form.Get("token") != a.LastIssued("refresh_token") {
			t.Errorf("%d revocations, and not of the newest token", len(revoked))
		}
		if b.SignedIn() || other.SignedIn() {
			t.Error("signed in")
		}
	})
}

// A refresh that is answered after the logout brings nobody back, and leaves
// no token behind that works.
func TestLogoutDuringARefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		first := a.LastIssued("refresh_token")
		slow := b.Clone()
		time.Sleep(59*time.Minute + 30*time.Second)
		a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			next(w, r)
			time.Sleep(5 * time.Second)
		})
		ran := a.Called("/dashboard")
		done := make(chan *apptest.Response)
		go func() { done <- slow.Get("/dashboard") }()
		time.Sleep(time.Second)
		b.LogOut("/")
		if resp := <-done; resp.StatusCode != http.StatusFound || !strings.HasPrefix(resp.Location(), "/login?") {
			t.Errorf("the request that waited: %d to %q", resp.StatusCode, resp.Location())
		}
		if a.Called("/dashboard") != ran || b.SignedIn() || slow.SignedIn() {
			t.Error("signed in after the logout")
		}
		var revoked []string
		for _, r := range a.Provider.Requests(oauthlogintest.Revocation) {
			revoked = append(revoked, r.Form.Get("token"))
		}
		if want := []string{first, a.LastIssued("refresh_token")}; !slices.Equal(revoked, want) {
			t.Errorf("%d revocations, and not of both tokens", len(revoked))
		}
		a.Events.Want(t, "login test/alice", "logout test/alice")
	})
}

// A logout ends one session, and ends it here also for who kept its cookie.
func TestLogoutEndsOneSession(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b, elsewhere := a.Browser(t), a.Browser(t)
	b.Login("/dashboard")
	elsewhere.Login("/dashboard")
	thief := b.Clone()
	if !thief.SignedIn() {
		t.Fatal("the cookie is bound to more than the test knows")
	}
	b.LogOut("/")
	if b.SignedIn() || thief.SignedIn() {
		t.Error("the cookie is good after the logout")
	}
	if out := thief.LogOut("/left"); out.Location() != "/left" {
		t.Errorf("the second logout led to %s", out.Location())
	}
	if !elsewhere.SignedIn() {
		t.Error("another session of the user has ended")
	}
	if n := a.Provider.Count(oauthlogintest.Revocation); n != 1 {
		t.Errorf("%d revocations", n)
	}
}
