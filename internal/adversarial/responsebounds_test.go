package adversarial_test

import (
	"bytes"
	"compress/gzip"
	"go/version"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// allocates returns how many bytes f allocates, in all. Tests that use it are not
// parallel, so that the heap is their own.
func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// CVE-2025-22868 GO-2025-3488 of x/oauth2, CVE-2025-30204 of golang-jwt, CVE-2025-27144 of
// go-jose: a token of many dots cost memory.
func TestTokensOfManyDots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		// The token of a login that fails would be sent there.
		a.Provider.EditDiscovery(func(doc map[string]any) { delete(doc, "revocation_endpoint") })
		a.Browser(t).Login("/") // with all that is made once
		dots := strings.Repeat(".", 1_000_000)
		for token, status := range map[string]int{"id_token": http.StatusBadGateway, "access_token": http.StatusInternalServerError, "refresh_token": http.StatusInternalServerError} {
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
	})
}

// CVE-2024-28180 of go-jose, and what a transport inflates by itself: responses that are
// good but for their length, 8 MiB in 36 KiB.
func TestInflatedResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
			endpoint      oauthlogintest.Endpoint
			codes, status int
		}{
			{oauthlogintest.Discovery, 0, http.StatusBadGateway},
			{oauthlogintest.JWKS, 1, http.StatusBadGateway},
			{oauthlogintest.Token, 1, http.StatusBadGateway},
			{oauthlogintest.UserInfo, 1, http.StatusOK}, // the login goes on with the ID token
		} {
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
			if n := allocates(func() { resp = b.Follow("/login?return_to=/dashboard") }); resp.StatusCode != row.status || inflated != 1 || n > 8<<20 {
				t.Errorf("%s: %d with %d bytes allocated, %d times inflated", row.endpoint, resp.StatusCode, n, inflated)
			}
			a.Provider.Intercept(row.endpoint, nil)
			codes += row.codes
		}
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: codes, Runs: 1})
	})
}

// CVE-2025-47910 CVE-2025-58186 of net/http, CVE-2025-61726 of net/url: a standard library
// that is too old. The floor is where the last of them was fixed; and what the fixes
// bound is bounded.
func TestStandardLibraryIsNewEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mod, err := os.ReadFile("../../go.mod")
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
	})
}
