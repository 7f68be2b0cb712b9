package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// challenged makes an application whose page /thing needs an API that may ask for more.
func challenged(t *testing.T, with apptest.Config) (*apptest.App, *apiServer) {
	t.Helper()
	a, api := withAPIs(t, with)
	guardThing(a)
	return a, api
}

func guardThing(a *apptest.App) {
	a.Guard("/thing", func(w http.ResponseWriter, r *http.Request) {
		resp, err := a.Auth.Client(r.Context()).Get(invoicesAPI)
		if err == nil {
			defer resp.Body.Close()
		}
		switch {
		case a.Auth.Challenge(w, r, err):
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
		default:
			fmt.Fprintf(w, "the API says %d", resp.StatusCode)
		}
	})
}

// asks has the API respond with a challenge, until a token satisfies it.
func (api *apiServer) asks(status int, line string, satisfied func(token string) bool) {
	api.says = func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if satisfied != nil && satisfied(token) {
			return
		}
		w.Header().Set("WWW-Authenticate", line)
		w.WriteHeader(status)
	}
}

// RFC 6750 section 3.1: the scope that an API names is requested in addition, once.
func TestAPIWantsScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := challenged(t, narrowly(apptest.Config{}))
		api.asks(403, `Bearer error="insufficient_scope", scope="email openid"`, func(token string) bool {
			return strings.Contains(shownToken(token), "email")
		})
		b := a.Browser(t)
		b.Login("/dashboard")
		resp, params := b.StartLogin("/thing?x=1")
		if got := params.Get("scope"); got != "openid profile email" || params.Has("prompt") {
			t.Fatalf("%d, scope %q", resp.StatusCode, got)
		}
		done := b.FollowOn(b.Get(b.CallbackURL(resp.Location())), "thing")
		if got := b.Get(done.Location()); done.Location() != "/thing?x=1" || got.Text != "the API says 200" {
			t.Errorf("%s: %d %s", done.Location(), got.StatusCode, got.Text)
		}
		a.WantRefreshes(t, 0)
		a.Events.Want(t, "login test/alice", "step_up test/alice", "login test/alice")

		// The same challenge after that login is a refusal, and no reason for another one.
		api.asks(403, `Bearer error="insufficient_scope", scope="email"`, nil)
		for range 2 {
			if got := b.Get("/thing"); got.StatusCode != http.StatusForbidden || got.Location() != "" {
				t.Errorf("%d to %s", got.StatusCode, got.Location())
			}
		}
	})
}

// A scope that the provider does not grant is asked for once.
func TestAPIWantsScopesInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := challenged(t, apptest.Config{})
		api.asks(403, `DPoP error="insufficient_scope", scope="admin"`, nil)
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["scope"] = "openid profile email" })
		b := a.Browser(t)
		b.Login("/dashboard")
		resp, _ := b.StartLogin("/thing")
		done := b.FollowOn(b.Get(b.CallbackURL(resp.Location())), "thing")
		if got := b.Get(done.Location()); got.StatusCode != http.StatusForbidden || got.Location() != "" {
			t.Errorf("%d to %s", got.StatusCode, got.Location())
		}
		got := b.Get("/thing", "Sec-Fetch-Mode", "cors", "Accept", "application/json")
		var body map[string]string
		if json.Unmarshal([]byte(got.Text), &body); got.StatusCode != http.StatusForbidden || body["error"] != "insufficient_scope" || body["login_url"] == "" {
			t.Errorf("a script: %d %s", got.StatusCode, got.Text)
		}
	})
}

// RFC 9470 sections 3 and 4: an API that wants another sign-in gets it. The 401 costs no
// refresh, which would bring nothing.
func TestAPIWantsAnotherSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := challenged(t, apptest.Config{})
		acr := "silver"
		a.Provider.EditIDToken(func(_, claims map[string]any) { claims["acr"] = acr })
		b := a.Browser(t)
		b.Login("/dashboard")
		api.asks(401, `Bearer error="insufficient_user_authentication", acr_values="gold platinum", max_age="60"`, nil)
		resp, params := b.StartLogin("/thing")
		for name, want := range map[string]string{"acr_values": "gold platinum", "max_age": "60", "prompt": "login", "scope": "openid profile email"} {
			if got := params.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		a.WantRefreshes(t, 0)
		if n := len(api.calls()); n != 1 {
			t.Errorf("%d calls", n)
		}
		// What comes back is verified (RFC 9470 section 5).
		if got := b.Get(b.CallbackURL(resp.Location())); got.StatusCode != http.StatusForbidden {
			t.Errorf("a sign-in that is too weak: %d", got.StatusCode)
		}
		acr = "gold"
		resp, _ = b.StartLogin("/thing")
		done := b.FollowOn(b.Get(b.CallbackURL(resp.Location())), "thing")
		if done.Location() != "/thing" {
			t.Errorf("came back to %s", done.Location())
		}
		// No loop, and none for a token that the API rejects for its own reasons.
		if got := b.Get("/thing"); got.StatusCode != http.StatusForbidden || got.Location() != "" {
			t.Errorf("%d to %s", got.StatusCode, got.Location())
		}
		a.WantRefreshes(t, 0)
		// Later, the same challenge is a new one.
		time.Sleep(61 * time.Second)
		if got := b.Get("/thing"); got.StatusCode != http.StatusSeeOther {
			t.Errorf("a minute later: %d", got.StatusCode)
		}
	})
}

// An API that always wants a new sign-in gets one, and not one after the other.
func TestAPIWantsASignInNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := challenged(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		api.asks(401, `Bearer error="insufficient_user_authentication", max_age=0`, nil)
		time.Sleep(31 * time.Second)
		resp, params := b.StartLogin("/thing")
		if params.Get("max_age") != "0" || params.Get("prompt") != "login" {
			t.Errorf("max_age %q, prompt %q", params.Get("max_age"), params.Get("prompt"))
		}
		time.Sleep(2 * time.Second)
		b.FollowOn(b.Get(b.CallbackURL(resp.Location())), "thing")
		time.Sleep(2 * time.Second)
		if got := b.Get("/thing"); got.StatusCode != http.StatusForbidden {
			t.Errorf("just signed in: %d to %s", got.StatusCode, got.Location())
		}
		time.Sleep(30 * time.Second)
		if got := b.Get("/thing"); got.StatusCode != http.StatusSeeOther {
			t.Errorf("later: %d", got.StatusCode)
		}
	})
}

// Scripts and forms get what they get from Require.
func TestAPIChallengesForScripts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, api := challenged(t, apptest.Config{})
		b := a.Browser(t)
		b.Login("/dashboard")
		for line, status := range map[string]int{
			`Bearer error="insufficient_scope", scope="orders.read"`:                        403,
			`Bearer error="insufficient_user_authentication", acr_values="gold", max_age=5`: 401,
		} {
			api.asks(status, line, nil)
			resp := b.Get("/thing", "Sec-Fetch-Mode", "cors", "Accept", "application/json", "Referer", a.URL+"/page")
			var body map[string]string
			if err := json.Unmarshal([]byte(resp.Text), &body); err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.Contains(line, body["error"]) || body["login_url"] == "" {
				t.Fatalf("%d %s", resp.StatusCode, resp.Text)
			}
			if strings.Contains(body["login_url"], "orders.read") || strings.Contains(body["login_url"], "gold") {
				t.Errorf("%s is not sealed", body["login_url"])
			}
			_, params := b.StartLogin(body["login_url"])
			if params.Get("scope") != "openid profile email orders.read" && params.Get("acr_values") != "gold" {
				t.Errorf("leads to %v", params)
			}
			if form := b.Post("/thing", url.Values{"x": {"1"}}); form.StatusCode != http.StatusUnauthorized || !strings.Contains(form.Text, "<html") {
				t.Errorf("a form: %d %s", form.StatusCode, form.Text)
			}
		}
	})
}

// A challenge that a login cannot meet gets 403 at once.
func TestAPIChallengesWithoutAWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		line   string
	}{
		{"no scope", 403, `Bearer error="insufficient_scope"`},
		{"a scope that cannot be sent", 403, `Bearer error="insufficient_scope", scope="a\"b"`},
		{"scopes that the session has", 403, `Bearer error="insufficient_scope", scope="openid email"`},
		{"neither age nor acr", 401, `Bearer error="insufficient_user_authentication"`},
		{"an age that is not a number", 401, `Bearer error="insufficient_user_authentication", max_age="-5"`},
		{"an age that the sign-in has", 401, `Bearer error="insufficient_user_authentication", max_age=3600`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, api := challenged(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
			api.asks(tt.status, tt.line, nil)
			if resp := b.Get("/thing"); resp.StatusCode != http.StatusForbidden || resp.Location() != "" {
				t.Errorf("%d to %s", resp.StatusCode, resp.Location())
			}
			if resp := b.Get("/thing", "Sec-Fetch-Mode", "cors", "Accept", "application/json"); resp.StatusCode != http.StatusForbidden || resp.Text != `{"error":"forbidden"}`+"\n" {
				t.Errorf("a script: %d %s", resp.StatusCode, resp.Text)
			}
			a.WantRefreshes(t, 0)
		})
	}
}

// A provider that is not an OpenID Connect provider cannot show how its user signed in.
func TestAPIWantsASignInOfPlainOAuth(t *testing.T) {
	t.Parallel()
	a, api := challenged(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		p := &opts.Providers[0]
		p.Issuer = ""
		p.OAuth2.Endpoint = oauth2.Endpoint{AuthURL: "https://provider.test/authorize", TokenURL: "https://provider.test/token"}
		p.Identify = func(context.Context, *http.Client) (oauthlogin.User, error) {
			return oauthlogin.User{Subject: "alice"}, nil
		}
	}})
	b := a.Browser(t)
	b.Login("/dashboard")
	api.asks(401, `Bearer error="insufficient_user_authentication", max_age=1`, nil)
	if resp := b.Get("/thing"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d to %s", resp.StatusCode, resp.Location())
	}
}

// The login is at the session's provider, whichever others there are.
func TestAPIChallengeOfOneProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := apptest.NewTwoProviders(t, nil)
		api := serveAPIs(a)
		guardThing(a)
		b := a.Browser(t)
		b.Follow("/login?provider=two&return_to=/dashboard")
		api.asks(403, `Bearer error="insufficient_scope", scope="orders.read"`, nil)
		if resp := b.Get("/thing"); !strings.HasPrefix(resp.Location(), "https://two.test/authorize?") {
			t.Errorf("%d to %s", resp.StatusCode, resp.Location())
		}
	})
}

// Challenge writes nothing about other errors, and nothing that it was given about these.
func TestChallengeOfOtherErrors(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for _, err := range []error{nil, errors.New("other"), oauthlogin.ErrNoToken, (*oauthlogin.ChallengeError)(nil)} {
		w := httptest.NewRecorder()
		if a.Auth.Challenge(w, httptest.NewRequest("GET", "/", nil), err) || len(w.Header())+w.Body.Len() > 0 {
			t.Errorf("%v: %v %s", err, w.Header(), w.Body)
		}
	}
	// Without a session, it is RequireAuth's response; from the application itself, no scope
	// that cannot be requested.
	asked := fmt.Errorf("call: %w", &oauthlogin.ChallengeError{Code: "insufficient_scope", Scopes: []string{"a b"}})
	w := httptest.NewRecorder()
	if r := a.Auth; !r.Challenge(w, httptest.NewRequest("GET", "https://app.test/thing", nil), asked) || w.Code != http.StatusFound {
		t.Errorf("without a session: %d", w.Code)
	}
	r := oauthlogintest.WithUser(t, a.Auth, httptest.NewRequest("GET", "https://app.test/thing", nil), oauthlogin.User{Subject: "alice"})
	w = httptest.NewRecorder()
	if !a.Auth.Challenge(w, r, asked) || w.Code != http.StatusForbidden {
		t.Errorf("a scope with a space: %d", w.Code)
	}
	var zero oauthlogin.Middleware
	w = httptest.NewRecorder()
	if !zero.Challenge(w, r, asked) || w.Code != http.StatusInternalServerError {
		t.Errorf("the zero Middleware: %d", w.Code)
	}
	if text := (&oauthlogin.ChallengeError{Code: "Evil Code\n"}).Error(); strings.Contains(text, "Evil") {
		t.Errorf("%q", text)
	}
}
