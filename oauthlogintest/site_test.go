package oauthlogintest_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func TestSignedInHandler(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	if resp := site.SignIn("alice").Navigate("/dashboard"); !strings.Contains(resp.Body, "alice@example.com") {
		t.Errorf("%d %s", resp.Status, resp.Body)
	}
	wantPage(t, site.Browser().Navigate("/dashboard"), signInPage, 200, "Sign in")
	wantPage(t, site.Browser().Navigate("/"), appURL+"/", 200, "home")
	key, _ := site.Provider.SigningKey()
	if _, ok := key.(*ecdsa.PrivateKey); !ok {
		t.Errorf("the provider signs with a %T, which takes long to make", key)
	}
	if site.URL != appURL || site.Provider.Issuer() != "https://provider.test" {
		t.Errorf("site at %s, provider at %s", site.URL, site.Provider.Issuer())
	}
}

// Two browsers are two users at the same time, whoever signed in last.
func TestBrowsersDoNotMix(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	site.Provider.RememberUsers(true)
	names := []string{"alice", "bob", "someone else", `"quoted" <b>`, "alice"}
	var browsers []*oauthlogintest.Browser
	for _, name := range names {
		browsers = append(browsers, site.SignIn(name))
	}
	var all sync.WaitGroup
	for i, b := range browsers {
		all.Go(func() {
			for range 3 {
				var user oauthlogin.User
				if err := json.Unmarshal([]byte(b.Fetch("/api/me").Body), &user); err != nil || user.Subject != names[i] {
					t.Errorf("%q is signed in as %q, %v", names[i], user.Subject, err)
				}
			}
		})
	}
	all.Wait()
	wantPage(t, browsers[1].PostForm("/logout", nil), appURL+"/", 200, "home")
	wantPage(t, browsers[0].Navigate("/"), appURL+"/", 200, "home of alice")
	wantPage(t, browsers[4].Navigate("/"), appURL+"/", 200, "home of alice")
	wantPage(t, browsers[1].Navigate("/dashboard"), signInPage, 200, "Sign in")
	wantPage(t, browsers[1].SignIn("carol"), appURL+"/dashboard", 200, "carol")
	wantPage(t, browsers[1].SignIn("dave"), appURL+"/", 200, "home of dave")
	wantPage(t, browsers[0].Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
}

func TestExpiryIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site, _ := run(t, oauthlogintest.Config{}, func(o *oauthlogin.Options) { o.IdleTimeout, o.MaxLifetime = 2*time.Hour, 8*time.Hour })
		alice := site.SignIn("alice")
		for range 7 {
			time.Sleep(time.Hour)
			wantPage(t, alice.Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
		}
		if n := site.Provider.Count(oauthlogintest.Token); n < 6 {
			t.Errorf("%d token requests in seven hours", n)
		}
		time.Sleep(time.Hour)
		wantPage(t, alice.Navigate("/dashboard?x=1"), signInPage, 200, "Sign in")
		if resp := alice.Fetch("/api/me"); resp.Status != http.StatusUnauthorized || !strings.Contains(resp.Body, "login_url") {
			t.Errorf("a script gets %d %s", resp.Status, resp.Body)
		}
		if resp := alice.SignIn("alice"); resp.URL != appURL+"/dashboard?x=1" {
			t.Errorf("the login goes on to %s", resp.URL)
		}

		site.Provider.RememberUsers(true)
		time.Sleep(9 * time.Hour)
		wantPage(t, alice.Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
		time.Sleep(25 * time.Hour) // longer than the provider remembers
		wantPage(t, alice.Navigate("/dashboard"), signInPage, 200, "Sign in")
	})
}

func TestSilentLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site, _ := run(t, oauthlogintest.Config{}, func(o *oauthlogin.Options) { o.MaxLifetime = time.Hour })
		alice := site.SignIn("alice")
		time.Sleep(2 * time.Hour)
		wantPage(t, alice.Navigate("/welcome"), appURL+"/welcome", 200, "signed in: false")
		site.Provider.RememberUsers(true)
		time.Sleep(time.Hour)
		wantPage(t, alice.Navigate("/welcome"), appURL+"/welcome", 200, "signed in: true")
	})
}

func TestStepUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site, _ := run(t, oauthlogintest.Config{})
		alice := site.SignIn("alice")
		wantPage(t, alice.Navigate("/settings"), appURL+"/settings", 200, "alice")
		time.Sleep(2 * time.Hour)
		wantPage(t, alice.Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
		wantPage(t, alice.Navigate("/settings"), signInPage, 200, "Sign in")
		wantPage(t, alice.SignIn("alice"), appURL+"/settings", 200, "alice")
	})
}

// The provider of a site misbehaves as any other.
func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		site, _ := run(t, oauthlogintest.Config{})
		p := site.Provider
		alice := site.SignIn("alice")

		p.Intercept(oauthlogintest.Token, func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) })
		time.Sleep(59*time.Minute + 30*time.Second)
		requests := p.Count(oauthlogintest.Token)
		wantPage(t, alice.Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
		if n := p.Count(oauthlogintest.Token) - requests; n != 1 {
			t.Errorf("%d token requests; want one that breaks off", n)
		}
		p.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { <-r.Context().Done() })
		time.Sleep(time.Minute)
		begin := time.Now()
		wantPage(t, alice.Fetch("/api/profile"), appURL+"/api/profile", 502, "no valid access token")
		if took := time.Since(begin); took != 8*time.Second {
			t.Errorf("waited %v for a provider that hangs", took)
		}
		p.Intercept(oauthlogintest.Token, nil)
		time.Sleep(time.Minute)
		wantPage(t, alice.Fetch("/api/profile"), appURL+"/api/profile", 200, "alice")

		p.Intercept(oauthlogintest.UserInfo, func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) })
		requests = p.Count(oauthlogintest.UserInfo)
		wantPage(t, alice.Fetch("/api/profile"), appURL+"/api/profile", 502, "EOF")
		if n := p.Count(oauthlogintest.UserInfo) - requests; n != 1 {
			t.Errorf("%d requests; want one that breaks off", n)
		}
		p.Intercept(oauthlogintest.UserInfo, nil)

		p.EditIDToken(func(_, claims map[string]any) { claims["aud"] = "other" })
		bob := site.Browser()
		page := bob.Navigate("/dashboard")
		wantPage(t, page, signInPage, 200, "Sign in")
		p.EditIDToken(nil)
		p.RotateKeys()
		time.Sleep(time.Minute)
		wantPage(t, bob.SignIn("bob"), appURL+"/dashboard", 200, "bob")
		p.EditUserInfo(func(claims map[string]any) { claims["name"] = "Edited" })
		wantPage(t, bob.Fetch("/api/profile"), appURL+"/api/profile", 200, "Edited")
	})
}

func TestAutoApproveAtSite(t *testing.T) {
	t.Parallel()
	site, _ := run(t, oauthlogintest.Config{})
	site.Provider.AutoApprove("alice")
	wantPage(t, site.Browser().Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
	wantPage(t, site.SignIn("alice").Navigate("/dashboard"), appURL+"/dashboard", 200, "alice")
}

// Sites share nothing: not users, hooks or counts.
func TestSitesInParallel(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			site, _ := run(t, oauthlogintest.Config{})
			site.Provider.SetUser(oauthlogintest.User{Subject: "alice", Name: fmt.Sprint("Alice ", i)})
			wantPage(t, site.SignIn("alice").Navigate("/dashboard"), appURL+"/dashboard", 200, fmt.Sprint("Alice ", i))
			if n := site.Provider.Count(oauthlogintest.Token); n != 1 {
				t.Errorf("%d token requests", n)
			}
		})
	}
}

// A site has the clients and the issuer of its Config.
func TestConfiguredSite(t *testing.T) {
	t.Parallel()
	site := oauthlogintest.Run(t, oauthlogintest.Config{
		Issuer:  "http://localhost:8080/tenant",
		Clients: []oauthlogintest.Client{{ID: "shop", RedirectURIs: []string{"https://app.test/in"}, PostLogoutRedirectURIs: []string{"https://app.test/bye"}}},
	}, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), LoginPath: "/signin", LogoutPath: "/signout",
			Providers: []oauthlogin.Provider{p.Registration(base)},
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/dashboard", auth.RequireAuth(http.HandlerFunc(showUser)))
		mux.HandleFunc("/bye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "bye") })
		return auth.Handler(mux)
	})
	b := site.Browser()
	wantPage(t, b.Navigate("/dashboard"), "http://localhost:8080/tenant/authorize", 200, "Sign in")
	wantPage(t, b.SignIn("alice"), appURL+"/dashboard", 200, "alice")
	wantPage(t, b.PostForm("/signout", url.Values{"return_to": {"/dashboard"}}), "http://localhost:8080/tenant/authorize", 200, "Sign in")
	wantPage(t, b.Navigate("/bye"), appURL+"/bye", 200, "bye")
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	app := func(string, *oauthlogintest.Provider) http.Handler { return http.NotFoundHandler() }
	wantFatal(t, func(t testing.TB) { oauthlogintest.Run(t, oauthlogintest.Config{Issuer: "ftp://x"}, app) }, "Config.Issuer")
	wantFatal(t, func(t testing.TB) { oauthlogintest.Run(t, oauthlogintest.Config{Issuer: appURL + "/op"}, app) }, "the application's origin")
	wantFatal(t, func(t testing.TB) {
		oauthlogintest.Run(t, oauthlogintest.Config{}, func(string, *oauthlogintest.Provider) http.Handler { return nil })
	}, "nil http.Handler")
	wantFatal(t, func(t testing.TB) { oauthlogintest.Run(t, oauthlogintest.Config{}, app).SignIn("alice") }, "at https://app.test/login, with status 404", "Browser.SignIn")
}

// An application that does not keep the session, or whose /login is not the package's.
func TestLoginsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	forgetful := func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys: [][]byte{testKey}, HTTPClient: p.HTTPClient(), Logger: slog.New(slog.DiscardHandler),
			Providers: []oauthlogin.Provider{p.Registration(base)},
		})
		if err != nil {
			t.Fatal(err)
		}
		page := auth.RequireAuth(http.HandlerFunc(showUser))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				r.Header.Del("Cookie")
			}
			page.ServeHTTP(w, r)
		})
	}
	wantFatal(t, func(t testing.TB) { oauthlogintest.Run(t, oauthlogintest.Config{}, forgetful).SignIn("alice") },
		"did not accept the login", "at https://provider.test/authorize, with status 200")

	elsewhere := func(string, *oauthlogintest.Provider) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/login", http.RedirectHandler("/in", http.StatusFound))
		mux.HandleFunc("/in", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "another login") })
		return mux
	}
	wantFatal(t, func(t testing.TB) {
		site := oauthlogintest.Run(t, oauthlogintest.Config{}, elsewhere)
		site.Provider.AutoApprove("alice")
		site.SignIn("alice")
	}, "did not get to the sign-in page", "https://app.test/in, with status 200: another login")
}

func BenchmarkSite(b *testing.B) {
	site, _ := run(b, oauthlogintest.Config{})
	alice := site.SignIn("alice")
	for b.Loop() {
		alice.Fetch("/api/me")
	}
}
