package oauthlogin_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A pageFailure is a way to get one of our pages.
type pageFailure struct {
	name, code string
	status     int
	retryURL   string
	get        func(a *apptest.App, b *apptest.Browser) *apptest.Response
}

// pageFailures lead to every page that a browser can cause.
func pageFailures() []pageFailure {
	const back = "/login?return_to=%2Fdashboard%3Fa%3D%26lt%3B"
	callback := func(change func(query url.Values)) func(*apptest.App, *apptest.Browser) *apptest.Response {
		return func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			u, _ := url.Parse(b.CallbackURL("/login?return_to=%2Fdashboard%3Fa%3D%26lt%3B"))
			query := u.Query()
			change(query)
			u.RawQuery = query.Encode()
			return b.Get(u.String())
		}
	}
	token := func(status int, body string) func(*apptest.App, *apptest.Browser) *apptest.Response {
		return func(a *apptest.App, b *apptest.Browser) *apptest.Response {
			a.Provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				w.Write([]byte(body))
			})
			return b.Follow(back)
		}
	}
	return []pageFailure{
		{"a callback out of nowhere", "flow_not_found", 400, "/login?return_to=%2F", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get("/auth/callback?code=x&state=y")
		}},
		{"a repeated parameter", "invalid_request", 400, "/login?return_to=%2F", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get("/auth/callback?code=x&state=y&state=z")
		}},
		{"a cancelled login", "access_denied", 400, back, callback(func(query url.Values) {
			query.Del("code")
			query.Set("error", "access_denied")
			query.Set("error_description", `<script>alert(1)</script>"'`)
		})},
		// CVE-2021-32702 of nextjs-auth0, CVE-2026-33758 of OpenBao.
		{"a script for an error", "authorization_failed", 400, back, callback(func(query url.Values) {
			query.Set("error", "<script>alert(1)</script>")
			query.Set("error_uri", "javascript:alert(1)")
		})},
		{"another issuer", "issuer_mismatch", 400, back, callback(func(query url.Values) { query.Set("iss", "https://evil.test") })},
		{"a code refused", "invalid_grant", 400, back, token(400, `{"error":"invalid_grant","error_description":"<b>no</b>"}`)},
		{"a provider that is down", "provider_unavailable", 502, back, token(503, "<b>down</b>")},
		{"an answer that is none", "provider_rejected", 502, back, token(200, `{"access_token":"<b>x</b>"}`)},
		{"a session too large", "session_too_large", 500, "", func(a *apptest.App, b *apptest.Browser) *apptest.Response {
			a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(40000) })
			return b.Follow(back)
		}},
		{"a session that gets lost", "cookies_lost", 400, back, func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return followLosing(b, back) }},
		{"a provider that does not exist", "unknown_provider", 400, back, func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Get(back + "&provider=%3Cscript%3Ealert(1)%3C/script%3E")
		}},
		{"a GET of the logout", "method_not_allowed", 405, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Get("/logout") }},
		{"a POST of the login", "method_not_allowed", 405, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Post("/login", nil) }},
		{"a POST of the callback", "method_not_allowed", 405, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response { return b.Post("/auth/callback", nil) }},
		{"a logout by another site", "cross_origin", 403, "", func(_ *apptest.App, b *apptest.Browser) *apptest.Response {
			return b.Post("/logout", nil, "Sec-Fetch-Site", "cross-site")
		}},
	}
}

var (
	titlePattern     = regexp.MustCompile(`<title>[A-Z][^<>]+</title>`)
	referencePattern = regexp.MustCompile(`Reference: ([A-Z2-7]{8})`)
	stylePattern     = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	foreignPattern   = regexp.MustCompile(`(?i)<script|<img|<link|<iframe|\ssrc=|url\(|@import|https?:|\son[a-z]+=|javascript:|\sstyle=`)
)

// pageFaults returns what is wrong with a page of ours.
func pageFaults(resp *apptest.Response) (faults []string) {
	header := func(name, want string) {
		if got := resp.Header.Get(name); got != want {
			faults = append(faults, name+": "+got)
		}
	}
	style := stylePattern.FindStringSubmatch(resp.Text)
	if style == nil {
		return []string{"no style, so no page of ours"}
	}
	sum := sha256.Sum256([]byte(style[1]))
	header("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header("Content-Type", "text/html; charset=utf-8")
	header("Cache-Control", "no-store")
	header("Referrer-Policy", "no-referrer")
	header("X-Content-Type-Options", "nosniff")
	header("Location", "")
	header("Access-Control-Allow-Origin", "")
	for what, ok := range map[string]bool{
		"no doctype":         strings.HasPrefix(resp.Text, "<!doctype html>\n<html lang=\"en\">"),
		"no title":           titlePattern.MatchString(resp.Text),
		"no heading":         strings.Count(resp.Text, "<h1>") == 1,
		"no character set":   strings.Contains(resp.Text, `<meta charset="utf-8">`),
		"foreign or active":  !foreignPattern.MatchString(resp.Text),
		"ends in the middle": strings.HasSuffix(resp.Text, "</html>\n"),
		"unsafe template":    !strings.Contains(resp.Text, "ZgotmplZ"),
	} {
		if !ok {
			faults = append(faults, what)
		}
	}
	return faults
}

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
			for _, fault := range pageFaults(resp) {
				t.Errorf("%s\n%s", fault, resp.Text)
			}
			for _, hostile := range []string{"alert(1)", "<b>", "evil"} {
				if strings.Contains(resp.Text, hostile) {
					t.Errorf("%s is on the page:\n%s", hostile, resp.Text)
				}
			}
			// The page has a number for the line of the log that has the cause.
			reference := referencePattern.FindStringSubmatch(resp.Text)
			if reference == nil {
				t.Fatalf("no reference:\n%s", resp.Text)
			}
			found := false
			for line := range strings.Lines(a.Log.String()) {
				found = found || strings.Contains(line, "id="+reference[1]) && strings.Contains(line, "code="+tt.code) &&
					strings.Contains(line, "level=ERROR") == (tt.status >= 500)
			}
			if !found {
				t.Errorf("log has no %s with %s:\n%s", tt.code, reference[1], a.Log)
			}
			if links, want := strings.Join(resp.Links(), " "), cmp.Or(tt.retryURL, "/"); links != want {
				t.Errorf("links %q, want %q", links, want)
			}
			if b.SignedIn() || a.Called("/dashboard") > 0 {
				t.Error("somebody is signed in")
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
					// What a flow that has ended leaves behind is cleaned up already.
					if strings.HasSuffix(r.URL.Path, "/callback") && failed.Provider != "" && !strings.Contains(strings.Join(h["Set-Cookie"], " "), apptest.FlowPrefix) {
						t.Error("flow cookie stays")
					}
					w.WriteHeader(http.StatusTeapot)
					w.Write([]byte("our own page"))
				}
			}})
			resp := tt.get(a, a.Browser(t))
			if calls != 1 || resp.StatusCode != http.StatusTeapot || resp.Text != "our own page" {
				t.Errorf("%d calls: %d %s", calls, resp.StatusCode, resp.Text)
			}
		})
	}
}

// The choice among providers, with names and a return path that try to break out.
func TestChooserPage(t *testing.T) {
	t.Parallel()
	names := []string{"test", `a&b "c" <i>d</i>`, "javascript:alert(1)"}
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		for i, name := range names[1:] {
			p := opts.Providers[0]
			client := *p.OAuth2
			client.RedirectURL += "/" + string(rune('a'+i))
			p.OAuth2, p.Name = &client, name
			opts.Providers = append(opts.Providers, p)
		}
	}})
	const returnTo = `/x?q="><script>alert(1)</script>&y='`
	resp := a.Browser(t).Get("/login?return_to=" + url.QueryEscape(returnTo))
	if resp.StatusCode != http.StatusOK || len(resp.Header["Set-Cookie"]) > 0 {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	links := resp.Links()
	if len(links) != len(names) {
		t.Fatalf("links %q", links)
	}
	for i, link := range links {
		u, err := url.Parse(link)
		if err != nil || u.Path != "/login" || u.Host != "" || u.Query().Get("provider") != names[i] || u.Query().Get("return_to") != returnTo {
			t.Errorf("%s: link %q", names[i], link)
		}
	}
	resp.Text = strings.Replace(resp.Text, ">javascript:alert(1)<", "><", 1) // a name, as text
	for _, fault := range pageFaults(resp) {
		t.Errorf("%s\n%s", fault, resp.Text)
	}
	if strings.Contains(resp.Text, "<i>") {
		t.Error(resp.Text)
	}
	b := a.Browser(t)
	if resp := b.FollowOn(b.Get(links[0]), "/authorize"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("first choice: %d %s", resp.StatusCode, resp.Text)
	}
}
