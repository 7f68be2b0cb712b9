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

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// mallorysAnswer is a callback URL with her code, of a login that she began.
func (a *attackedApp) mallorysAnswer() string {
	a.t.Helper()
	a.provider.AutoApprove("mallory")
	defer a.provider.AutoApprove("alice")
	return a.browser(a.t).callbackURL("/login?return_to=/mallory")
}

func (a *attackedApp) with(cb string, nameValue ...string) string {
	a.t.Helper()
	return edited(a.t, cb, func(q url.Values) {
		for i := 0; i < len(nameValue); i += 2 {
			if q.Set(nameValue[i], nameValue[i+1]); nameValue[i+1] == "" {
				q.Del(nameValue[i])
			}
		}
	})
}

func noState(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	own := b.callbackURL("/login?return_to=//hostile.test")
	code := queryOf(a.mallorysAnswer()).Get("code")
	for _, cb := range []string{a.with(own, "state", ""), a.with(own, "state", "", "code", code), a.with(own, "state", "hostile", "code", code), "/auth/callback?code=" + code, own + "&state="} {
		a.expect(cb, b.get(cb), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{})
}

func droppedFlowCookies(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	own := b.callbackURL("/login?return_to=/dashboard")
	name := b.cookieNames(flowPrefix)[0]
	flow := b.cookies()[name]
	for what, value := range map[string]string{"dropped": "", "empty": " ", "cut short": flow[:len(flow)-1], "of another login": a.flowOfMallory()} {
		b.setCookie(name, strings.TrimSpace(value))
		a.expect(what, b.get(own), http.StatusBadRequest, "")
		a.expect(what+", and no state", b.get(a.with(own, "state", "")), http.StatusBadRequest, "")
		a.expect(what+", and no issuer", b.get(a.with(own, "iss", "", "state", "")), http.StatusBadRequest, "")
		b.setCookie(name, "")
	}
	a.leaves(b, aftermath{})
}

// flowOfMallory is the value of a flow cookie of hers.
func (a *attackedApp) flowOfMallory() string {
	hers := a.browser(a.t)
	hers.startLogin("/login")
	return hers.cookies()[hers.cookieNames(flowPrefix)[0]]
}

func flowAsSession(t *testing.T) {
	a := newAttackedApp(t, offline{})
	flow := a.flowOfMallory()
	b := a.browser(t)
	for _, value := range []string{flow, "1" + flow, "1" + hash(flow)[:6] + flow, "1AAAAAA" + flow} {
		b.setCookie(sessionCookie, value)
		a.expect("flow as session", b.get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		b.setCookie(sessionCookie+".rounds", value)
	}
	hers := a.browser(t)
	hers.login("/")
	session := hers.cookies()[sessionCookie]
	state := queryOf(b.get("/login").location()).Get("state")
	for _, value := range []string{session, session[1:], session[7:], hers.cookies()[sessionCookie+".rounds"]} {
		b.setCookie(b.cookieNames(flowPrefix)[0], value)
		a.expect("session as flow", b.get("/auth/callback?code=x&state="+state), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{codes: 1}) // of her own login
}

func fixedState(t *testing.T) {
	a := newAttackedApp(t, offline{})
	victim := a.browser(t)
	_, params := victim.startLogin("/login?state=hostile&nonce=hostile&code_challenge=hostile&code_verifier=hostile&return_to=/dashboard")
	if len(params.Get("state")) < 43 || len(params.Get("nonce")) < 43 || len(params.Get("code_challenge")) != 43 || len(params["state"]) != 1 {
		t.Errorf("authorization request %v", params)
	}
	// Mallory knows the state that she gave, and has a code of hers.
	cb := a.with(a.mallorysAnswer(), "state", "hostile")
	a.expect("the state that was given", victim.get(cb), http.StatusBadRequest, "")
	a.leaves(victim, aftermath{})
}

func injectedParameters(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	_, clean := a.browser(t).startLogin("/login")
	queries := []string{
		"return_to=/x&scope=hostile", "return_to=/x%26state%3Dhostile", "return_to=/x%3Fa%26redirect_uri%3Dhttps%3A%2F%2Fhostile.test", "return_to=/x%23%26nonce%3Dhostile", "return_to=/x&prompt=none&max_age=0&acr_values=hostile",
		"return_to=/x&client_id=hostile&response_type=token&response_mode=form_post", "return_to=/x&request=hostile&request_uri=https://hostile.test", "return_to=/x&code_challenge_method=plain&code_challenge=hostile",
		"return_to=/x&login_hint=hostile&id_token_hint=hostile&claims=hostile", "return_to=/x&redirect_uri=https://hostile.test&iss=https://hostile.test",
	}
	for _, query := range queries {
		login, params := b.startLogin("/login?" + query)
		for name := range params {
			if random := name == "state" || name == "nonce" || name == "code_challenge"; len(params[name]) != 1 || !random && params.Get(name) != clean.Get(name) {
				t.Errorf("%s: %s is %q", query, name, params[name])
			}
		}
		if len(params) != len(clean) {
			t.Errorf("%s: %v", query, params)
		}
		a.mayLead(query, b.get(b.get(login.location()).location()))
	}
	for _, query := range []string{"step_up=hostile", "step_up=" + a.flowOfMallory(), "step_up="} {
		a.expect(query, b.get("/login?"+query), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{user: "alice", codes: len(queries)})
}

func crossSiteLogin(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	b.login("/")
	session := b.cookies()[sessionCookie]
	a.provider.AutoApprove("mallory") // if the provider asked nothing
	for _, header := range [][]string{
		{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, {"Sec-Purpose", "prefetch"},
	} {
		resp := b.get("/login?return_to=/link-account", append(header, "Sec-Fetch-Site", "cross-site", "Referer", "https://hostile.test/")...)
		if origin := browserOrigin(resp.location()); resp.location() != "" && origin != "https://provider.test" {
			t.Errorf("%q: %d to %s", header, resp.StatusCode, origin)
		}
		if b.get("/").body != "home of alice" || b.cookies()[sessionCookie] != session {
			t.Errorf("%q: the session has changed", header)
		}
	}
	a.expect("a form", b.post("/login", nil, "Sec-Fetch-Site", "cross-site"), http.StatusMethodNotAllowed, "")
	a.expect("her answer", b.get(a.mallorysAnswer()), http.StatusSeeOther, "/") // alice goes on
	a.leaves(b, aftermath{user: "alice", codes: 1})

	// A login that was completed is of one user, with nothing of the one before.
	a.provider.AutoApprove("bob")
	if body := b.login("/dashboard").body; !strings.Contains(body, `"Subject":"bob"`) || strings.Contains(strings.ToLower(body), "alice") {
		t.Errorf("bob is %s", body)
	}
}

func loginCSRF(t *testing.T) {
	a := newAttackedApp(t, offline{})
	for name, prepare := range map[string]func(b *browser){
		"a clean browser": func(*browser) {},
		"a browser with a login pending": func(b *browser) {
			b.startLogin("/login?return_to=/dashboard")
		},
		"a browser with cookies that are none": func(b *browser) {
			b.setCookie(flowPrefix+"AAAAAAAAAAAAAAAA", a.flowOfMallory())
			b.setCookie(sessionCookie, "1hostile")
		},
	} {
		b := a.browser(t)
		prepare(b)
		a.expect(name, b.get(a.mallorysAnswer(), "Sec-Fetch-Site", "cross-site"), http.StatusBadRequest, "")
	}
	// Her code, that the victim's browser refused, is not spent: nobody asked.
	b := a.browser(t)
	a.expect("later", b.get(a.mallorysAnswer()), http.StatusBadRequest, "")
	a.leaves(b, aftermath{})
}

func codeInjection(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	code := queryOf(a.mallorysAnswer()).Get("code")
	// The code was of another verifier: the provider says no, once.
	a.expect("her code", b.get(a.with(b.callbackURL("/login"), "code", code)), http.StatusBadRequest, "")
	a.leaves(b, aftermath{codes: 1})

	// The victim's code in her browser, where her own login is pending.
	a = newAttackedApp(t, offline{})
	hers := a.browser(t)
	stolen := queryOf(a.browser(t).callbackURL("/login")).Get("code")
	a.expect("the stolen code", hers.get(a.with(hers.callbackURL("/login"), "code", stolen)), http.StatusBadRequest, "")
	a.leaves(hers, aftermath{codes: 1})

	// A provider that does not check the verifier: the nonce is what is left.
	a = newAttackedApp(t, offline{})
	b = a.browser(t)
	var hersNonce string
	a.provider.EditIDToken(func(_, claims object) { hersNonce, _ = claims["nonce"].(string) })
	hers = a.browser(t)
	a.provider.AutoApprove("mallory")
	hers.login("/")
	asked := a.provider.Count(oauthlogintest.UserInfo)
	a.provider.EditIDToken(func(_, claims object) { claims["nonce"] = hersNonce })
	a.expect("her ID token", b.get(b.callbackURL("/login")), http.StatusBadGateway, "")
	if n := a.provider.Count(oauthlogintest.UserInfo); n > asked { // RFC 9700 section 4.5.3.2
		t.Errorf("%d user info requests", n-asked)
	}
	a.leaves(b, aftermath{codes: 2})
}

// Mallory is one of the providers, two.test.
func mixUp(t *testing.T) {
	for _, sendsISS := range []bool{true, false} {
		a, two := newTwoProviderApp(t, nil)
		b := a.browser(t)
		strip := func(cb string) string {
			if sendsISS {
				return cb
			}
			return edited(t, cb, func(q url.Values) { q.Del("iss") })
		}
		for _, p := range []*oauthlogintest.Provider{a.provider, two} {
			p.EditDiscovery(func(doc map[string]any) {
				if !sendsISS {
					delete(doc, "authorization_response_iss_parameter_supported")
				}
			})
		}
		// She sends alice on to provider one with the state of the login at two,
		// and waits for alice's code at her token endpoint.
		_, atTwo := b.startLogin("/login?provider=two&return_to=/dashboard")
		fromOne := edited(t, b.callbackURL("/login?provider=one&return_to=/dashboard"), func(q url.Values) { q.Set("state", atTwo.Get("state")) })
		a.wantRefused(b, b.get(strip(fromOne)), http.StatusBadRequest)
		// And answers with her own where one's answer is expected.
		fromTwo := strings.Replace(b.callbackURL("/login?provider=two&return_to=/dashboard"), "/auth/callback/two?", "/auth/callback?", 1)
		a.wantRefused(b, b.get(strip(fromTwo)), http.StatusBadRequest)
		if n := two.Count(oauthlogintest.Token); n > 0 {
			t.Errorf("iss sent: %t: %d token requests at two", sendsISS, n)
		}
		if resp := b.follow("/login?provider=one&return_to=/dashboard"); !strings.Contains(resp.body, `"Subject":"alice"`) {
			t.Errorf("a clean login afterwards: %s", resp.body)
		}
	}
}

func interleavedLogins(t *testing.T) {
	a := newAttackedApp(t, offline{})
	const n = 6
	var browsers [n]*browser
	var callbacks [n]string
	for i := range browsers {
		browsers[i] = a.browser(t)
		a.provider.AutoApprove(fmt.Sprint("user", i))
		callbacks[i] = browsers[i].callbackURL(fmt.Sprint("/login?return_to=/page", i))
	}
	var wg sync.WaitGroup
	for i, b := range browsers {
		wg.Go(func() {
			if i%2 == 0 { // in disorder as well as at the same time
				time.Sleep(time.Duration(n-i) * time.Second)
			}
			a.expect(callbacks[i], b.get(callbacks[i]), http.StatusSeeOther, fmt.Sprint("/page", i))
			if body := b.get("/").body; body != fmt.Sprint("home of user", i) {
				t.Errorf("user%d is in the %s", i, body)
			}
		})
	}
	wg.Wait()
	a.leaves(browsers[0], aftermath{user: "user0", codes: n})
}

func usersAtOnce(t *testing.T) {
	var users []oauthlogintest.User
	const n = 8
	for i := range n {
		users = append(users, oauthlogintest.User{Subject: fmt.Sprint("user", i), Name: "Same Name", Email: "same@example.com"})
	}
	a := newAttackedApp(t, offline{provider: oauthlogintest.Config{Users: users}})
	a.more = func(mux *http.ServeMux) {
		// The session, and whose the token is that its client sends.
		mux.Handle("/both", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			resp, err := a.auth.Client(r.Context()).Get("https://provider.test/userinfo")
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
	var browsers [n]*browser
	for i := range browsers {
		browsers[i] = a.browser(t)
		a.provider.AutoApprove(users[i].Subject)
		browsers[i].login("/")
	}
	for range 3 { // the second and the third time with a refresh for each
		var wg sync.WaitGroup
		for i, b := range browsers {
			for range 3 {
				wg.Go(func() {
					if body := b.get("/both").body; body != fmt.Sprintf("user%d user%d", i, i) {
						t.Errorf("user%d got %s", i, body)
					}
				})
			}
		}
		wg.Wait()
		time.Sleep(time.Hour)
	}
	a.leaves(browsers[0], aftermath{user: "user0", codes: n + 2*n})
}
