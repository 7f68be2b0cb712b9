package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// mallorysAnswer is a callback URL with her code, of a login that she began.
func mallorysAnswer(a *apptest.App) string {
	a.T.Helper()
	a.Provider.AutoApprove("mallory")
	defer a.Provider.AutoApprove("alice")
	return a.Browser(a.T).CallbackURL("/login?return_to=/mallory")
}

func withParameters(a *apptest.App, cb string, nameValue ...string) string {
	a.T.Helper()
	return apptest.Edited(a.T, cb, func(q url.Values) {
		for i := 0; i < len(nameValue); i += 2 {
			if q.Set(nameValue[i], nameValue[i+1]); nameValue[i+1] == "" {
				q.Del(nameValue[i])
			}
		}
	})
}

func noState(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	own := b.CallbackURL("/login?return_to=//hostile.test")
	code := apptest.QueryOf(mallorysAnswer(a)).Get("code")
	for _, cb := range []string{withParameters(a, own, "state", ""), withParameters(a, own, "state", "", "code", code), withParameters(a, own, "state", "hostile", "code", code), "/auth/callback?code=" + code, own + "&state="} {
		a.Expect(cb, b.Get(cb), http.StatusBadRequest, "")
	}
	a.Leaves(b, apptest.Aftermath{})
}

func droppedFlowCookies(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	own := b.CallbackURL("/login?return_to=/dashboard")
	name := b.CookieNames(apptest.FlowPrefix)[0]
	flow := b.Cookies()[name]
	for what, value := range map[string]string{"dropped": "", "empty": " ", "cut short": flow[:len(flow)-1], "of another login": flowOfMallory(a)} {
		b.SetCookie(name, strings.TrimSpace(value))
		a.Expect(what, b.Get(own), http.StatusBadRequest, "")
		a.Expect(what+", and no state", b.Get(withParameters(a, own, "state", "")), http.StatusBadRequest, "")
		a.Expect(what+", and no issuer", b.Get(withParameters(a, own, "iss", "", "state", "")), http.StatusBadRequest, "")
		b.SetCookie(name, "")
	}
	a.Leaves(b, apptest.Aftermath{})
}

// flowOfMallory is the value of a flow cookie of hers.
func flowOfMallory(a *apptest.App) string {
	hers := a.Browser(a.T)
	hers.StartLogin("/login")
	return hers.Cookies()[hers.CookieNames(apptest.FlowPrefix)[0]]
}

func flowAsSession(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	flow := flowOfMallory(a)
	b := a.Browser(t)
	for _, value := range []string{flow, "1" + flow, "1" + oauth2.S256ChallengeFromVerifier(flow)[:6] + flow, "1AAAAAA" + flow} {
		b.SetCookie(apptest.SessionCookie, value)
		a.Expect("flow as session", b.Get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		b.SetCookie(apptest.SessionCookie+".rounds", value)
	}
	hers := a.Browser(t)
	hers.Login("/")
	session := hers.Cookies()[apptest.SessionCookie]
	state := apptest.QueryOf(b.Get("/login").Location()).Get("state")
	for _, value := range []string{session, session[1:], session[7:], hers.Cookies()[apptest.SessionCookie+".rounds"]} {
		b.SetCookie(b.CookieNames(apptest.FlowPrefix)[0], value)
		a.Expect("session as flow", b.Get("/auth/callback?code=x&state="+state), http.StatusBadRequest, "")
	}
	a.Leaves(b, apptest.Aftermath{Codes: 1}) // of her own login
}

func fixedState(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	victim := a.Browser(t)
	_, params := victim.StartLogin("/login?state=hostile&nonce=hostile&code_challenge=hostile&code_verifier=hostile&return_to=/dashboard")
	if len(params.Get("state")) < 43 || len(params.Get("nonce")) < 43 || len(params.Get("code_challenge")) != 43 || len(params["state"]) != 1 {
		t.Errorf("authorization request %v", params)
	}
	// Mallory knows the state that she gave, and has a code of hers.
	cb := withParameters(a, mallorysAnswer(a), "state", "hostile")
	a.Expect("the state that was given", victim.Get(cb), http.StatusBadRequest, "")
	a.Leaves(victim, apptest.Aftermath{})
}

func injectedParameters(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	_, clean := a.Browser(t).StartLogin("/login")
	queries := []string{
		"return_to=/x&scope=hostile", "return_to=/x%26state%3Dhostile", "return_to=/x%3Fa%26redirect_uri%3Dhttps%3A%2F%2Fhostile.test", "return_to=/x%23%26nonce%3Dhostile", "return_to=/x&prompt=none&max_age=0&acr_values=hostile",
		"return_to=/x&client_id=hostile&response_type=token&response_mode=form_post", "return_to=/x&request=hostile&request_uri=https://hostile.test", "return_to=/x&code_challenge_method=plain&code_challenge=hostile",
		"return_to=/x&login_hint=hostile&id_token_hint=hostile&claims=hostile", "return_to=/x&redirect_uri=https://hostile.test&iss=https://hostile.test",
	}
	for _, query := range queries {
		login, params := b.StartLogin("/login?" + query)
		for name := range params {
			if random := name == "state" || name == "nonce" || name == "code_challenge"; len(params[name]) != 1 || !random && params.Get(name) != clean.Get(name) {
				t.Errorf("%s: %s is %q", query, name, params[name])
			}
		}
		if len(params) != len(clean) {
			t.Errorf("%s: %v", query, params)
		}
		mayLead(a, query, b.Get(b.Get(login.Location()).Location()))
	}
	for _, query := range []string{"step_up=hostile", "step_up=" + flowOfMallory(a), "step_up="} {
		a.Expect(query, b.Get("/login?"+query), http.StatusBadRequest, "")
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(queries)})
}

func crossSiteLogin(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/")
	session := b.Cookies()[apptest.SessionCookie]
	a.Provider.AutoApprove("mallory") // if the provider asked nothing
	for _, header := range [][]string{
		{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, {"Sec-Purpose", "prefetch"},
	} {
		resp := b.Get("/login?return_to=/link-account", append(header, "Sec-Fetch-Site", "cross-site", "Referer", "https://hostile.test/")...)
		if origin := apptest.BrowserOrigin(resp.Location()); resp.Location() != "" && origin != "https://provider.test" {
			t.Errorf("%q: %d to %s", header, resp.StatusCode, origin)
		}
		if b.Get("/").Text != "home of alice" || b.Cookies()[apptest.SessionCookie] != session {
			t.Errorf("%q: the session has changed", header)
		}
	}
	a.Expect("a form", b.Post("/login", nil, "Sec-Fetch-Site", "cross-site"), http.StatusMethodNotAllowed, "")
	a.Expect("her answer", b.Get(mallorysAnswer(a)), http.StatusSeeOther, "/") // alice goes on
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1})

	// A login that was completed is of one user, with nothing of the one before.
	a.Provider.AutoApprove("bob")
	if body := b.Login("/dashboard").Text; !strings.Contains(body, `"Subject":"bob"`) || strings.Contains(strings.ToLower(body), "alice") {
		t.Errorf("bob is %s", body)
	}
}

func loginCSRF(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	for name, prepare := range map[string]func(b *apptest.Browser){
		"a clean browser": func(*apptest.Browser) {},
		"a browser with a login pending": func(b *apptest.Browser) {
			b.StartLogin("/login?return_to=/dashboard")
		},
		"a browser with cookies that are none": func(b *apptest.Browser) {
			b.SetCookie(apptest.FlowPrefix+"AAAAAAAAAAAAAAAA", flowOfMallory(a))
			b.SetCookie(apptest.SessionCookie, "1hostile")
		},
	} {
		b := a.Browser(t)
		prepare(b)
		a.Expect(name, b.Get(mallorysAnswer(a), "Sec-Fetch-Site", "cross-site"), http.StatusBadRequest, "")
	}
	// Her code, that the victim's browser refused, is not spent: nobody asked.
	b := a.Browser(t)
	a.Expect("later", b.Get(mallorysAnswer(a)), http.StatusBadRequest, "")
	a.Leaves(b, apptest.Aftermath{})
}

func codeInjection(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	code := apptest.QueryOf(mallorysAnswer(a)).Get("code")
	// The code was of another verifier: the provider says no, once.
	a.Expect("her code", b.Get(withParameters(a, b.CallbackURL("/login"), "code", code)), http.StatusBadRequest, "")
	a.Leaves(b, apptest.Aftermath{Codes: 1})

	// The victim's code in her browser, where her own login is pending.
	a = apptest.NewAttacked(t, apptest.Config{})
	hers := a.Browser(t)
	stolen := apptest.QueryOf(a.Browser(t).CallbackURL("/login")).Get("code")
	a.Expect("the stolen code", hers.Get(withParameters(a, hers.CallbackURL("/login"), "code", stolen)), http.StatusBadRequest, "")
	a.Leaves(hers, apptest.Aftermath{Codes: 1})

	// A provider that does not check the verifier: the nonce is what is left.
	a = apptest.NewAttacked(t, apptest.Config{})
	b = a.Browser(t)
	var hersNonce string
	a.Provider.EditIDToken(func(_, claims map[string]any) { hersNonce, _ = claims["nonce"].(string) })
	hers = a.Browser(t)
	a.Provider.AutoApprove("mallory")
	hers.Login("/")
	asked := a.Provider.Count(oauthlogintest.UserInfo)
	a.Provider.EditIDToken(func(_, claims map[string]any) { claims["nonce"] = hersNonce })
	a.Expect("her ID token", b.Get(b.CallbackURL("/login")), http.StatusBadGateway, "")
	if n := a.Provider.Count(oauthlogintest.UserInfo); n > asked { // RFC 9700 section 4.5.3.2
		t.Errorf("%d user info requests", n-asked)
	}
	a.Leaves(b, apptest.Aftermath{Codes: 2})
}

// Mallory is one of the providers, two.test.
func mixUp(t *testing.T) {
	for _, sendsISS := range []bool{true, false} {
		a, two := apptest.NewTwoProviders(t, nil)
		b := a.Browser(t)
		strip := func(cb string) string {
			if sendsISS {
				return cb
			}
			return apptest.Edited(t, cb, func(q url.Values) { q.Del("iss") })
		}
		for _, p := range []*oauthlogintest.Provider{a.Provider, two} {
			p.EditDiscovery(func(doc map[string]any) {
				if !sendsISS {
					delete(doc, "authorization_response_iss_parameter_supported")
				}
			})
		}
		// She sends alice on to provider one with the state of the login at two,
		// and waits for alice's code at her token endpoint.
		_, atTwo := b.StartLogin("/login?provider=two&return_to=/dashboard")
		fromOne := apptest.Edited(t, b.CallbackURL("/login?provider=one&return_to=/dashboard"), func(q url.Values) { q.Set("state", atTwo.Get("state")) })
		a.RefusedAtOnce(b, b.Get(strip(fromOne)), http.StatusBadRequest)
		// And answers with her own where one's answer is expected.
		fromTwo := strings.Replace(b.CallbackURL("/login?provider=two&return_to=/dashboard"), "/auth/callback/two?", "/auth/callback?", 1)
		a.RefusedAtOnce(b, b.Get(strip(fromTwo)), http.StatusBadRequest)
		if n := two.Count(oauthlogintest.Token); n > 0 {
			t.Errorf("iss sent: %t: %d token requests at two", sendsISS, n)
		}
		if resp := b.Follow("/login?provider=one&return_to=/dashboard"); !strings.Contains(resp.Text, `"Subject":"alice"`) {
			t.Errorf("a clean login afterwards: %s", resp.Text)
		}
	}
}

func interleavedLogins(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	const n = 6
	var browsers [n]*apptest.Browser
	var callbacks [n]string
	for i := range browsers {
		browsers[i] = a.Browser(t)
		a.Provider.AutoApprove(fmt.Sprint("user", i))
		callbacks[i] = browsers[i].CallbackURL(fmt.Sprint("/login?return_to=/page", i))
	}
	var wg sync.WaitGroup
	for i, b := range browsers {
		wg.Go(func() {
			if i%2 == 0 { // in disorder as well as at the same time
				time.Sleep(time.Duration(n-i) * time.Second)
			}
			a.Expect(callbacks[i], b.Get(callbacks[i]), http.StatusSeeOther, fmt.Sprint("/page", i))
			if body := b.Get("/").Text; body != fmt.Sprint("home of user", i) {
				t.Errorf("user%d is in the %s", i, body)
			}
		})
	}
	wg.Wait()
	a.Leaves(browsers[0], apptest.Aftermath{User: "user0", Codes: n})
}

func usersAtOnce(t *testing.T) {
	var users []oauthlogintest.User
	const n = 8
	for i := range n {
		users = append(users, oauthlogintest.User{Subject: fmt.Sprint("user", i), Name: "Same Name", Email: "same@example.com"})
	}
	a := apptest.NewAttacked(t, apptest.Config{Provider: oauthlogintest.Config{Users: users}})
	a.Routes = func(mux *http.ServeMux) {
		// The session, and whose the token is that its client sends.
		mux.Handle("/both", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			resp, err := a.Auth.Client(r.Context()).Get("https://provider.test/userinfo")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			var claims struct{ Sub string }
			json.NewDecoder(resp.Body).Decode(&claims)
			fmt.Fprint(w, s.User.Subject, " ", claims.Sub)
		})))
	}
	var browsers [n]*apptest.Browser
	for i := range browsers {
		browsers[i] = a.Browser(t)
		a.Provider.AutoApprove(users[i].Subject)
		browsers[i].Login("/")
	}
	for range 3 { // the second and the third time with a refresh for each
		var wg sync.WaitGroup
		for i, b := range browsers {
			for range 3 {
				wg.Go(func() {
					if body := b.Get("/both").Text; body != fmt.Sprintf("user%d user%d", i, i) {
						t.Errorf("user%d got %s", i, body)
					}
				})
			}
		}
		wg.Wait()
		time.Sleep(time.Hour)
	}
	a.Leaves(browsers[0], apptest.Aftermath{User: "user0", Codes: n + 2*n})
}
