package oauthlogin_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// pushing is an application whose provider requires pushed authorization requests.
func pushing(t *testing.T) *apptest.App {
	t.Helper()
	return apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{RequirePAR: true}})
}

// carries checks that a redirect to the provider has a reference and nothing else, and
// returns that.
func carries(t *testing.T, resp *apptest.Response) string {
	t.Helper()
	u, err := url.Parse(resp.Location())
	if err != nil || resp.StatusCode != http.StatusSeeOther || u.Path != "/authorize" {
		t.Fatalf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
	}
	query := u.Query()
	if names := slices.Sorted(maps.Keys(query)); !slices.Equal(names, []string{"client_id", "request_uri"}) || query.Get("client_id") != "app" {
		t.Errorf("the browser carries %v", query)
	}
	return query.Get("request_uri")
}

// RFC 9126: a login, each login anew, and everything that begins one.
func TestPushedLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := pushing(t)
		a.GuardBy(oauthlogin.Policy{MaxAge: time.Minute, ACR: []string{"phr"}})
		b := a.Browser(t)
		seen := map[string]bool{}
		for range 3 { // RFC 9126 section 4: a request_uri is used once
			uri := carries(t, b.Get("/login?return_to=/dashboard"))
			if seen[uri] {
				t.Errorf("%s is used again", uri)
			}
			seen[uri] = true
		}
		b.Login("/dashboard")
		if resp := b.Follow("/guarded"); resp.Text != "guarded page for alice" {
			t.Errorf("after a step-up: %d %s", resp.StatusCode, resp.Text)
		}
		pushes := a.Provider.Requests(oauthlogintest.PushedAuthorization)
		if len(pushes) != 5 {
			t.Fatalf("%d pushes", len(pushes))
		}
		if form := pushes[4].Form; form.Get("acr_values") != "phr" || form.Get("max_age") != "60" || form.Get("prompt") != "login" {
			t.Errorf("the step-up pushed %v", form)
		}

		// A login that took too long starts anew, with a push of its own.
		c := a.Browser(t)
		late := c.CallbackURL("/login?return_to=/dashboard")
		time.Sleep(6 * time.Minute)
		before := a.Provider.Count(oauthlogintest.PushedAuthorization)
		if resp := c.Get(late, "Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch;prerender"); resp.StatusCode != http.StatusBadRequest || a.Provider.Count(oauthlogintest.PushedAuthorization) != before {
			t.Errorf("looking ahead: %d to %q", resp.StatusCode, resp.Location())
		}
		carries(t, c.Get(late))
	})
}

// What looks ahead pushes nothing, through StartLogin neither.
func TestLookingAheadPushesNothing(t *testing.T) {
	t.Parallel()
	a := pushing(t)
	a.Routes = func(mux *http.ServeMux) {
		mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
			a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: "/dashboard", Scopes: []string{"offline_access"}})
		})
		mux.Handle("/public", a.Auth.SilentLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	}
	b := a.Browser(t)
	for _, path := range []string{"/login", "/start", "/dashboard", "/public"} {
		for _, header := range [][]string{{"Sec-Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"}, {"Purpose", "prefetch"}} {
			if resp := b.Get(path, header...); strings.Contains(resp.Location(), "provider.test") || len(b.CookieNames("__Host-oauthlogin.flow")) > 0 {
				t.Errorf("%s with %q leads to %q", path, header, resp.Location())
			}
		}
		resp := b.Do(b.Request(http.MethodHead, path, nil))
		if strings.Contains(resp.Location(), "provider.test") || len(b.CookieNames("__Host-oauthlogin.flow")) > 0 {
			t.Errorf("HEAD %s leads to %q", path, resp.Location())
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		b.Do(b.Request(method, "/login", nil))
	}
	if n := a.Provider.Count(oauthlogintest.PushedAuthorization); n != 0 {
		t.Errorf("%d pushes", n)
	}
	// Where StartLogin leads what looks ahead, the same login starts.
	carries(t, b.Get(b.Get("/start", "Purpose", "prefetch").Location()))
	if form := a.Provider.Requests(oauthlogintest.PushedAuthorization)[0].Form; !strings.Contains(form.Get("scope"), "offline_access") {
		t.Errorf("pushed %v", form)
	}
}

// A push that fails is an error page with the provider's code in the log. No login is
// pending, and the front channel is not taken.
func TestPushFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		code    string
		logged  string
	}{
		{"an error", apptest.RespondWith(400, `{"error":"invalid_request_object"}`), "provider_rejected", "invalid_request_object"},
		{"invalid_client", apptest.RespondWith(401, `{"error":"invalid_client"}`), "provider_rejected", "invalid_client"},
		{"an outage", apptest.RespondWith(503, `{"error":"temporarily_unavailable"}`), "provider_unavailable", "temporarily_unavailable"},
		{"no request_uri", apptest.RespondWith(201, `{"expires_in":60}`), "provider_rejected", "no request_uri"},
		{"an error beside a request_uri", apptest.RespondWith(201, `{"error":"server_error","request_uri":"urn:x"}`), "provider_unavailable", "server_error"},
		{"a hang", func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { time.Sleep(time.Minute) }, "provider_unavailable", "call failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := pushing(t)
				a.Routes = func(mux *http.ServeMux) {
					mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
						a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: "/dashboard"})
					})
				}
				a.Provider.Intercept(oauthlogintest.PushedAuthorization, tt.respond)
				b := a.Browser(t)
				for _, path := range []string{"/login?return_to=/dashboard", "/start"} {
					resp := b.Get(path)
					a.Refused(t, b, resp, http.StatusBadGateway, tt.code)
					if len(resp.Header["Set-Cookie"]) > 0 || len(b.Cookies()) > 0 {
						t.Errorf("%s sets %q", path, resp.Header["Set-Cookie"])
					}
					if !slices.Contains(resp.Links(), "/login?return_to=%2Fdashboard") {
						t.Errorf("%s leads on to %q", path, resp.Links())
					}
				}
				if !strings.Contains(a.Log.String(), tt.logged) {
					t.Errorf("logged %s", a.Log)
				}
				if n := a.Provider.Count(oauthlogintest.Authorization); n > 0 {
					t.Errorf("%d authorization requests", n)
				}
				a.Provider.Intercept(oauthlogintest.PushedAuthorization, nil)
				a.Recovers(t, b)
			})
		})
	}
}

// A provider that requires pushing, without a usable endpoint, is an error page.
func TestPushRequiredWithoutAnEndpoint(t *testing.T) {
	t.Parallel()
	for name, endpoint := range map[string]any{"none": nil, "a number": 1, "plain http": "http://provider.test/par"} {
		t.Run(name, func(t *testing.T) {
			a := pushing(t)
			a.Provider.EditDiscovery(func(doc map[string]any) { doc["pushed_authorization_request_endpoint"] = endpoint })
			b := a.Browser(t)
			a.Refused(t, b, b.Get("/login"), http.StatusBadGateway, "provider_unavailable")
			if len(b.Cookies()) > 0 || a.Provider.Count(oauthlogintest.PushedAuthorization) > 0 {
				t.Errorf("cookies %v", b.Cookies())
			}
		})
	}
}

// So it does while the assertion for the push is made, and while the provider asks for a
// nonce.
func TestSilentPushWithCredentials(t *testing.T) {
	t.Parallel()
	key := clientKey(t, "ES256")
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Int64
		a := bound(t, apptest.Config{Provider: oauthlogintest.Config{RequirePAR: true}, Key: key, Change: func(opts *oauthlogin.Options) {
			opts.Providers[0].ClientAssertion = func(ctx context.Context, audience string) (string, error) {
				time.Sleep(time.Duration(slow.Load()))
				return oauthlogin.PrivateKeyJWT("app", "k1", key)(ctx, audience)
			}
		}})
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/public", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("page")) })))
		}
		b := a.Browser(t)
		for _, takes := range []time.Duration{time.Hour, 1500 * time.Millisecond} { // the latter twice, for the nonce
			slow.Store(int64(takes))
			start := time.Now()
			resp := b.Get("/public", asNavigation...)
			if took := time.Since(start); resp.Text != "page" || took != 2*time.Second || len(b.Cookies()) > 0 {
				t.Errorf("%v: after %v: %d %s, cookies %v", takes, took, resp.StatusCode, resp.Text, b.Cookies())
			}
			time.Sleep(2 * time.Hour)
		}
		slow.Store(0)
		if resp := b.Get("/public", asNavigation...); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
	})
}

// SilentLogin stays within its own bound: a page does not wait for a push for longer than
// for metadata, and is shown without a session.
func TestSilentPush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{RequirePAR: true}})
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/public/", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, ok := oauthlogin.FromContext(r.Context()); ok {
					w.Write([]byte("in"))
				} else {
					w.Write([]byte("out"))
				}
			})))
		}
		b := a.Browser(t)
		a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/par" {
				<-r.Context().Done()
			}
			return nil, r.Context().Err()
		})
		start := time.Now()
		resp := b.Get("/public/a", asNavigation...)
		if took := time.Since(start); resp.Text != "out" || took != 2*time.Second || len(b.Cookies()) > 0 {
			t.Errorf("after %v: %d %s, cookies %v", took, resp.StatusCode, resp.Text, b.Cookies())
		}
		start = time.Now()
		if resp := b.Get("/login"); resp.StatusCode != http.StatusBadGateway || time.Since(start) != 10*time.Second {
			t.Errorf("a login that was asked for: %d after %v", resp.StatusCode, time.Since(start))
		}
		a.Wire.CutBy(nil)
		if !strings.Contains(a.Log.String(), "context deadline exceeded") {
			t.Errorf("logged %s", a.Log)
		}
		a.Provider.Intercept(oauthlogintest.PushedAuthorization, apptest.RespondWith(401, `{"error":"invalid_client"}`))
		a.Log.Reset()
		if resp := b.Get("/public/a", asNavigation...); resp.Text != "out" || !strings.Contains(a.Log.String(), "level=ERROR") {
			t.Errorf("%d %s, logged %s", resp.StatusCode, resp.Text, a.Log)
		}
		a.Provider.Intercept(oauthlogintest.PushedAuthorization, nil)
		if resp, _ := visitPage(b, "/public/a"); resp.Text != "in" {
			t.Errorf("%d %s", resp.StatusCode, resp.Text)
		}
		pushes := a.Provider.Requests(oauthlogintest.PushedAuthorization)
		if form := pushes[len(pushes)-1].Form; form.Get("prompt") != "none" {
			t.Errorf("pushed %v", form)
		}
	})
}
