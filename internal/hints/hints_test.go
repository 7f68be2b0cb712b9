package hints_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// Cookies that proxies refuse are a warning, at most once a minute.
func TestLargeCookiesAreNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		warned := func() int { return strings.Count(a.Log.String(), "larger than proxies let pass") }
		b := a.Browser(t)
		b.Login("/dashboard")
		if n := warned(); n != 0 {
			t.Errorf("%d warnings: %s", n, a.Log)
		}
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = "r" + apptest.Incompressible(2000) })
		for range 3 {
			a.Browser(t).Login("/dashboard")
		}
		if n := warned(); n != 1 || !strings.Contains(a.Log.String(), "level=WARN") || !strings.Contains(a.Log.String(), "Options.Store") {
			t.Errorf("%d warnings: %s", n, a.Log)
		}
		time.Sleep(time.Minute)
		a.Browser(t).Login("/dashboard")
		if n := warned(); n != 2 {
			t.Errorf("%d warnings after a minute", n)
		}
	})
}

// elsewhere is what the log says of a login that begins under another origin.
const elsewhere = "under another host or scheme"

// A login that begins under another origin than RedirectURL's loses its cookie, which one
// warning says.
func TestLoginUnderAnotherOriginIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, origin, target string
		header               []string
		noTLS                bool
		warns                string // what began there; "": nothing
	}{
		{"another host", "", "https://www.app.test/login", nil, false, "https://www.app.test"},
		{"another name and port of the host", "http://localhost:3000", "http://127.0.0.1:8080/login", nil, true, "http://127.0.0.1:8080"},
		{"another name of the host", "http://localhost:3000", "http://127.0.0.1:3000/login", nil, true, "http://127.0.0.1:3000"},
		{"TLS, and RedirectURL without", "http://localhost:3000", "https://localhost:3000/login", nil, false, "https://localhost:3000"},
		{"a proxy that says http", "", "http://app.test/login", []string{"X-Forwarded-Proto", "http"}, true, "http://app.test"},
		{"a proxy that says another host", "", "http://backend.internal/login", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "www.app.test"}, true, "https://backend.internal"},
		{"the public origin", "", "https://app.test/login", nil, false, ""},
		{"another port", "http://localhost:3000", "http://localhost:8080/login", nil, true, ""}, // cookies know no ports
		{"a proxy that drops the port", "http://localhost:8080", "http://localhost/login", []string{"X-Forwarded-Proto", "http"}, true, ""},
		{"an IPv6 address without its port", "http://[::1]:3000", "http://[::1]/login", nil, true, ""},
		{"another IPv6 address", "http://[::1]:3000", "http://[::2]/login", nil, true, "http://[::2]"},
		{"the default port", "", "https://APP.test:443/login", nil, false, ""},
		{"a proxy that ends TLS", "", "http://app.test/login", nil, true, ""},
		{"a proxy that rewrites Host", "", "http://backend.internal/login", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.test"}, true, ""},
		{"two proxies", "", "http://backend.internal/login", []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "app.test, inner.test"}, true, ""},
	} {
		a := apptest.New(t, apptest.Config{Origin: tt.origin})
		for range 3 {
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			if r.TLS = nil; !tt.noTLS {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			a.Auth.Login(w, r)
			if w.Code != http.StatusSeeOther {
				t.Errorf("%s: %d", tt.name, w.Code)
			}
		}
		log, n := a.Log.String(), 0
		if tt.warns != "" {
			n = 1
		}
		if strings.Count(log, elsewhere) != n || n > 0 && (!strings.Contains(log, "level=WARN") || !strings.Contains(log, tt.warns) || !strings.Contains(log, "redirect_url="+a.URL)) {
			t.Errorf("%s: %s", tt.name, log)
		}
	}
}

// notServed is what the log says of a login path without a handler.
const notServed = "no request has reached the login path"

// RequireAuth without anything that serves the login path leads to a 404.
func TestLoginPathThatNothingServes(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	gate := a.Auth.RequireAuth(http.NotFoundHandler())
	redirected := func(n int) {
		for range n {
			gate.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://app.test/dashboard", nil))
		}
	}
	redirected(2)
	if log := a.Log.String(); strings.Contains(log, notServed) {
		t.Error(log)
	}
	redirected(10)
	if log := a.Log.String(); strings.Count(log, notServed) != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "instances") || !strings.Contains(log, "login_path=/login") {
		t.Error(log)
	}
	a = apptest.New(t, apptest.Config{})
	gate = a.Auth.RequireAuth(http.NotFoundHandler())
	redirected(2)
	a.Browser(t).Get("/login")
	redirected(10)
	if log := a.Log.String(); strings.Contains(log, notServed) {
		t.Errorf("served: %s", log)
	}
}

// With several instances, the login path may be reached at another one: a login that ends at
// this one has passed it.
func TestLoginPathAtAnotherInstance(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	callback := b.CallbackURL("/dashboard")
	a.Auth = a.Replica(t, nil)
	if resp := b.Get(callback); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d: %s", resp.StatusCode, resp.Text)
	}
	for range 3 {
		a.Serve(http.MethodGet, "/dashboard")
	}
	if log := a.Log.String(); strings.Contains(log, notServed) {
		t.Error(log)
	}
}
