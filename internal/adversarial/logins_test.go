package adversarial_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
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

// mallorysCallback is a callback URL with her code, of a login that she began.
func mallorysCallback(a *apptest.App) string {
	a.T.Helper()
	a.Provider.AutoApprove("mallory")
	defer a.Provider.AutoApprove("alice")
	return a.Browser(a.T).CallbackURL("/login?return_to=/mallory")
}

// mallorysFlow is the value of one of her flow cookies.
func mallorysFlow(a *apptest.App) string {
	a.T.Helper()
	hers := a.Browser(a.T)
	hers.StartLogin("/login")
	return hers.Cookies()[hers.CookieNames(apptest.FlowPrefix)[0]]
}

// changed returns a URL with query parameters of its own set; "" deletes one.
func changed(a *apptest.App, rawURL string, nameValue ...string) string {
	a.T.Helper()
	return apptest.Edited(a.T, rawURL, func(q url.Values) {
		for i := 0; i < len(nameValue); i += 2 {
			if q.Set(nameValue[i], nameValue[i+1]); nameValue[i+1] == "" {
				q.Del(nameValue[i])
			}
		}
	})
}

// RFC 6749 section 10.12, CVE-2025-68158 GHSA-fg6f-75jq-6523 Authlib,
// CVE-2025-12419 Mattermost, fastapi-sso: any browser could complete a login.
func TestResponseOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(a *apptest.App, b *apptest.Browser) (own string)
		leads   string // "": refused
		user    string // afterwards
	}{
		{"a browser with nothing pending", func(*apptest.App, *apptest.Browser) string { return "" }, "", ""},
		{"a browser with a login of its own", func(_ *apptest.App, b *apptest.Browser) string {
			return b.CallbackURL("/login?return_to=%2Fdashboard")
		}, "", "alice"},
		{"a browser with cookies that do not open", func(a *apptest.App, b *apptest.Browser) string {
			b.SetCookie(apptest.FlowPrefix+"AAAAAAAAAAAAAAAA", mallorysFlow(a))
			b.SetCookie(apptest.SessionCookie, "1hostile")
			return ""
		}, "", ""},
		{"a browser that is signed in", func(_ *apptest.App, b *apptest.Browser) string {
			b.Login("/")
			return ""
		}, "/", "alice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
				own := test.prepare(a, b)
				for _, header := range [][]string{nil, {"Sec-Fetch-Site", "cross-site"}} {
					resp := b.Get(mallorysCallback(a), header...)
					if test.leads == "" {
						a.RefusedAtOnce(b, resp, http.StatusBadRequest)
					} else {
						a.Expect("her callback", resp, http.StatusSeeOther, test.leads)
					}
				}
				left := apptest.Aftermath{User: test.user}
				if own != "" {
					a.Expect("its own login then", b.Get(own), http.StatusSeeOther, "/dashboard")
				}
				if test.user != "" {
					left.Codes = 1
				}
				a.Leaves(b, left)
			})
		})
	}
}

// CVE-2017-1000069 CVE-2017-1000070 bitly/oauth2_proxy: no state, and a redirect
// anywhere.
func TestNoState(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		own := b.CallbackURL("/login?return_to=//hostile.test")
		code := apptest.QueryOf(mallorysCallback(a)).Get("code")
		for _, cb := range []string{
			changed(a, own, "state", ""), changed(a, own, "state", "", "code", code), changed(a, own, "state", "hostile", "code", code),
			"/auth/callback?code=" + code, own + "&state=",
		} {
			a.Expect(cb, b.Get(cb), http.StatusBadRequest, "")
		}
		a.Leaves(b, apptest.Aftermath{})
	})
}

// CVE-2023-27490 GHSA-7r7x-4c4q-c4qf next-auth: without its cookies a callback
// was not checked.
func TestDroppedFlowCookies(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		own := b.CallbackURL("/login?return_to=/dashboard")
		name := b.CookieNames(apptest.FlowPrefix)[0]
		flow := b.Cookies()[name]
		for what, value := range map[string]string{"dropped": "", "empty": " ", "cut short": flow[:len(flow)-1], "of another login": mallorysFlow(a)} {
			b.SetCookie(name, strings.TrimSpace(value))
			a.Expect(what, b.Get(own), http.StatusBadRequest, "")
			a.Expect(what+", and no state", b.Get(changed(a, own, "state", "")), http.StatusBadRequest, "")
			a.Expect(what+", and no issuer", b.Get(changed(a, own, "iss", "", "state", "")), http.StatusBadRequest, "")
			b.SetCookie(name, "")
		}
		a.Leaves(b, apptest.Aftermath{})
	})
}

func TestSwappedFlowCookies(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	first := b.CallbackURL("/login?return_to=%2Fdashboard")
	second := b.CallbackURL("/login?return_to=%2Fapi%2Fme")
	flows := b.Cookies()
	names := b.CookieNames(apptest.FlowPrefix)
	if len(names) != 2 {
		t.Fatalf("flow cookies %v", names)
	}
	b.SetCookie(names[0], flows[names[1]])
	b.SetCookie(names[1], flows[names[0]])
	for _, cb := range []string{first, second} {
		a.RefusedAtOnce(b, b.Get(cb), http.StatusBadRequest)
	}
	for _, name := range names {
		b.SetCookie(name, flows[name])
	}
	a.Expect("put right again", b.Get(first), http.StatusSeeOther, "/dashboard")
}

// CVE-2023-48309 GHSA-v64w-49xw-qq89 next-auth: a pending login passed for a
// session.
func TestFlowIsNotASession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		flow := mallorysFlow(a)
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
	})
}

// RFC 9700 section 4.5: the attacker's code in the victim's login.
func TestCodeInjection(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(t *testing.T, a *apptest.App){
		"her code in the victim's browser": func(t *testing.T, a *apptest.App) {
			b := a.Browser(t)
			code := apptest.QueryOf(mallorysCallback(a)).Get("code")
			// Its challenge is of another verifier: the provider refuses, once.
			a.Expect("her code", b.Get(changed(a, b.CallbackURL("/login"), "code", code)), http.StatusBadRequest, "")
			a.Leaves(b, apptest.Aftermath{Codes: 1})
		},
		"the victim's code in her browser": func(t *testing.T, a *apptest.App) {
			hers := a.Browser(t)
			stolen := apptest.QueryOf(a.Browser(t).CallbackURL("/login")).Get("code")
			a.Expect("the stolen code", hers.Get(changed(a, hers.CallbackURL("/login"), "code", stolen)), http.StatusBadRequest, "")
			a.Leaves(hers, apptest.Aftermath{Codes: 1})
		},
		"a provider that does not check the verifier": func(t *testing.T, a *apptest.App) { // the nonce is left
			b, hers := a.Browser(t), a.Browser(t)
			var nonce string
			a.Provider.EditIDToken(func(_, claims map[string]any) { nonce, _ = claims["nonce"].(string) })
			a.Provider.AutoApprove("mallory")
			hers.Login("/")
			asked := a.Provider.Count(oauthlogintest.UserInfo)
			a.Provider.EditIDToken(func(_, claims map[string]any) { claims["nonce"] = nonce })
			a.Expect("her ID token", b.Get(b.CallbackURL("/login")), http.StatusBadGateway, "")
			if n := a.Provider.Count(oauthlogintest.UserInfo); n > asked { // RFC 9700 section 4.5.3.2
				t.Errorf("%d user info requests", n-asked)
			}
			a.Leaves(b, apptest.Aftermath{Codes: 2})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { attack(t, apptest.NewAttacked(t, apptest.Config{})) })
		})
	}
}

// CVE-2025-67716 GHSA-mr6f-h57v-rpj5 nextjs-auth0: the return path brought
// parameters of its own. goth/gothic: /login?state= fixed the state. A link to the
// login page sets the return path and the provider, and nothing else.
func TestLoginQueryInjectsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{Change: func(o *oauthlogin.Options) {
			o.Providers[0].AuthParams = url.Values{"prompt": {"consent"}}
		}})
		b := a.Browser(t)
		fixed := func(params url.Values) string {
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				params.Del(name)
			}
			return params.Encode()
		}
		_, params := a.Browser(t).StartLogin("/login")
		want := fixed(params)
		queries := []string{
			"scope=hostile&state=hostile&redirect_uri=https://hostile.test/&iss=https://hostile.test",
			"return_to=/x&client_id=hostile&response_type=token&response_mode=form_post&nonce=hostile",
			"response_mode=fragment&code_challenge=hostile&code_challenge_method=plain&code_verifier=hostile",
			"return_to=/x&prompt=none&max_age=0&acr_values=hostile&login_hint=hostile&id_token_hint=hostile&claims=hostile",
			"request=hostile&request_uri=https://hostile.test/",
			"return_to=/x%26scope%3Dhostile%26state%3Dhostile",
			"return_to=/x%3Fa%26redirect_uri%3Dhttps%3A%2F%2Fhostile.test",
			"return_to=/x%23%26nonce%3Dhostile",
			"return_to=/x%0D%0ALocation%3A%20https%3A%2F%2Fhostile.test",
			"provider=test&state=hostile",
			"AuthParams[state]=hostile&State=hostile",
		}
		// Mallory knows the state that she gave, and has a code of hers.
		b.StartLogin("/login?" + queries[0])
		a.Expect("the state that was given", b.Get(changed(a, mallorysCallback(a), "state", "hostile")), http.StatusBadRequest, "")
		for _, query := range queries {
			login, params := b.StartLogin("/login?" + query)
			if strings.Contains(login.Location(), "hostile") || fixed(params) != want {
				t.Errorf("/login?%s leads to %s", query, login.Location())
			}
			leadsHome(a, query, b.Get(b.CallbackURL(login.Location())))
		}
		for _, query := range []string{"step_up=hostile", "step_up=" + mallorysFlow(a), "step_up="} {
			a.Expect(query, b.Get("/login?"+query), http.StatusBadRequest, "")
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: len(queries)})
	})
}

// CVE-2015-9284 OmniAuth: another site started a login that changed the account.
func TestCrossSiteLogin(t *testing.T) {
	t.Parallel()
	apptest.Attack(t, func(t *testing.T, a *apptest.App, b *apptest.Browser) {
		b.Login("/")
		session := b.Cookies()[apptest.SessionCookie]
		a.Provider.AutoApprove("mallory") // as if the provider did not ask
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
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1})

		// A completed login has one user, and nothing of the one before.
		a.Provider.AutoApprove("bob")
		if body := b.Login("/dashboard").Text; !strings.Contains(body, `"Subject":"bob"`) || strings.Contains(strings.ToLower(body), "alice") {
			t.Errorf("bob is %s", body)
		}
	})
}

// RFC 9700 section 4.4: an attacker who is one of the providers gets no code of
// another, and none of her responses is taken for another's.
func TestMixUp(t *testing.T) {
	t.Parallel()
	paths := map[string]string{"one": "/auth/callback", "two": "/auth/callback/two"}
	for _, test := range []struct {
		name  string
		from  string // whose response it is
		state string // of the login at this provider; section 4.4.1: two sends the browser on to one, with its own state
		at    string // this provider's callback path
		edit  []string
		byISS bool // only iss gives it away, before the provider refuses the verifier
	}{
		{"one's response to two's request", "one", "two", "one", nil, false},
		{"two's response to one's request", "two", "one", "two", nil, false},
		{"one's response at two's path", "one", "one", "two", nil, false},
		{"two's response at one's path", "two", "two", "one", nil, false},
		{"one's error at two's path", "one", "one", "two", []string{"code", "", "error", "access_denied"}, false},
		{"one's response to two's request, at two's path", "one", "two", "two", nil, true},
		{"two's response to one's request, at one's path", "two", "one", "one", nil, true},
		{"one's response with two's issuer", "one", "one", "one", []string{"iss", "https://two.test"}, true},
	} {
		for _, withISS := range []bool{true, false} {
			name := test.name
			if !withISS {
				name += ", from providers that do not send iss"
			}
			if test.byISS && !withISS {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a, two := apptest.NewTwoProviders(t, nil)
				b := a.Browser(t)
				pending := func(provider string) string {
					cb := b.CallbackURL("/login?return_to=%2Fdashboard&provider=" + provider)
					if !withISS {
						cb = changed(a, cb, "iss", "")
					}
					return cb
				}
				if !withISS {
					for _, p := range []*oauthlogintest.Provider{a.Provider, two} {
						p.EditDiscovery(func(doc map[string]any) { delete(doc, "authorization_response_iss_parameter_supported") })
					}
				}
				logins := map[string]string{"one": pending("one"), "two": pending("two")}
				_, query, _ := strings.Cut(changed(a, logins[test.from], append(test.edit, "state", apptest.QueryOf(logins[test.state]).Get("state"))...), "?")
				a.RefusedAtOnce(b, b.Get(paths[test.at]+"?"+query), http.StatusBadRequest)
				if !strings.Contains(a.Log.String(), "code=issuer_mismatch") {
					t.Errorf("log has no issuer_mismatch: %s", a.Log)
				}
				if n := two.Count(oauthlogintest.Token); n != 0 {
					t.Errorf("%d token requests to two", n)
				}
				if resp := b.Follow("/login?provider=one&return_to=/dashboard"); !strings.Contains(resp.Text, `"Subject":"alice"`) {
					t.Errorf("a clean login afterwards: %s", resp.Text)
				}
			})
		}
	}
}

// CVE-2026-33544 GHSA-9q5m-jfc4-wc92 tinyauth: two logins shared a verifier.
func TestInterleavedLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
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
				if i%2 == 0 { // out of order as well as at the same time
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
	})
}

// CVE-2025-67490 GHSA-wcgj-f865-c7j7 nextjs-auth0: users at the same time got
// each other's tokens.
func TestUsersAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 8
		var users []oauthlogintest.User
		for i := range n {
			users = append(users, oauthlogintest.User{Subject: fmt.Sprint("user", i), Name: "Same Name", Email: "same@example.com"})
		}
		a := apptest.NewAttacked(t, apptest.Config{Provider: oauthlogintest.Config{Users: users}})
		// The user of the session, and of the token that its client sends.
		a.Guard("/both", func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			body, err := apptest.Read(r.Context(), a.Auth.Client(r.Context()), "https://provider.test/userinfo")
			var claims struct{ Sub string }
			if err != nil || json.Unmarshal(body, &claims) != nil {
				t.Errorf("user info: %s %v", body, err)
			}
			fmt.Fprint(w, s.User.Subject, " ", claims.Sub)
		})
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
	})
}
