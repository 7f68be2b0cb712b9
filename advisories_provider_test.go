package oauthlogin_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"go/version"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// RFC 6749 section 10.10: what nobody guesses. Each bit is set half the time.
func randomness(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	const n = 600
	names := [...]string{"state", "nonce", "code_challenge"}
	seen := map[string]bool{}
	var ones [len(names)][256]int
	for range n {
		params := apptest.QueryOf(a.Serve(http.MethodGet, "/login").Header().Get("Location"))
		for i, name := range names {
			value, err := base64.RawURLEncoding.DecodeString(params.Get(name))
			if err != nil || len(value) != 32 || seen[string(value)] {
				t.Fatalf("%s %x, %v", name, value, err)
			}
			seen[string(value)] = true
			for bit := range ones[i] {
				ones[i][bit] += int(value[bit/8] >> (bit % 8) & 1)
			}
		}
	}
	for i, name := range names {
		for bit, count := range ones[i] {
			if count < n/3 || count > n*2/3 { // eight standard deviations away
				t.Errorf("%s: bit %d is set %d times in %d", name, bit, count, n)
			}
		}
	}
	a.Leaves(a.Browser(t), apptest.Aftermath{})
}

// A provider whose certificate nobody signed gets no request, with the client
// that there is by default; and over plain http there is none but on loopback.
func unverifiedTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the provider was asked") }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	a := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.HTTPClient = nil
		opts.Providers[0].Issuer = server.URL
	}})
	a.Expect("a certificate of nobody", a.Browser(t).Get("/login"), http.StatusBadGateway, "")
	if log := a.Log.String(); !strings.Contains(log, "certificate") {
		t.Errorf("log %s", log)
	}
	for _, change := range []func(p *oauthlogin.Provider){
		func(p *oauthlogin.Provider) { p.Issuer = "http://provider.test" },
		func(p *oauthlogin.Provider) { p.Issuer = "http://127.0.0.1.hostile.test" },
		func(p *oauthlogin.Provider) { p.Issuer = "http://localhost.hostile.test" },
		func(p *oauthlogin.Provider) { p.OAuth2.RedirectURL = "http://app.test/auth/callback" },
		func(p *oauthlogin.Provider) { p.PostLogoutRedirectURL = "http://app.test/" },
		func(p *oauthlogin.Provider) {
			*p = apptest.PlainProvider("x", "https://app.test/auth/callback")
			p.OAuth2.Endpoint = oauth2.Endpoint{AuthURL: "https://provider.test/a", TokenURL: "http://provider.test/t"}
		},
	} {
		opts := apptest.ValidOptions()
		if change(&opts.Providers[0]); opts.Providers[0].OAuth2 != nil {
			if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
				t.Errorf("plain http: %+v", opts.Providers[0])
			}
		}
	}
}

func serverSideRequests(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	a.Provider.EditIDToken(apptest.Without("name")) // so that user info is asked for
	codes := 0
	for _, row := range []struct {
		endpoint oauthlogintest.Endpoint
		path     string
		codes    int
	}{
		{oauthlogintest.Discovery, "/.well-known/openid-configuration", 0},
		{oauthlogintest.JWKS, "/jwks", 1},
		{oauthlogintest.Token, "/token", 1},
		{oauthlogintest.UserInfo, "/userinfo", 1},
	} {
		for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
			for _, header := range []string{"Location", "Refresh", "Content-Location", "Link"} {
				target := "https://hostile.test" + row.path
				a.Provider.Intercept(row.endpoint, apptest.RespondWith(status, "", header, target))
				time.Sleep(time.Minute)
				b := a.Browser(t)
				if resp := b.Follow("/login?return_to=/dashboard"); resp.StatusCode != http.StatusBadGateway || resp.Request.URL.Host != "app.test" {
					t.Errorf("%s redirects with %d and %s: %d at %s", row.endpoint, status, header, resp.StatusCode, resp.Request.URL)
				}
				codes += row.codes
			}
		}
		a.Provider.Intercept(row.endpoint, nil)
	}
	a.Provider.Intercept(oauthlogintest.Revocation, apptest.RespondWith(http.StatusTemporaryRedirect, "", "Location", "https://hostile.test/revoke"))

	// OpenID Connect Core sections 5.1, 5.6.2: what has a URL in it.
	edit := func(claims map[string]any) {
		const target = "https://hostile.test/jwks"
		for _, name := range []string{"picture", "profile", "website", "jwks_uri", "jku", "x5u", "userinfo_endpoint", "sub_jwk", "icon"} {
			claims[name] = target
		}
		claims["_claim_names"] = map[string]any{"name": "a", "groups": "a", "email": "a"}
		claims["_claim_sources"] = map[string]any{"a": map[string]any{"endpoint": target, "access_token": "x"}, "b": map[string]any{"JWT": "e30.e30.e30"}}
	}
	a.Provider.EditIDToken(func(header, claims map[string]any) {
		delete(claims, "name")
		edit(claims)
		header["jku"], header["x5u"] = "https://hostile.test/jwks", "https://hostile.test/jwks"
	})
	a.Provider.EditUserInfo(edit)
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["userinfo_endpoint"] = "https://hostile.test/userinfo" })
	time.Sleep(time.Minute)
	b := a.Browser(t)
	b.Login("/")
	b.Post("/logout", nil) // which revokes, and is not held up
	a.Leaves(b, apptest.Aftermath{Codes: codes + 1})
}

func credentialsOnRedirects(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	var atAPI []string
	var reached []*http.Request
	a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atAPI = append(atAPI, r.URL.Path+" "+strings.Split(r.Header.Get("Authorization")+" ", " ")[0])
		if r.URL.Path == "/first" {
			http.Redirect(w, r, "https://hostile.test/away", http.StatusTemporaryRedirect)
		}
	})
	a.Net["hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Reached(r)
		reached = append(reached, r)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "https://sub.hostile.test/", http.StatusFound)
		}
	})
	a.Net["sub.hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Net["hostile.test"].ServeHTTP(w, r)
		http.Redirect(w, r, "https://api.test/back", http.StatusFound)
	})
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/call", a.Auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			resp, err := a.Auth.Client(r.Context()).Post("https://api.test/first", "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})))
	}
	b := a.Browser(t)
	b.Login("/")
	b.Get("/call")
	if !slices.Equal(atAPI, []string{"/first Bearer", "/back "}) {
		t.Errorf("the API got %q", atAPI)
	}
	for _, r := range reached {
		for _, name := range []string{"Authorization", "Cookie", "Www-Authenticate", "Proxy-Authorization"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s%s got %s", r.Host, r.URL.Path, name)
			}
		}
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1, Asked: 2})
}

// The floor is where the last of them was fixed; and what the fixes bound.
func standardLibrary(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var floor string
	for line := range strings.Lines(string(mod)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			floor = "go" + v
		}
	}
	for _, v := range []string{floor, strings.Fields(runtime.Version())[0]} {
		if version.Compare(v, "go1.25.6") < 0 { // CVE-2025-61726; the others were earlier
			t.Errorf("%q is too old", v)
		}
	}
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for _, target := range []string{"/login?", "/auth/callback?state=x&code=y&"} {
		a.Expect("too many parameters", b.Get(target+strings.Repeat("a&", 10_001)), http.StatusBadRequest, "")
	}
	a.Expect("too many cookies", a.Raw(b, nil, "GET /dashboard", "Cookie", strings.Repeat("a=b;", 4000)), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.Expect("and a logout", a.Raw(b, nil, "POST /logout", "Content-Length", "0", "Cookie", strings.Repeat("a=b;", 4000)), http.StatusSeeOther, "/")
	a.Leaves(b, apptest.Aftermath{})
}

// allocates returns how many bytes f allocates, in all.
func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func manyDots(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	a.Browser(t).Login("/") // with all that is made once
	dots := strings.Repeat(".", 1_000_000)
	for token, status := range map[string]int{"id_token": http.StatusBadGateway, "access_token": http.StatusSeeOther, "refresh_token": http.StatusSeeOther} {
		a.Provider.EditIDToken(apptest.Without("at_hash")) // of another access token
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp[token] = dots })
		b := a.Browser(t)
		cb := b.CallbackURL("/login")
		var resp *apptest.Response
		// The provider and the network of the test are in it; a slice of a
		// million strings would be 16 MB more.
		if n := allocates(func() { resp = b.Get(cb) }); resp.StatusCode != status || n > 26<<20 {
			t.Errorf("%s: %d, %d bytes allocated", token, resp.StatusCode, n)
		}
	}
	b := a.Browser(t)
	for _, header := range []string{apptest.SessionCookie + "=1" + dots, apptest.FlowPrefix + "x=" + dots, apptest.FlowPrefix + dots + "=x"} {
		r := httptest.NewRequest(http.MethodGet, "/dashboard", nil)
		r.Header.Set("Cookie", header)
		w := httptest.NewRecorder()
		if n := allocates(func() { a.Auth.RequireAuth(a).ServeHTTP(w, r) }); w.Code != http.StatusFound || n > 4<<20 {
			t.Errorf("%.40s: %d, %d bytes allocated", header, w.Code, n)
		}
	}
	a.Leaves(b, apptest.Aftermath{Codes: 4})
}

// Answers that are good but for their length, which net/http hides: 8 MiB in
// 36 KiB.
func inflatedAnswers(t *testing.T) {
	var a *apptest.App
	a = apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		provider := func(w http.ResponseWriter, r *http.Request) { a.Provider.ServeHTTP(w, r) }
		opts.HTTPClient = &http.Client{Transport: apptest.ServePipes(t, http.HandlerFunc(provider))}
	}})
	a.Provider.EditIDToken(apptest.Without("name")) // so that user info is asked for
	padding := bytes.Repeat([]byte(" "), 8<<20)
	var b *apptest.Browser
	codes := 0
	for _, row := range []struct {
		endpoint oauthlogintest.Endpoint
		codes    int
	}{{oauthlogintest.Discovery, 0}, {oauthlogintest.JWKS, 1}, {oauthlogintest.Token, 1}, {oauthlogintest.UserInfo, 1}} {
		inflated := 0
		a.Provider.Intercept(row.endpoint, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			rec := httptest.NewRecorder()
			next(rec, r)
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("Accept-Encoding") == "gzip" {
				w.Header().Set("Content-Encoding", "gzip")
				inflated++
			}
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			z.Write(padding)
			z.Write(rec.Body.Bytes())
			z.Close()
		})
		time.Sleep(time.Minute)
		b = a.Browser(t)
		var resp *apptest.Response
		if n := allocates(func() { resp = b.Follow("/login?return_to=/dashboard") }); resp.StatusCode != http.StatusBadGateway || inflated != 1 || n > 8<<20 {
			t.Errorf("%s: %d with %d bytes allocated, %d times inflated", row.endpoint, resp.StatusCode, n, inflated)
		}
		a.Provider.Intercept(row.endpoint, nil)
		codes += row.codes
	}
	a.Leaves(b, apptest.Aftermath{Codes: codes})
}

func manyLogins(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	login := func(n int) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n / 8 {
					w := httptest.NewRecorder()
					if a.Auth.Login(w, httptest.NewRequest(http.MethodGet, "/login?return_to=/x", nil)); w.Code != http.StatusSeeOther {
						t.Errorf("%d", w.Code)
					}
				}
			})
		}
		wg.Wait()
	}
	login(80)
	before := apptest.HeapBytes()
	login(2000)
	if after := apptest.HeapBytes(); after > before+2000*64 { // a flow, or no more than its state
		t.Errorf("heap grew from %d to %d bytes", before, after)
	}
	a.Leaves(a.Browser(t), apptest.Aftermath{})
}
