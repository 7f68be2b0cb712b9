package oauthlogin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const clientID = "app" // of applications of apptest

// wantBackChannel fails the test unless a response to a logout token is exactly that: 200
// without a body, or an error object, and never stored. None sets a cookie.
func wantBackChannel(t *testing.T, what string, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status || w.Header().Get("Cache-Control") != "no-store" || len(w.Header()["Set-Cookie"]) > 0 {
		t.Errorf("%s: %d %v %s; want %d", what, w.Code, w.Header(), w.Body, status)
		return
	}
	code := map[int]string{http.StatusBadRequest: "invalid_request", http.StatusServiceUnavailable: "unavailable", http.StatusMethodNotAllowed: "method_not_allowed"}[status]
	var said struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	switch err := json.Unmarshal(w.Body.Bytes(), &said); {
	case status == http.StatusOK && w.Body.Len() > 0:
		t.Errorf("%s: %s", what, w.Body)
	case status != http.StatusOK && (err != nil || said.Code != code || said.Description == "" || w.Header().Get("Content-Type") != "application/json"):
		t.Errorf("%s: %s %s", what, w.Header().Get("Content-Type"), w.Body)
	}
	if (w.Header().Get("Retry-After") != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("%s: Retry-After is %q", what, w.Header().Get("Retry-After"))
	}
}

// OpenID Connect Back-Channel Logout sections 2.4 and 2.7: sid names a session, also
// beside sub, and sub alone means all of the user's. The OpenID Foundation's
// oidcc-client-test-rp-backchannel-rpinitlogout.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		sub, sid bool
		laptop   string // who is signed in there afterwards
		event    string
	}{
		{"sid", false, true, "alice", "logout test/"},
		{"sub and sid", true, true, "alice", "logout test/alice"},
		{"sub", true, false, "", "logout test/alice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := apptest.New(t, with)
				phone, laptop, other := a.SignIn(t, "alice"), a.SignIn(t, "alice"), a.SignIn(t, "bob")
				a.Events.Take()
				sub, sid := "", ""
				if tt.sub {
					sub = "alice"
				}
				if tt.sid {
					sid = phone.SID()
				}
				token := a.Provider.LogoutToken(clientID, sub, sid)
				wantBackChannel(t, "the token", a.SendLogoutToken(token), http.StatusOK)
				a.Events.Want(t, tt.event)
				phone.WantUser("/api/me", "")
				laptop.WantUser("/api/me", tt.laptop)
				other.WantUser("/api/me", "bob")
				if got := phone.Get("/").Text; got != "home of nobody" {
					t.Error(got)
				}

				// A sign-in right after it lives, also when the token comes again.
				old := phone.Clone()
				phone.Login("/dashboard")
				wantBackChannel(t, "the token again", a.SendLogoutToken(token), http.StatusBadRequest)
				a.Events.Want(t, "login test/alice")
				phone.WantUser("/api/me", "alice")
				old.WantUser("/api/me", "")

				// The old session stays out, and the others go on through refreshes.
				time.Sleep(2 * time.Hour)
				phone.WantUser("/api/me", "alice")
				laptop.WantUser("/api/me", tt.laptop)
				old.WantUser("/api/me", "")
				wantBackChannel(t, "a new token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "", phone.SID())), http.StatusOK)
				phone.WantUser("/api/me", "")
				laptop.WantUser("/api/me", tt.laptop)

				// Section 2.7: a user who is signed out already is a success.
				wantBackChannel(t, "a user without a session", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "carol", "none")), http.StatusOK)
			})
		})
	}
}

// Section 2.6: exactly 400. One row of each kind shows that it is checked; TestLogoutTokens
// of internal/protocol has more.
func TestBackChannelLogoutRefusesTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		sid, now := b.SID(), time.Now().Unix()
		idToken := a.LastIssued("id_token")
		issue := func(edit func(header, claims map[string]any)) string {
			a.Provider.EditLogoutToken(edit)
			defer a.Provider.EditLogoutToken(nil)
			return a.Provider.LogoutToken(clientID, "alice", sid)
		}
		good := issue(nil)
		signed := func(alg string) func(header, claims map[string]any) { return apptest.JOSE("alg", alg) }
		for _, tt := range []struct{ name, token string }{
			{"an ID token", idToken},
			// oidcc-client-test-rp-backchannel-rpinitlogout-alg-none,
			// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg.
			{"alg none", issue(signed("none"))},
			{"alg HS256 by the client secret", issue(signed("HS256"))},
			{"alg RS256 by another key", issue(signed("RS256"))},
			{"another signature", good[:strings.LastIndexByte(good, '.')+1] + idToken[strings.LastIndexByte(idToken, '.')+1:]},
			{"no signature", good[:strings.LastIndexByte(good, '.')+1]},
			{"an unknown key", issue(apptest.JOSE("kid", "other"))},
			{"typ of an access token", issue(apptest.JOSE("typ", "at+jwt"))},
			{"a critical header", issue(apptest.JOSE("crit", []string{"exp"}))},
			// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss.
			{"another issuer", issue(apptest.Claim("iss", "https://evil.test"))},
			{"no issuer", issue(apptest.Without("iss"))},
			// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud.
			{"another client", issue(apptest.Claim("aud", "other"))},
			{"no aud", issue(apptest.Without("aud"))},
			{"a second audience", issue(apptest.Claim("aud", []string{clientID, "other"}))},
			{"expired", issue(apptest.Claim("exp", now-120))},
			{"no exp", issue(apptest.Without("exp"))},
			{"valid for ever", issue(apptest.Claim("exp", now+10*365*24*3600))},
			{"no iat", issue(apptest.Without("iat"))},
			{"from the future", issue(apptest.Claim("iat", now+600))},
			{"an hour old", issue(apptest.Claim("iat", now-3600))},
			// oidcc-client-test-rp-backchannel-rpinitlogout-no-event,
			// oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event.
			{"no events", issue(apptest.Without("events"))},
			{"another event", issue(apptest.Claim("events", map[string]any{"http://schemas.openid.net/event/frontchannel-logout": map[string]any{}}))},
			{"an event that is not an object", issue(apptest.Claim("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": true}))},
			// oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce.
			{"a nonce", issue(apptest.Claim("nonce", "n"))},
			{"a nonce that is null", issue(apptest.Claim("nonce", nil))},
			{"no jti", issue(apptest.Without("jti"))},
			{"neither sub nor sid", issue(apptest.Without("sub", "sid"))},
			{"an empty sid beside sub", issue(apptest.Claim("sid", ""))},
			{"no JWT", "x"},
			{"half a JWT", "e30.e30"},
			{"a JWE", "e30.e30.e30.e30.e30"},
			{"no claims", "e30.bnVsbA.e30"},
		} {
			wantBackChannel(t, tt.name, a.SendLogoutToken(tt.token), http.StatusBadRequest)
			if !b.SignedIn() {
				t.Fatalf("%s: signed out", tt.name)
			}
		}
		if log := a.Log.String(); strings.Contains(log, good[:20]) || strings.Contains(log, sid) {
			t.Error("the log shows a token or a sid")
		}
		a.Events.Want(t, "login test/alice")
		wantBackChannel(t, "the good token", a.SendLogoutToken(good), http.StatusOK)
		if b.SignedIn() {
			t.Error("signed in")
		}
		// A logout token is no ID token (section 4.1).
		a.Provider.SignWith(func(map[string]any, map[string]any) string { return issue(nil) })
		if resp := a.Browser(t).TryLogin(); resp.StatusCode != http.StatusBadGateway {
			t.Errorf("a login by a logout token: %d", resp.StatusCode)
		}
	})
}

// Section 2.5: one form parameter, in the body of a POST request.
func TestBackChannelLogoutRefusesRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		const form = "application/x-www-form-urlencoded"
		token := a.Provider.LogoutToken(clientID, "alice", "")
		for _, tt := range []struct{ name, contentType, body string }{
			{"no body", form, ""},
			{"no token", form, "token=" + token},
			{"an empty token", form, "logout_token="},
			{"two tokens", form, "logout_token=" + token + "&logout_token=" + token},
			{"a token and an empty one", form, "logout_token=" + token + "&logout_token="},
			{"a malformed form", form, "logout_token=" + token + "&x=%zz"},
			{"an endless form", form, "logout_token=" + token + "&x=" + strings.Repeat("x", 1<<20)},
			{"the token as it is", "application/logout+jwt", token},
			{"JSON", "application/json", `{"logout_token":"` + token + `"}`},
			{"a multipart form", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\n" + token + "\r\n--x--\r\n"},
			{"a malformed type", form + ";;;", "logout_token=" + token},
		} {
			wantBackChannel(t, tt.name, a.PostBackChannel(tt.body, "Content-Type", tt.contentType), http.StatusBadRequest)
		}
		wantBackChannel(t, "no type", a.PostBackChannel("logout_token="+token), http.StatusBadRequest)
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
			w := a.Serve(method, a.URL+"/logout/backchannel?logout_token="+token)
			if wantBackChannel(t, method, w, http.StatusMethodNotAllowed); w.Header().Get("Allow") != "POST" || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", method, w.Header())
			}
		}
		if !b.SignedIn() {
			t.Error("signed out")
		}
		// The query counts for nothing, and neither do cookies and other parameters.
		r := httptest.NewRequest(http.MethodPost, a.URL+"/logout/backchannel?logout_token=x&%zz", strings.NewReader("x=y&logout_token="+token))
		r.Header.Set("Content-Type", form+"; charset=utf-8")
		for name, value := range b.Cookies() {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		wantBackChannel(t, "a good request", w, http.StatusOK)
		if b.SignedIn() {
			t.Error("signed in")
		}
	})
	w := httptest.NewRecorder()
	if (&oauthlogin.Middleware{}).BackChannelLogout(w, httptest.NewRequest(http.MethodPost, "/logout/backchannel", nil)); w.Code != http.StatusInternalServerError {
		t.Errorf("a zero Middleware: %d", w.Code)
	}
}

// What cannot be verified now can be sent again: the provider's fault does not use the
// token up.
func TestBackChannelLogoutWithoutKeys(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []oauthlogintest.Endpoint{oauthlogintest.JWKS, oauthlogintest.Discovery} {
		apptest.InBubble(t, string(endpoint), func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{})
			a.Restart(t)
			a.Provider.Intercept(endpoint, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.WriteHeader(http.StatusBadGateway)
			})
			token, asked := a.Provider.LogoutToken(clientID, "alice", ""), a.Provider.Count(endpoint)
			for range 20 { // strangers do not keep asking through the application
				wantBackChannel(t, "without keys", a.SendLogoutToken(token), http.StatusServiceUnavailable)
			}
			if n := a.Provider.Count(endpoint) - asked; n != 1 {
				t.Errorf("asked %d times", n)
			}
			b.WantUser("/api/me", "alice")
			a.Events.Want(t, "login test/alice")
			a.Provider.Intercept(endpoint, nil)
			time.Sleep(10 * time.Second)
			wantBackChannel(t, "with keys", a.SendLogoutToken(token), http.StatusOK)
			b.WantUser("/api/me", "")
			wantBackChannel(t, "again", a.SendLogoutToken(token), http.StatusBadRequest)
		})
	}
}

// A refresh under way cannot bring a session back, and what it brings is revoked.
func TestBackChannelLogoutDuringRefresh(t *testing.T) {
	t.Parallel()
	for _, bySID := range []bool{false, true} {
		apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
			a, b := apptest.SignedIn(t, with)
			sub, sid := "alice", ""
			if bySID {
				sub, sid = "", b.SID()
			}
			time.Sleep(time.Hour)
			a.SlowTokens(5 * time.Second)
			go func() {
				time.Sleep(2 * time.Second)
				wantBackChannel(t, "the token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, sub, sid)), http.StatusOK)
			}()
			if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusFound {
				t.Errorf("the request that refreshes: %d", resp.StatusCode)
			}
			synctest.Wait()
			revoked := a.Provider.Requests(oauthlogintest.Revocation)
			issued := a.Issued()
			if len(issued) != 2 || len(revoked) != 1 || revoked[0].Form.Get("token") != issued[1] {
				t.Errorf("%d tokens issued, %d revoked", len(issued), len(revoked))
			}
			b.WantUser("/api/me", "")
		})
	}
}

// The provider has given the tokens of a login before it says that the session is over.
func TestBackChannelLogoutDuringLogin(t *testing.T) {
	t.Parallel()
	for _, bySID := range []bool{false, true} {
		apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
			a := apptest.New(t, with)
			a.Provider.EditIDToken(apptest.Claim("sid", "s-1"))
			sub, sid := "alice", ""
			if bySID {
				sub, sid = "", "s-1"
			}
			send := func() {
				wantBackChannel(t, "the token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, sub, sid)), http.StatusOK)
			}
			send() // an earlier one changes nothing
			a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				next(w, r)
				time.Sleep(5 * time.Second)
			})
			b := a.Browser(t)
			callback := b.CallbackURL("/login")
			go func() {
				time.Sleep(2 * time.Second)
				send()
			}()
			b.Get(callback)
			b.WantUser("/api/me", "")
			b.Login("/dashboard")
			b.WantUser("/api/me", "alice")
		})
	}
}

// A provider may name two sign-ins in a browser by one sid: what it ends is the first.
func TestBackChannelLogoutOfASIDThatComesAgain(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		a.Provider.EditIDToken(apptest.Claim("sid", "s-1"))
		b := a.Browser(t)
		for range 3 {
			b.Login("/dashboard")
			b.WantUser("/api/me", "alice")
			wantBackChannel(t, "the token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "alice", "s-1")), http.StatusOK)
			b.WantUser("/api/me", "")
		}
		a.Provider.EditIDToken(nil)
		b.Login("/dashboard") // of another session at the provider
		wantBackChannel(t, "the token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "alice", "s-1")), http.StatusOK)
		b.WantUser("/api/me", "alice")
	})
}

// A session is touched by the sid of its login alone: refreshes do not change it, and one
// without a sid has none.
func TestBackChannelLogoutBySIDOfTheLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		atLogin any
		later   any
		sid     string
		want    string
	}{
		{"the sid of the login, which a refresh leaves out", "s-1", nil, "s-1", ""},
		{"the sid of the login, which a refresh changes", "s-1", "s-2", "s-1", ""},
		{"the sid of a refresh", "s-1", "s-2", "s-2", "alice"},
		{"no sid at the login", nil, nil, "s-1", "alice"},
		{"an empty sid at the login", "", "", "s-1", "alice"},
		{"a sid at the login that is no string", 1, 1, "1", "alice"},
		{"sub as sid", "s-1", "s-1", "alice", "alice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
				a := apptest.New(t, with)
				say := func(sid any) {
					a.Provider.EditIDToken(func(_, claims map[string]any) {
						if claims["sid"] = sid; sid == nil {
							delete(claims, "sid")
						}
					})
				}
				say(tt.atLogin)
				b := a.Browser(t)
				b.Login("/dashboard")
				say(tt.later)
				time.Sleep(2 * time.Hour)
				b.WantUser("/api/me", "alice")
				a.WantRefreshes(t, 1)
				wantBackChannel(t, "the token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "", tt.sid)), http.StatusOK)
				b.WantUser("/api/me", tt.want)
				wantBackChannel(t, "the user's", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "alice", "")), http.StatusOK)
				b.WantUser("/api/me", "")
			})
		})
	}
}

// Issuers are told apart, whatever their users and sessions are called, and of several
// clients at one issuer the audience names one.
func TestBackChannelLogoutAtSeveralProviders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		twin := oauthlogintest.Client{ID: "twin", Secret: "s3cret-of-the-twin", RedirectURIs: []string{"https://app.test/auth/callback/twin"}}
		a, two := apptest.NewTwoProviders(t, func(o *oauthlogin.Options) {
			o.Providers = append(o.Providers, oauthlogin.Provider{
				Name: "twin", Issuer: "https://provider.test",
				OAuth2: &oauth2.Config{ClientID: twin.ID, ClientSecret: twin.Secret, RedirectURL: twin.RedirectURIs[0]},
			}, apptest.PlainProvider("plain", "https://app.test/auth/callback/plain"))
		})
		one := a.Provider
		two.AutoApprove("alice")
		for _, p := range []*oauthlogintest.Provider{one, two} {
			p.EditIDToken(apptest.Claim("sid", "s-1"))
		}
		signIn := func(provider string) *apptest.Browser {
			b := a.Browser(t)
			b.Follow("/login?provider=" + provider)
			b.WantUser("/api/me", "alice")
			return b
		}
		atOne, atTwo := signIn("one"), signIn("two")
		a.Events.Take()
		// One provider does not speak for another, whose keys it does not have.
		two.EditLogoutToken(apptest.Claim("iss", one.Issuer()))
		wantBackChannel(t, "as another issuer", a.SendLogoutToken(two.LogoutToken(clientID, "alice", "s-1")), http.StatusBadRequest)
		two.EditLogoutToken(nil)
		wantBackChannel(t, "the sid at the other provider", a.SendLogoutToken(two.LogoutToken(clientID, "alice", "s-1")), http.StatusOK)
		a.Events.Want(t, "logout two/alice")
		atOne.WantUser("/api/me", "alice")
		atTwo.WantUser("/api/me", "")
		atTwo.Follow("/login?provider=two")
		wantBackChannel(t, "the user at the first provider, by another client", a.SendLogoutToken(one.LogoutToken("twin", "alice", "")), http.StatusOK)
		a.Events.Want(t, "login two/alice", "logout twin/alice")
		atOne.WantUser("/api/me", "")
		atTwo.WantUser("/api/me", "alice")
		one.EditLogoutToken(apptest.Claim("jti", "j-1"))
		for _, client := range []string{clientID, "twin"} { // who are told apart as well
			wantBackChannel(t, "one jti at "+client, a.SendLogoutToken(one.LogoutToken(client, "carol", "")), http.StatusOK)
		}
		wantBackChannel(t, "a third client", a.SendLogoutToken(one.LogoutToken("third", "alice", "")), http.StatusBadRequest)
		one.EditLogoutToken(apptest.Claim("iss", "https://plain.example"))
		wantBackChannel(t, "a plain OAuth 2.0 provider", a.SendLogoutToken(one.LogoutToken(clientID, "alice", "")), http.StatusBadRequest)
	})
}

// A token that comes ten times at once ends the sessions once.
func TestBackChannelLogoutAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := apptest.SignedIn(t, apptest.Config{})
		token := a.Provider.LogoutToken(clientID, "alice", "")
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex
			status []int
		)
		for range 10 {
			wg.Go(func() {
				w := a.SendLogoutToken(token)
				mu.Lock()
				defer mu.Unlock()
				status = append(status, w.Code)
			})
		}
		wg.Wait()
		if !slices.Contains(status, http.StatusOK) || slices.ContainsFunc(status, func(n int) bool { return n != http.StatusOK && n != http.StatusBadRequest }) {
			t.Errorf("%v", status)
		}
		b.WantUser("/api/me", "")
		a.Events.Want(t, "login test/alice", "logout test/alice")
	})
}

// SilentLogin asks the provider again, which knows that the session is over.
func TestBackChannelLogoutAndSilentLogin(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/public", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if s, ok := oauthlogin.FromContext(r.Context()); ok {
					w.Write([]byte(s.User.Subject))
				}
			})))
		}
		b := a.Browser(t)
		if got := b.Follow("/public").Text; got != "alice" {
			t.Fatalf("signed in as %q", got)
		}
		a.Provider.AutoApprove("")
		sid := b.SID()
		b.Get("https://provider.test/end_session")
		wantBackChannel(t, "the token", a.SendLogoutToken(a.Provider.LogoutToken(clientID, "alice", sid)), http.StatusOK)
		for range 2 {
			if resp := b.Follow("/public"); resp.StatusCode != http.StatusOK || resp.Text != "" {
				t.Errorf("%d %q", resp.StatusCode, resp.Text)
			}
			time.Sleep(20 * time.Minute)
		}
	})
}

// The path is the package's own: a gate around it lets providers in, and no login leads
// back to it.
func TestBackChannelLogoutPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.LogoutPath = "/bye/" }})
		for name, h := range map[string]http.Handler{
			"RequireAuth": a.Auth.RequireAuth(http.NotFoundHandler()), "SilentLogin": a.Auth.SilentLogin(http.NotFoundHandler()),
			"Handler": a.Auth.Handler(http.NotFoundHandler()), "itself": http.HandlerFunc(a.Auth.BackChannelLogout),
		} {
			// Of another origin, as providers are.
			r := httptest.NewRequest(http.MethodPost, "https://backend.internal/bye/backchannel", strings.NewReader(url.Values{"logout_token": {a.Provider.LogoutToken(clientID, "alice", "")}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", "https://provider.test")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			wantBackChannel(t, name, w, http.StatusOK)
		}
		b := a.Browser(t)
		if resp := b.Follow("/login?return_to=/bye/./backchannel"); resp.Request.URL.Path != "/" {
			t.Errorf("a login led to %s", resp.Request.URL)
		}
	})
}

// The metadata says that a provider can do it: the log says what to register there.
func TestBackChannelLogoutIsAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := apptest.SignedIn(t, apptest.Config{})
		if log := a.Log.String(); !strings.Contains(log, "level=DEBUG") || !strings.Contains(log, "backchannel_logout_uri=https://app.test/logout/backchannel") {
			t.Error("the log does not say it")
		}
		a.Provider.EditDiscovery(func(doc map[string]any) { delete(doc, "backchannel_logout_supported") })
		a.Log.Reset()
		a.Restart(t)
		a.Browser(t).Login("/dashboard")
		if strings.Contains(a.Log.String(), "backchannel") {
			t.Error("the log says it of a provider that does not")
		}
	})
}
