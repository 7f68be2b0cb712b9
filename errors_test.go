package oauthlogin_test

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A pageFailure is a way to get one of the package's pages.
type pageFailure struct {
	name, code string
	status     int
	login      bool // has failed at the callback
	retryURL   string
	get        func(a *apptest.App, b *apptest.Browser) *apptest.Response
}

// pageFailures lead to every page that a browser can cause.
func pageFailures() []pageFailure {
	const back = "/login?return_to=%2Fdashboard%3Fa%3D%26lt%3B"
	callback := func(change func(query url.Values)) func(*apptest.App, *apptest.Browser) *apptest.Response {
		return func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get(apptest.Edited(b.T, b.CallbackURL(back), change))
		}
	}
	token := func(status int, body string) func(*apptest.App, *apptest.Browser) *apptest.Response {
		return func(a *apptest.App, b *apptest.Browser) *apptest.Response {
			a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(status, body))
			return b.Follow(back)
		}
	}
	return []pageFailure{
		{"a callback out of nowhere", "flow_not_found", 400, false, "/login?return_to=%2F", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get("/auth/callback?code=x&state=y")
		}},
		{"a repeated parameter", "invalid_request", 400, false, "/login?return_to=%2F", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get("/auth/callback?code=x&state=y&state=z")
		}},
		{"a cancelled login", "access_denied", 400, true, back, callback(func(query url.Values) {
			query.Del("code")
			query.Set("error", "access_denied")
			query.Set("error_description", `<script>alert(1)</script>"'`)
		})},
		// CVE-2021-32702 of nextjs-auth0, CVE-2026-33758 of OpenBao.
		{"a script for an error", "authorization_failed", 400, true, back, callback(func(query url.Values) {
			query.Set("error", "<script>alert(1)</script>")
			query.Set("error_uri", "javascript:alert(1)")
		})},
		{"another issuer", "issuer_mismatch", 400, true, back, callback(func(query url.Values) { query.Set("iss", "https://evil.test") })},
		{"neither code nor error", "invalid_request", 400, true, back, callback(func(query url.Values) { query.Del("code") })},
		{"a client refused", "provider_rejected", 502, true, back, token(401, `{"error":"invalid_client"}`)},
		{"a code refused", "invalid_grant", 400, true, back, token(400, `{"error":"invalid_grant","error_description":"<b>no</b>"}`)},
		{"a provider that is down", "provider_unavailable", 502, true, back, token(503, "<b>down</b>")},
		{"a token response without an ID token", "provider_rejected", 502, true, back, token(200, `{"access_token":"<b>x</b>"}`)},
		{"a session too large", "session_too_large", 500, true, "", func(a *apptest.App, b *apptest.Browser) *apptest.Response {
			a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(40000) })
			return b.Follow(back)
		}},
		{"a session that gets lost", "cookies_lost", 400, false, back, func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return followLosing(b, back) }},
		{"a provider that does not exist", "unknown_provider", 400, false, back, func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get(back + "&provider=%3Cscript%3Ealert(1)%3C/script%3E")
		}},
		{"a GET of the logout", "method_not_allowed", 405, false, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Get("/logout") }},
		{"a POST of the login", "method_not_allowed", 405, false, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Post("/login", nil) }},
		{"a POST of the callback", "method_not_allowed", 405, false, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Post("/auth/callback", nil) }},
		{"a logout by another site", "cross_origin", 403, false, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Post("/logout", nil, "Sec-Fetch-Site", "cross-site")
		}},
		{"a form of another site", "cross_origin", 403, false, "", func(a *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Page("https://evil.test").Form(a.URL+"/dashboard", nil)
		}},
	}
}

var referencePattern = regexp.MustCompile(`Reference: ([A-Z2-7]{8})`)

func TestErrorPages(t *testing.T) {
	t.Parallel()
	for _, tt := range pageFailures() {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			b := a.Browser(t)
			resp := tt.get(a, b)
			if resp.StatusCode != tt.status {
				t.Fatalf("%d %s", resp.StatusCode, resp.Text)
			}
			for _, fault := range apptest.PageFaults(resp) {
				t.Errorf("%s\n%s", fault, resp.Text)
			}
			for _, hostile := range []string{"alert(1)", "<b>", "evil"} {
				if strings.Contains(resp.Text, hostile) {
					t.Errorf("%s is on the page:\n%s", hostile, resp.Text)
				}
			}
			// The page has a reference to the log line with the cause.
			reference := referencePattern.FindStringSubmatch(resp.Text)
			if reference == nil {
				t.Fatalf("no reference:\n%s", resp.Text)
			}
			found := false
			for line := range strings.Lines(a.Log.String()) {
				found = found || strings.Contains(line, "reference="+reference[1]) && strings.Contains(line, "code="+tt.code) &&
					strings.Contains(line, "level=ERROR") == (tt.status >= 500)
			}
			if !found {
				t.Errorf("log has no %s with %s:\n%s", tt.code, reference[1], a.Log)
			}
			if links, want := strings.Join(resp.Links(), " "), cmp.Or(tt.retryURL, "/"); links != want {
				t.Errorf("links %q, want %q", links, want)
			}
			// A failed login has an event, with the same error and no subject.
			var events []string
			if tt.login {
				events = []string{"login test/ " + tt.code}
			}
			if tt.code == "cookies_lost" { // whose logins have succeeded before
				events = slices.Repeat([]string{"login test/alice"}, 4)
			}
			a.Events.Want(t, events...)
			if b.SignedIn() || a.Called("/dashboard") > 0 {
				t.Error("signed in")
			}
		})
	}
}

func TestErrorHandler(t *testing.T) {
	t.Parallel()
	for _, tt := range pageFailures() {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
				opts.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
					calls++
					var failed *oauthlogin.Error
					if !errors.As(err, &failed) {
						t.Fatalf("%T", err)
					}
					if failed.Code != tt.code || failed.Status != tt.status || failed.RetryURL != tt.retryURL {
						t.Errorf("%s %d %q, want %s %d %q", failed.Code, failed.Status, failed.RetryURL, tt.code, tt.status, tt.retryURL)
					}
					if !strings.HasPrefix(err.Error(), "oauthlogin: "+tt.code) || strings.ContainsAny(err.Error(), "\r\n") {
						t.Errorf("error text %q", err)
					}
					h := w.Header()
					if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || (h.Get("Allow") != "") != (tt.status == http.StatusMethodNotAllowed) {
						t.Errorf("headers %v", h)
					}
					// The cookie of a flow that has ended is already being removed.
					if strings.HasSuffix(r.URL.Path, "/callback") && failed.Provider != "" && !strings.Contains(strings.Join(h["Set-Cookie"], " "), apptest.FlowPrefix) {
						t.Error("the flow cookie stays")
					}
					w.WriteHeader(http.StatusTeapot)
					w.Write([]byte("custom page"))
				}
			}})
			resp := tt.get(a, a.Browser(t))
			if calls != 1 || resp.StatusCode != http.StatusTeapot || resp.Text != "custom page" {
				t.Errorf("%d calls: %d %s", calls, resp.StatusCode, resp.Text)
			}
		})
	}
}

// What makes every login fail is an error in the log, at most once a minute. What one login or a
// stranger can cause is none.
func TestMisconfigurationIsAnError(t *testing.T) {
	t.Parallel()
	for code, alarms := range map[string]bool{
		"invalid_scope": true, "unauthorized_client": true, "invalid_client": true,
		"access_denied": false, "login_required": false, "server_error": false, "own_error": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.AuthorizationResponse(func(q url.Values) { q.Set("error", code) })
			b := a.Browser(t)
			errorsAfter := func(wait time.Duration) int {
				time.Sleep(wait)
				b.Get(b.CallbackURL("/login"))
				return strings.Count(a.Log.String(), "level=ERROR")
			}
			want := map[bool][]int{true: {1, 1, 2}, false: {0, 0, 0}}[alarms]
			if got := []int{errorsAfter(0), errorsAfter(30 * time.Second), errorsAfter(2 * time.Minute)}; !slices.Equal(got, want) {
				t.Errorf("%s: %d errors, want %d: %s", code, got, want, a.Log)
			}
		})
	}
}
