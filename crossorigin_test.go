package oauthlogin_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// An originCase is where a request comes from. The application is at https://app.test,
// and trusts https://admin.app.test and https://partner.test:8443.
type originCase struct {
	name         string
	site, origin string // headers; "": not there
	host         string // "": app.test
	passes       bool
}

func trustingOrigins(o *oauthlogin.Options) {
	o.TrustedOrigins = []string{"https://admin.app.test", "https://partner.test:8443"}
}

func originCases() []originCase {
	const passes, refused = true, false
	return []originCase{
		{"a page of the application", "same-origin", "https://app.test", "", passes},
		{"a page of the application without Referer", "same-origin", "null", "", passes},
		{"a page of the application, behind a proxy", "same-origin", "https://app.test", "backend.internal", passes},
		{"the user", "none", "", "", passes},
		{"a sibling", "same-site", "https://other.app.test", "", refused},
		{"a sibling that names no origin", "same-site", "", "", refused},
		{"another site", "cross-site", "https://evil.test", "", refused},
		{"another site that names no origin", "cross-site", "", "", refused},
		{"another site that leads through the application", "cross-site", "https://app.test", "", refused},
		{"a sandboxed page", "cross-site", "null", "", refused},
		{"a value that is unknown", "future-site", "https://app.test", "", refused},
		{"a value in capitals", "SAME-ORIGIN", "https://app.test", "", refused},

		{"an old browser: a page of the application", "", "https://app.test", "", passes},
		{"an old browser: the same, behind a proxy", "", "https://app.test", "backend.internal", passes},
		{"an old browser: a sibling", "", "https://other.app.test", "", refused},
		{"an old browser: the parent domain", "", "https://test", "", refused},
		{"an old browser: another site", "", "https://evil.test", "", refused},
		{"an old browser: another site that Host agrees with", "", "https://evil.test", "evil.test", refused},
		{"an old browser: the host inside that Host agrees with", "", "https://backend.internal", "backend.internal", refused},
		{"an old browser: a sandboxed page", "", "null", "", refused},
		{"an old browser: a sandboxed page without Host", "", "null", "null", refused},
		{"an old browser: plain http", "", "http://app.test", "", refused},
		{"an old browser: another port", "", "https://app.test:8443", "", refused},
		{"an old browser: another port that Host agrees with", "", "https://app.test:8443", "app.test:8443", refused},
		{"an old browser: a host that begins alike", "", "https://app.test.evil.test", "", refused},
		{"an old browser: this host as the user", "", "https://app.test@evil.test", "", refused},
		{"an old browser: another user at this host", "", "https://evil@app.test", "", refused},
		{"an old browser: not an origin", "", "app.test", "", refused},
		{"an old browser: two origins", "", "https://app.test https://evil.test", "", refused},

		{"no browser", "", "", "", passes},
		{"no browser, with a foreign Host", "", "", "evil.test", passes},

		{"a trusted sibling", "same-site", "https://admin.app.test", "", passes},
		{"a trusted site", "cross-site", "https://partner.test:8443", "", passes},
		{"an old browser: a trusted sibling", "", "https://admin.app.test", "", passes},
		{"a trusted host on another port", "cross-site", "https://partner.test", "", refused},
		{"a trusted host on plain http", "same-site", "http://admin.app.test", "", refused},
		{"below a trusted host", "same-site", "https://x.admin.app.test", "", refused},
		{"a host that ends as a trusted one", "cross-site", "https://evil-admin.app.test", "", refused},
		{"a trusted host with a path", "same-site", "https://admin.app.test/", "", refused},
		{"a trusted host in capitals", "same-site", "https://ADMIN.app.test", "", refused},
	}
}

// headers returns those of the case, and more.
func (c originCase) headers(more ...string) []string {
	for _, header := range [][]string{{"Sec-Fetch-Site", c.site}, {"Origin", c.origin}} {
		if header[1] != "" {
			more = append(more, header...)
		}
	}
	return more
}

func (c originCase) url(path string) string {
	if c.host == "" {
		return "https://app.test" + path
	}
	return "https://" + c.host + path
}

var unsafeMethods = []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get"}

// OAuth 2.0 for Browser-Based Applications section 6.1.3.3; CVE-2025-24358 of
// gorilla/csrf.
func TestCrossOriginRequests(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		a, b := apptest.SignedIn(t, apptest.Config{Change: func(o *oauthlogin.Options) {
			trustingOrigins(o)
			if stored {
				o.Store = apptest.FileStore(t)
			}
		}})
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/policy", a.Auth.Require(oauthlogin.Policy{Providers: []string{"test"}})(a.Count(func(http.ResponseWriter, *http.Request) {})))
		}
		cookie := cookieHeader(b)
		a.Events.Take()
		for _, tt := range originCases() {
			for _, method := range slices.Concat(unsafeMethods, []string{"GET", "HEAD", "OPTIONS"}) {
				for _, path := range []string{"/dashboard", "/policy"} {
					name := fmt.Sprintf("in a store: %t, %s %s, %s", stored, method, path, tt.name)
					passes := tt.passes || !slices.Contains(unsafeMethods, method)
					for _, signedIn := range []bool{true, false} {
						header := tt.headers("Accept", "*/*", "Sec-Fetch-Mode", "cors")
						status := http.StatusForbidden
						switch {
						case signedIn && passes:
							status = http.StatusOK
						case passes:
							status = http.StatusUnauthorized
						}
						if signedIn {
							header = append(header, "Cookie", cookie)
						}
						before := a.Called(path)
						w := a.Serve(method, tt.url(path), header...)
						if ran := a.Called(path) > before; w.Code != status || ran != (status == http.StatusOK) {
							t.Errorf("%s, signed in: %t: %d, handler ran: %t; want %d", name, signedIn, w.Code, ran, status)
						}
						if status == http.StatusForbidden {
							wantRefused(t, name, w, `{"error":"cross_origin"}`)
						}
						for header := range w.Header() {
							if header == "Set-Cookie" || strings.HasPrefix(header, "Access-Control-") {
								t.Errorf("%s: has %s", name, header)
							}
						}
					}
				}
			}
		}
		b.WantUser("/api/me", "alice")
		a.Events.Want(t)
		if log := a.Log.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") || !strings.Contains(log, "level=INFO") {
			t.Errorf("log:\n%.2000s", log)
		}
	}
}

// cookieHeader is the Cookie header of a browser.
func cookieHeader(b *apptest.Browser) string {
	var pairs []string
	for name, value := range b.Cookies() {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// wantRefused fails the test unless a response for scripts has this body.
func wantRefused(t *testing.T, name string, w *httptest.ResponseRecorder, body string) {
	t.Helper()
	h := w.Header()
	if strings.TrimSpace(w.Body.String()) != body || h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" ||
		h.Get("X-Content-Type-Options") != "nosniff" || h.Get("WWW-Authenticate")+h.Get("Location")+h.Get("HX-Redirect") != "" {
		t.Errorf("%s: %v %s", name, h, w.Body)
	}
}

// A form gets a page, and so does a browser that does not say what it is doing.
func TestCrossOriginForm(t *testing.T) {
	t.Parallel()
	var handled *oauthlogin.Error
	for _, ownPage := range []bool{false, true} {
		a, b := apptest.SignedIn(t, apptest.Config{Change: func(o *oauthlogin.Options) {
			if ownPage {
				o.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
					errors.As(err, &handled)
					w.WriteHeader(http.StatusForbidden)
				}
			}
		}})
		before, served := b.Cookies(), a.Called("/dashboard")
		for name, ask := range map[string]func() *apptest.Response{
			"a form": func() *apptest.Response {
				return b.Page("https://other.app.test").Form("https://app.test/dashboard", nil)
			},
			"a form in an old browser": func() *apptest.Response {
				return b.Post("/dashboard", nil, "Origin", "https://other.app.test")
			},
			"a form, signed out": func() *apptest.Response {
				return a.Browser(t).Page("https://evil.test").Form("https://app.test/dashboard", nil)
			},
		} {
			handled = nil
			resp := ask()
			if resp.StatusCode != http.StatusForbidden || len(resp.Header["Set-Cookie"]) > 0 || a.Called("/dashboard") > served || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
			}
			if ownPage {
				if handled == nil || handled.Code != "cross_origin" || handled.Status != http.StatusForbidden || handled.RetryURL != "" {
					t.Errorf("%s: ErrorHandler was given %v", name, handled)
				}
				continue
			}
			for _, fault := range apptest.PageFaults(resp) {
				t.Errorf("%s: %s\n%s", name, fault, resp.Text)
			}
			if !strings.Contains(resp.Text, "Another site sent this request, so nothing was changed.") {
				t.Errorf("%s: %s", name, resp.Text)
			}
		}
		if !maps.Equal(b.Cookies(), before) || b.UserAt("/api/me") != "alice" {
			t.Error("the session did not stay")
		}
	}
}

// A refused request does not ask the store, and does not depend on it.
func TestCrossOriginBeforeTheSession(t *testing.T) {
	t.Parallel()
	asked := 0
	store := &apptest.ScriptedStore{}
	a, b := apptest.SignedIn(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Store = store }})
	store.OnNew = func(_ *http.Request, s *sessions.Session) (*sessions.Session, error) {
		asked++
		return nil, errors.New("the store is down")
	}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })
	for name, h := range map[string]http.Handler{"RequireAuth": a.Auth.RequireAuth(next), "Require": a.Auth.Require(oauthlogin.Policy{})(next)} {
		r := httptest.NewRequest(http.MethodPost, "https://app.test/anything", nil)
		r.Header.Set("Origin", "https://evil.test")
		r.Header.Set("Cookie", cookieHeader(b))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden || asked > 0 || len(w.Header()["Vary"]) > 0 {
			t.Errorf("%s: %d %v, and the store was asked %d times", name, w.Code, w.Header(), asked)
		}
	}
}

// Handler and SilentLogin let public forms and webhooks of others through.
func TestCrossOriginElsewhere(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	for name, wrap := range map[string]func(http.Handler) http.Handler{"Handler": a.Auth.Handler, "SilentLogin": a.Auth.SilentLogin} {
		ran := false
		r := httptest.NewRequest(http.MethodPost, "https://app.test/webhook", nil)
		r.Header.Set("Origin", "https://evil.test")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })).ServeHTTP(w, r)
		if !ran || w.Code != http.StatusOK {
			t.Errorf("%s: %d, handler ran: %t", name, w.Code, ran)
		}
	}
}

// Around its own paths RequireAuth leaves the decision to them: nothing is trusted
// to sign users out, and a logout from here works.
func TestCrossOriginOwnPaths(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{Change: trustingOrigins})
	gate := a.Auth.RequireAuth(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }))
	logout := a.Auth.RequireAuth(a.Auth.Handler(http.HandlerFunc(a.Auth.Logout))) // at a path of the application
	for _, tt := range originCases() {
		trusted := slices.Contains(a.Opts.TrustedOrigins, tt.origin)
		for _, path := range []string{"/logout", "/login", "/auth/callback", "/bye"} {
			b := a.SignIn(t, "alice")
			r := httptest.NewRequest(http.MethodPost, tt.url(path), nil)
			r.Header.Set("Cookie", cookieHeader(b))
			for i, header := 0, tt.headers(); i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			status := http.StatusMethodNotAllowed
			if path == "/logout" || path == "/bye" {
				status = http.StatusForbidden
				if tt.passes && !trusted {
					status = http.StatusSeeOther
				}
			}
			h := gate
			if path == "/bye" {
				h = logout
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != status {
				t.Errorf("%s, %s: %d; want %d", path, tt.name, w.Code, status)
			}
			if set := w.Header()["Set-Cookie"]; status != http.StatusSeeOther && len(set) > 0 {
				t.Errorf("%s, %s: sets %q", path, tt.name, set)
			}
		}
	}
}
