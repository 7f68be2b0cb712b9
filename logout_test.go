package oauthlogin_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// goiabada#411: a logout by <img>. TestCrossSiteLogout in internal/adversarial has more
// origins.
func TestLogoutRefused(t *testing.T) {
	t.Parallel()
	a, b := apptest.SignedIn(t, apptest.Config{})
	cookies := b.Cookies()
	for _, tt := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"a link", "GET", nil, http.StatusMethodNotAllowed},
		{"a link on a page of the application", "GET", []string{"Sec-Fetch-Site", "same-origin"}, http.StatusMethodNotAllowed},
		{"a HEAD", "HEAD", nil, http.StatusMethodNotAllowed},
		{"a PUT", "PUT", nil, http.StatusMethodNotAllowed},
		{"a DELETE", "DELETE", nil, http.StatusMethodNotAllowed},
		{"a CORS preflight", "OPTIONS", []string{"Origin", "https://evil.test"}, http.StatusMethodNotAllowed},
		{"a form on another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, http.StatusForbidden},
		{"a form on a sibling", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.app.test"}, http.StatusForbidden},
		{"a form on another site, in an old browser", "POST", []string{"Origin", "https://evil.test"}, http.StatusForbidden},
	} {
		resp := b.Do(b.Request(tt.method, "/logout?return_to=/x", nil, tt.header...))
		if resp.StatusCode != tt.status || resp.Location() != "" || len(resp.Header["Set-Cookie"]) > 0 || resp.Header.Get("Access-Control-Allow-Origin") != "" ||
			(resp.Header.Get("Allow") == "POST") != (tt.status == http.StatusMethodNotAllowed) {
			t.Errorf("%s: %d %v", tt.name, resp.StatusCode, resp.Header)
		}
		if !maps.Equal(b.Cookies(), cookies) || !b.SignedIn() {
			t.Errorf("%s: signed out", tt.name)
		}
	}
	if strings.Contains(a.Log.String(), "signed out") {
		t.Error("the log reports a logout")
	}
}

// The public origin is RedirectURL's: a proxy may have rewritten Host.
func TestPublicOriginBehindAProxy(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	w := a.Serve(http.MethodGet, "https://backend.internal/api/me", "Sec-Fetch-Mode", "cors", "Accept", "*/*", "Referer", "https://app.test/dashboard?q=1")
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["login_url"] != "/login?return_to=%2Fdashboard%3Fq%3D1" {
		t.Errorf("a script behind a proxy: %d %s", w.Code, w.Body)
	}
	for _, tt := range []struct {
		name, target string
		header       []string
		status       int
	}{
		{"behind a proxy", "https://backend.internal/logout", []string{"Origin", "https://app.test"}, http.StatusSeeOther},
		{"behind a proxy, with Sec-Fetch-Site", "https://backend.internal/logout", []string{"Origin", "https://app.test", "Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther},
		{"directly", "https://app.test/logout", []string{"Origin", "https://app.test"}, http.StatusSeeOther},
		{"no Origin", "https://backend.internal/logout", nil, http.StatusSeeOther},
		{"an Origin that agrees with a foreign Host", "https://evil.test/logout", []string{"Origin", "https://evil.test"}, http.StatusForbidden},
		{"an Origin that agrees with the host inside", "https://backend.internal/logout", []string{"Origin", "https://backend.internal"}, http.StatusForbidden},
		{"another port", "https://backend.internal/logout", []string{"Origin", "https://app.test:8443"}, http.StatusForbidden},
		{"another site", "https://app.test/logout", []string{"Origin", "https://app.test", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
	} {
		if w := a.Serve(http.MethodPost, tt.target, tt.header...); w.Code != tt.status {
			t.Errorf("logout, %s: %d", tt.name, w.Code)
		}
	}
}

// RFC 9700 section 4.11: logouts that stay here and those through the provider lead
// to a local path. One row of each kind of hostile path shows that it is checked.
func TestLogoutReturnsTo(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	longPath := "/" + strings.Repeat("long", 150)
	for _, throughProvider := range []bool{false, true} {
		a := apptest.New(t, apptest.Config{})
		if !throughProvider {
			a.NoEndSession()
		}
		for _, tt := range []struct{ name, query, contentType, body, path string }{
			{"nothing", "", form, "", "/"},
			{"the query", "?return_to=/bye?x=1%262", form, "", "/bye?x=1&2"},
			{"the form", "", form, "return_to=%2Fbye%3Fx%3D1", "/bye?x=1"},
			{"both, and the same", "?return_to=/bye", form, "return_to=/bye", "/"},
			{"both, and different", "?return_to=/bye", form, "return_to=/other", "/"},
			{"twice in the query", "?return_to=/bye&return_to=/bye", form, "", "/"},
			{"twice in the form", "", form, "return_to=/bye&return_to=/bye", "/"},
			{"empty", "?return_to=", form, "", "/"},
			{"another site", "", form, "return_to=https://evil.test/", "/"},
			{"another site without a scheme", "?return_to=//evil.test", form, "", "/"},
			{"another site by backslash", "", form, `return_to=/\evil.test`, "/"},
			{"another site by tab", "?return_to=/%09/evil.test", form, "", "/"},
			{"another site after cleaning", "", form, `return_to=/./\evil.test`, "/"},
			{"a host name", "?return_to=evil.test", form, "", "/"},
			{"a script", "", form, "return_to=javascript:alert(1)", "/"},
			{"a header", "?return_to=/x%0d%0aSet-Cookie:a=b", form, "", "/"},
			{"the login page", "?return_to=/login", form, "", "/"},
			{"the login page, in disguise", "?return_to=/./login", form, "", "/"},
			{"the logout", "", form, "return_to=/logout", "/"},
			{"the callback", "", form, "return_to=/auth/callback?x=1", "/"},
			{"the callback, in disguise", "", form, "return_to=/auth/%2e/callback", "/"},
			{"a path that is too long", "?return_to=/" + strings.Repeat("x", 4000), form, "", "/"},
			{"a path that makes the provider's URL too long", "?return_to=" + longPath, form, "", longPath},
			{"a malformed query", "?return_to=%zz", form, "", "/"},
			{"a malformed form", "?return_to=/bye", form, "return_to=%zz", "/bye"},
			{"a form with semicolons", "", form, "a;b;return_to=/bye", "/"},
			{"a body without a type", "?return_to=/bye", "", "return_to=/other", "/bye"},
			{"a body of a malformed type", "?return_to=/bye", "%%%;;;=", "return_to=/other", "/bye"},
			{"a JSON body", "?return_to=/bye", "application/json", `{"return_to":"/other"}`, "/bye"},
			{"a multipart body", "?return_to=/bye", "multipart/form-data; boundary=x", "--x\r\n", "/bye"},
			{"a multipart body without a boundary", "?return_to=/bye", "multipart/form-data", "junk", "/bye"},
			{"an endless body", "?return_to=/bye", form, "return_to=/" + strings.Repeat("x", 1<<20), "/bye"},
		} {
			t.Run(fmt.Sprintf("%s, through the provider: %t", tt.name, throughProvider), func(t *testing.T) {
				b := a.Browser(t)
				b.Login("/dashboard")
				r := b.Request(http.MethodPost, "/logout"+tt.query, io.NopCloser(strings.NewReader(tt.body)))
				if tt.contentType != "" {
					r.Header.Set("Content-Type", tt.contentType)
				}
				resp := b.Do(r)
				path := tt.path
				if throughProvider {
					resp = b.Get(b.Get(resp.Location()).Location())
					path = strings.TrimSuffix(path, longPath[1:])
				}
				if resp.StatusCode != http.StatusSeeOther || resp.Location() != path {
					t.Errorf("%d to %q", resp.StatusCode, resp.Location())
				}
				if b.SignedIn() || len(b.Cookies()) > 0 {
					t.Error("still signed in")
				}
			})
		}
		// net/http guarantees a body to handlers; tests of handlers often have none.
		r := httptest.NewRequest(http.MethodPost, a.URL+"/logout", nil)
		r.Body = nil
		w := httptest.NewRecorder()
		if a.Auth.Logout(w, r); w.Code != http.StatusSeeOther {
			t.Errorf("without a body: %d", w.Code)
		}
	}
}

// Ten logouts at once all succeed.
func TestLogoutsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := sessions.NewFilesystemStore(dir, apptest.Key(3), apptest.Key(4))
	store.MaxLength(0)
	for name, change := range map[string]func(*oauthlogin.Options){"in cookies": nil, "in a store": func(o *oauthlogin.Options) { o.Store = store }} {
		a := apptest.New(t, apptest.Config{Change: change})
		b := a.Browser(t)
		b.Login("/dashboard")
		cookie := apptest.SessionCookie + "=" + b.Cookies()[apptest.SessionCookie]
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if resp := a.BareBrowser(t).Post("/logout", nil, "Cookie", cookie); resp.StatusCode != http.StatusSeeOther {
					t.Errorf("%s: %d", name, resp.StatusCode)
				}
			})
		}
		wg.Wait()
	}
	if files := apptest.SessionFiles(t, dir); len(files) > 0 {
		t.Errorf("%d sessions left", len(files))
	}
}

// OpenID Connect RP-Initiated Logout section 2; oidcc-client-test-rp-init-logout.
func TestRPInitiatedLogout(t *testing.T) {
	t.Parallel()
	registered := oauthlogintest.Client{
		ID: "leaver", Secret: "s3cret-of-the-app", RedirectURIs: []string{"https://app.test/auth/callback"},
		PostLogoutRedirectURIs: []string{"https://app.test/bye", "https://app.test/bye?x=%2F", "https://www.test/bye"},
	}
	comeBackTo := func(target string) func(*oauthlogin.Options) {
		return func(opts *oauthlogin.Options) {
			opts.Providers[0].OAuth2.ClientID = "leaver"
			opts.Providers[0].PostLogoutRedirectURL = target
		}
	}
	for _, test := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		setUp    func(a *apptest.App)
		signedIn func(b *apptest.Browser)
		clientID string
		comeBack string
	}{
		{name: "back to the front page by default"},
		{name: "back to another page", change: comeBackTo("https://app.test/bye"), clientID: "leaver", comeBack: "https://app.test/bye"},
		{name: "back to a page with a query", change: comeBackTo("https://app.test/bye?x=%2F"), clientID: "leaver", comeBack: "https://app.test/bye?x=%2F"},
		{name: "back to a page of another site", change: comeBackTo("https://www.test/bye"), clientID: "leaver", comeBack: "https://www.test/bye"},
		{
			name:     "an ID token that has expired", // section 2: providers accept it
			setUp:    func(a *apptest.App) { a.Provider.EditIDToken(apptest.Claim("exp", time.Now().Add(time.Minute).Unix())) },
			signedIn: func(*apptest.Browser) { time.Sleep(50 * time.Minute) },
		},
		{
			name:     "the ID token of the last refresh",
			signedIn: func(b *apptest.Browser) { time.Sleep(59*time.Minute + 30*time.Second); b.Get("/dashboard") },
		},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: test.change, Provider: oauthlogintest.Config{Clients: []oauthlogintest.Client{registered}}})
			if test.setUp != nil {
				test.setUp(a)
			}
			b := a.Browser(t)
			b.Login("/dashboard")
			if test.signedIn != nil {
				test.signedIn(b)
			}
			clientID, comeBack := cmp.Or(test.clientID, "app"), cmp.Or(test.comeBack, "https://app.test/")
			out := b.LogOut("/left?q=a%20b")
			endpoint, query, _ := strings.Cut(out.Location(), "?")
			sent, err := url.ParseQuery(query)
			want := url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {comeBack}, "state": sent["state"], "id_token_hint": {a.LastIssued("id_token")}}
			if err != nil || endpoint != "https://provider.test/end_session" || !maps.EqualFunc(sent, want, slices.Equal) {
				t.Errorf("logout led to %s; want %v", out.Location(), want)
			}
			if len(sent.Get("state")) < 43 || len(b.Cookies()) > 0 || out.Header.Get("Referrer-Policy") != "no-referrer" || out.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("state %q, cookies %v, headers %v", sent.Get("state"), b.Cookies(), out.Header)
			}
			back := b.Get(out.Location()) // the provider verifies hint and URI
			if back.StatusCode != http.StatusSeeOther || !strings.HasPrefix(back.Location(), comeBack) {
				t.Fatalf("the provider's response is %d to %q: %s", back.StatusCode, back.Location(), back.Text)
			}
			events := []string{"login test/alice", "logout test/alice"}
			if a.Provider.Count(oauthlogintest.Token) > 1 {
				events = slices.Insert(events, 1, "refresh test/alice")
			}
			a.Events.Want(t, events...)
			if !strings.HasPrefix(comeBack, "https://app.test/") {
				return
			}
			if resp := b.Follow(back.Location()); resp.Request.URL.String() != "https://app.test/left?q=a%20b" || resp.Text != "home of nobody" {
				t.Errorf("came back to %s: %s", resp.Request.URL, resp.Text)
			}
			if len(b.Cookies()) > 0 || b.SignedIn() {
				t.Errorf("cookies left: %v", b.Cookies())
			}
		})
	}
}

// After the session ran out a logout still leads through the provider, if the browser
// has kept the cookie (OpenID Connect RP-Initiated Logout section 2), with LogoutParams.
func TestLogoutAfterTheSession(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{
		"an expired token, and no refresh token": 2 * time.Hour, "a session that was not used": 25 * time.Hour, "a session of eight days": 8 * 24 * time.Hour,
	} {
		apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
			with.Provider.NoRefreshTokens = true
			change := with.Change
			with.Change = func(o *oauthlogin.Options) {
				o.Providers[0].LogoutParams = map[string][]string{"ui_locales": {"de"}}
				if change != nil {
					change(o)
				}
			}
			a := apptest.New(t, with)
			b := a.Browser(t)
			b.Login("/dashboard")
			b.KeepForever()
			time.Sleep(wait)
			if b.SignedIn() {
				t.Fatalf("%s: signed in", name)
			}
			query := apptest.QueryOf(b.LogOut("/bye").Location())
			if query.Get("client_id") != "app" || query.Get("post_logout_redirect_uri") != "https://app.test/" || query.Get("state") == "" || query.Get("ui_locales") != "de" {
				t.Errorf("%s: led to %v", name, query)
			}
			if got := b.LogOut("/bye").Location(); got != "/bye" {
				t.Errorf("%s: the second logout led to %s", name, got)
			}
		})
	}
}

// RFC 7009 section 2.1, RFC 6749 section 2.3: a logout revokes the newest refresh
// token once, as the client that it was issued to. Other ways of client authentication
// are in internal/protocol.
func TestLogoutRevokesTheRefreshToken(t *testing.T) {
	t.Parallel()
	callback := []string{"https://app.test/auth/callback"}
	odd := oauthlogintest.Client{ID: "odd:id@x", Secret: "odd:s3cret + %41&=é", RedirectURIs: callback}
	clients := []oauthlogintest.Client{{ID: "public", RedirectURIs: callback}, odd}
	untilRefresh := func() { time.Sleep(59*time.Minute + 30*time.Second) }
	for _, test := range []struct {
		name       string
		id, secret string // "": those of app
		signedIn   func(b *apptest.Browser)
	}{
		{name: "HTTP Basic"},
		{name: "HTTP Basic with characters that need encoding", id: odd.ID, secret: odd.Secret},
		{name: "a public client", id: "public"},
		{name: "after a refresh", signedIn: func(b *apptest.Browser) { untilRefresh(); b.Get("/dashboard") }},
		{name: "after a refresh that another request has seen alone", signedIn: func(b *apptest.Browser) { untilRefresh(); b.Clone().Get("/dashboard") }},
		{name: "with a refresh due, which is not needed any more", signedIn: func(*apptest.Browser) { untilRefresh() }},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a, b := apptest.SignedIn(t, apptest.Config{Provider: oauthlogintest.Config{Clients: clients}, Change: func(opts *oauthlogin.Options) {
				if test.id != "" {
					opts.Providers[0].OAuth2.ClientID, opts.Providers[0].OAuth2.ClientSecret = test.id, test.secret
				}
			}})
			if test.signedIn != nil {
				test.signedIn(b)
			}
			newest, tokenCalls := a.LastIssued("refresh_token"), a.Provider.Count(oauthlogintest.Token)
			b.LogOut("/")
			sent := a.Provider.Requests(oauthlogintest.Revocation)
			if n := a.Provider.Count(oauthlogintest.Token); n != tokenCalls || len(sent) != 1 || sent[0].Status != http.StatusOK || sent[0].Method != http.MethodPost || len(sent[0].Query) > 0 {
				t.Fatalf("%d calls of the token endpoint, %d revocations: %v", n-tokenCalls, len(sent), sent)
			}
			want := url.Values{"token": {newest}, "token_type_hint": {"refresh_token"}}
			if test.id == "public" {
				want.Set("client_id", "public")
			}
			_, _, basic := (&http.Request{Header: sent[0].Header}).BasicAuth()
			if !maps.EqualFunc(sent[0].Form, want, slices.Equal) || basic == (test.id == "public") {
				t.Errorf("parameters %v, HTTP Basic: %t; want %v", sent[0].Form, basic, want)
			}
		})
	}
}

// If the provider fails, the user is signed out all the same, within three seconds.
func TestLogoutWithoutTheProvider(t *testing.T) {
	t.Parallel()
	respond := func(status int, location string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Location": {location}}, Body: http.NoBody}, nil
		}
	}
	for _, test := range []struct {
		name    string
		fault   func(*http.Request) (*http.Response, error)
		revokes bool // if it is asked
	}{
		{name: "is down", fault: func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }},
		{name: "hangs", fault: func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }},
		{name: "responds with 503", fault: respond(http.StatusServiceUnavailable, "")},
		{name: "redirects elsewhere", fault: respond(http.StatusTemporaryRedirect, "https://evil.test/revoke")},
		{name: "never ends its response", revokes: true, fault: func(r *http.Request) (*http.Response, error) {
			body, end := io.Pipe()
			context.AfterFunc(r.Context(), func() { end.CloseWithError(r.Context().Err()) })
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body}, nil
		}},
	} {
		for _, known := range []bool{true, false} {
			name, comeTo := test.name, "https://provider.test/end_session?"
			if !known {
				name, comeTo = name+" since before the start", "/left?q=a%20b"
			}
			apptest.InBubble(t, name, func(t *testing.T) {
				a, b := apptest.SignedIn(t, apptest.Config{})
				b.StartLogin("/login")
				if !known {
					a.Restart(t)
				}
				a.Events.Take()
				var revocations atomic.Int32
				a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
					if r.URL.Path == "/revoke" {
						revocations.Add(1)
					}
					return test.fault(r)
				})
				started := time.Now()
				out := b.LogOut("/left?q=a%20b")
				if waited := time.Since(started); waited > 3*time.Second || !strings.HasPrefix(out.Location(), comeTo) {
					t.Errorf("after %v the logout led to %s; want %s", waited, out.Location(), comeTo)
				}
				if len(b.Cookies()) > 0 || b.SignedIn() {
					t.Errorf("cookies left: %v", b.Cookies())
				}
				if n := revocations.Load(); known && n != 1 || !known && n > 0 {
					t.Errorf("%d revocations", n)
				}
				a.Events.Want(t, "logout test/alice")
				if (known && test.revokes) == strings.Contains(a.Log.String(), "refresh token not revoked") {
					t.Errorf("log: %s", a.Log)
				}
				a.Leaks(t, out.Text)
				a.Wire.CutBy(nil)
				time.Sleep(time.Minute)
				b.Login("/dashboard")
			})
		}
	}
}

// Whatever the package's cookies hold, a logout expires all of them and no others, and
// tells the provider nothing that the provider need not know. Of
// bitly/oauth2_proxy#72, nextjs-auth0#2651 (deletions that browsers ignore) and
// CVE-2026-34454 of oauth2-proxy (a cookie that stays).
func TestLogoutClearsEveryCookie(t *testing.T) {
	t.Parallel()
	const one, flow = apptest.SessionCookie, apptest.FlowPrefix
	noEndpoints := func(a *apptest.App) {
		a.Provider.EditDiscovery(func(doc map[string]any) {
			delete(doc, "end_session_endpoint")
			delete(doc, "revocation_endpoint")
		})
	}
	large := map[string]string{}
	for _, suffix := range []string{"", ".1", ".2", ".3", ".4", ".rounds", ".silent", ".flow.nonsense"} {
		large[one+suffix] = "5" + strings.Repeat("A", 6000)
	}
	for _, test := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		setUp    func(a *apptest.App)
		signedIn func(b *apptest.Browser)
		plant    map[string]string
		subject  string // whose session ends; "": there is none
	}{
		{name: "a provider without endpoints for it", subject: "alice", setUp: noEndpoints},
		{name: "plain OAuth 2.0", change: apptest.PlainOAuth, subject: "12345678"},
		{name: "a session that has expired", signedIn: func(*apptest.Browser) { time.Sleep(25 * time.Hour) }},
		{name: "a session cookie that cannot be decrypted", signedIn: func(b *apptest.Browser) { b.SetCookie(one, b.Cookies()[one]+"AAAA") }},
		{name: "a session cookie of nonsense", plant: map[string]string{one: "nonsense"}},
		{name: "a session cookie of nonsense that says it is one chunk", plant: map[string]string{one: "1abcdefjunk"}},
		{name: "a session cookie cut short", plant: map[string]string{one: "3"}},
		{name: "chunks without the first", plant: map[string]string{one: "", one + ".1": "x", one + ".2": "y", one + ".3": "z", one + ".4": "!"}},
		{name: "a chunk that is missing", signedIn: func(b *apptest.Browser) { b.SetCookie(one+".1", "") }},
		{name: "cookies larger than the package writes", plant: large},
		{name: "pending logins", subject: "alice", setUp: noEndpoints, plant: map[string]string{flow + "AAAAAAAAAAAAAAAA": "junk", flow + "x": "", flow + "BBBBBBBBBBBBBBBB": "1"}},
		{name: "signed out already", plant: map[string]string{one: ""}},
		{name: "a session sealed with other keys", signedIn: func(b *apptest.Browser) {
			other := apptest.New(b.T, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(9)} }}).Browser(b.T)
			other.Login("/")
			b.SetCookie(one, other.Cookies()[one])
		}},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{Change: test.change})
			if test.setUp != nil {
				test.setUp(a)
			}
			a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
			b := a.Browser(t)
			b.Login("/")
			if len(b.CookieNames(one+".1")) == 0 {
				t.Fatal("the session has one chunk")
			}
			b.StartLogin("/login")
			b.StartLogin("/login")
			if test.signedIn != nil {
				test.signedIn(b)
			}
			for name, value := range test.plant {
				b.SetCookie(name, value)
			}
			for _, name := range []string{"other", one + "2", one + ".9"} {
				b.SetCookie(name, "stays")
			}
			a.Events.Take()
			a.Wire.CutBy(func(r *http.Request) (*http.Response, error) {
				t.Errorf("%s %s", r.Method, r.URL)
				return nil, errors.New("cut")
			})
			out := b.LogOut("/left?q=a%20b")
			if out.StatusCode != http.StatusSeeOther || out.Location() != "/left?q=a%20b" || out.Header.Get("Referrer-Policy") != "no-referrer" || out.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", out.StatusCode, out.Header)
			}
			if left := slices.Sorted(maps.Keys(b.Cookies())); !slices.Equal(left, []string{one + ".9", one + "2", "other"}) {
				t.Errorf("left with %v", left)
			}
			// apptest.CookieFaults checks that the attributes are those that set them.
			if !slices.ContainsFunc(out.Cookies(), func(c *http.Cookie) bool { return c.Name == one && c.MaxAge < 0 }) {
				t.Error("the session cookie is not expired")
			}
			var events []string
			if test.subject != "" {
				events = []string{"logout test/" + test.subject}
			}
			a.Events.Want(t, events...)
			a.Wire.CutBy(nil)
			b.Login("/dashboard")
		})
	}
}

// SignOut in a handler ends what a logout ends, with one Set-Cookie for each name, and
// leaves the response to the handler.
func TestSignOut(t *testing.T) {
	t.Parallel()
	untilRefresh := func(*apptest.App) { time.Sleep(59*time.Minute + 30*time.Second) }
	for _, test := range []struct {
		name      string
		path      string
		before    func(a *apptest.App)
		refreshed bool
	}{
		{name: "behind RequireAuth", path: "/end"},
		{name: "behind Handler alone", path: "/end/public"},
		{name: "twice", path: "/end/twice"},
		{name: "after a refresh in the same request", path: "/end", before: untilRefresh, refreshed: true},
		{name: "after a refresh that made the session larger", path: "/end", refreshed: true, before: func(a *apptest.App) {
			untilRefresh(a)
			a.Provider.EditTokenResponse(func(resp map[string]any) {
				resp["access_token"] = apptest.Noise(6000)
				delete(resp, "id_token")
			})
		}},
		{name: "when the cookie is due to be resealed", path: "/end", before: func(*apptest.App) { time.Sleep(3 * time.Hour) }, refreshed: true},
	} {
		apptest.InBubble(t, test.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Config{})
			a.Routes = func(mux *http.ServeMux) {
				end := a.Count(func(w http.ResponseWriter, r *http.Request) {
					a.Auth.SignOut(w, r)
					if r.URL.Path == "/end/twice" {
						a.Auth.SignOut(w, r)
					}
					fmt.Fprint(w, "account deleted")
				})
				mux.Handle("/end", a.Auth.RequireAuth(end))
				mux.Handle("/end/twice", a.Auth.RequireAuth(end))
				mux.Handle("/end/public", end)
			}
			b := a.Browser(t)
			b.Login("/dashboard")
			b.StartLogin("/login")
			if test.before != nil {
				test.before(a)
			}
			a.Events.Take()
			old := b.Clone()
			resp := b.Post(test.path, nil)
			if resp.StatusCode != http.StatusOK || resp.Text != "account deleted" || resp.Location() != "" {
				t.Errorf("%d to %q: %s", resp.StatusCode, resp.Location(), resp.Text)
			}
			for _, c := range resp.Cookies() {
				if c.MaxAge >= 0 || c.Value != "" {
					t.Errorf("cookie %s of %d bytes is set", c.Name, len(c.Value))
				}
			}
			if len(b.Cookies()) > 0 || b.SignedIn() || old.SignedIn() {
				t.Errorf("cookies left: %v; the old cookie is valid: %t", b.Cookies(), old.SignedIn())
			}
			events := []string{"refresh test/alice", "logout test/alice"}
			if !test.refreshed {
				events = events[1:]
			}
			a.Events.Want(t, events...)
			revoked := a.Provider.Requests(oauthlogintest.Revocation)
			if len(revoked) != 1 || revoked[0].Form.Get("token") != a.LastIssued("refresh_token") {
				t.Errorf("%d revocations", len(revoked))
			}
			a.Provider.EditTokenResponse(nil)
			b.Login("/dashboard")
		})
	}
	t.Run("without a session", func(t *testing.T) {
		t.Parallel()
		a := apptest.New(t, apptest.Config{})
		a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("/end", a.Auth.SignOut) }
		b := a.Browser(t)
		b.SetCookie(apptest.SessionCookie, "nonsense")
		if resp := b.Get("/end"); resp.StatusCode != http.StatusOK || len(b.Cookies()) > 0 {
			t.Errorf("%d, cookies %v", resp.StatusCode, b.Cookies())
		}
		a.Events.Want(t)
	})
}

// A handler whose request began before another request refreshed the token revokes
// the new refresh token.
func TestSignOutAfterARefreshElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.Routes = func(mux *http.ServeMux) {
			mux.Handle("/slow", a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(2 * time.Minute)
				a.Auth.SignOut(w, r)
			})))
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		other := b.Clone()
		time.Sleep(58 * time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Get("/slow")
		}()
		time.Sleep(90 * time.Second)
		other.Get("/dashboard")
		<-done
		a.Events.Want(t, "login test/alice", "refresh test/alice", "logout test/alice")
		revoked := a.Provider.Requests(oauthlogintest.Revocation)
		if len(revoked) != 1 || revoked[0].Form.Get("token") != a.LastIssued("refresh_token") {
			t.Errorf("%d revocations, and not of the newest token", len(revoked))
		}
		if b.SignedIn() || other.SignedIn() {
			t.Error("signed in")
		}
	})
}

// A refresh that ends after the logout is not reported: TestLogoutDuringRefresh
// checks that it has no effect.
func TestLogoutDuringARefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		a.SlowTokens(5 * time.Second)
		b := a.Browser(t)
		b.Login("/dashboard")
		slow := b.Clone()
		time.Sleep(59*time.Minute + 30*time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			slow.Get("/dashboard")
		}()
		time.Sleep(time.Second)
		b.LogOut("/")
		<-done
		a.Events.Want(t, "login test/alice", "logout test/alice")
	})
}

// A logout ends one session, also for copies of its cookie.
func TestLogoutEndsOneSession(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b, elsewhere := a.Browser(t), a.Browser(t)
	b.Login("/dashboard")
	elsewhere.Login("/dashboard")
	thief := b.Clone()
	if !thief.SignedIn() {
		t.Fatal("the copied cookie is not valid")
	}
	b.LogOut("/")
	if b.SignedIn() || thief.SignedIn() || !elsewhere.SignedIn() {
		t.Error("the cookie is valid after the logout, or another session has ended")
	}
	if out, n := thief.LogOut("/left"), a.Provider.Count(oauthlogintest.Revocation); out.Location() != "/left" || n != 1 {
		t.Errorf("the second logout led to %s, after %d revocations", out.Location(), n)
	}
}

// A cookie from long ago, found in a backup, must not tell who its user was: the ID token
// stays sealed once the session is past its limits.
func TestLogoutOfAnOldCookieShowsNoIDToken(t *testing.T) {
	t.Parallel()
	for wait, shown := range map[time.Duration]bool{2 * time.Hour: true, 25 * time.Hour: false, 8 * 24 * time.Hour: false} {
		apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
			with.Provider.NoRefreshTokens = true // the session ends after an hour
			b := apptest.New(t, with).Browser(t)
			b.Login("/dashboard")
			b.KeepForever()
			time.Sleep(wait)
			query := apptest.QueryOf(b.LogOut("/bye").Location())
			if query.Has("id_token_hint") != shown || query.Get("client_id") != "app" {
				t.Errorf("after %v: %v", wait, query)
			}
		})
	}
}

// A handler's SignOut empties the cache as the logout does, whether or not there is a
// session.
func TestSignOutClearsTheCache(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	a.Routes = func(mux *http.ServeMux) { mux.HandleFunc("/end", a.Auth.SignOut) }
	b := a.Browser(t)
	b.Login("/dashboard")
	for _, resp := range []*apptest.Response{b.Post("/end", nil), b.Post("/end", nil), b.LogOut("/")} {
		if got := resp.Header.Get("Clear-Site-Data"); got != `"cache"` {
			t.Errorf("Clear-Site-Data is %q", got)
		}
	}
}

// All sessions of a user that have begun so far are over, and a login right after that
// stands: order decides, and no clock.
func TestSignOutUser(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a := apptest.New(t, with)
		phone, laptop, other := a.SignIn(t, "alice"), a.SignIn(t, "alice"), a.SignIn(t, "bob")
		late := a.Browser(t)
		a.Provider.AutoApprove("alice")
		callback := late.CallbackURL("/login")
		a.Events.Take()
		for _, arguments := range [][2]string{{"", ""}, {a.Provider.Issuer(), ""}, {"", "alice"}} {
			if a.Auth.SignOutUser(t.Context(), arguments[0], arguments[1]) == nil {
				t.Errorf("%q: no error", arguments)
			}
		}
		if err := a.Auth.SignOutUser(t.Context(), a.Provider.Issuer(), "alice"); err != nil {
			t.Fatal(err)
		}
		a.Events.Want(t, "logout test/alice")
		late.Get(callback)
		for name, in := range map[*apptest.Browser]string{phone: "", laptop: "", other: "bob", late: "alice"} {
			name.WantUser("/api/me", in)
		}
		if got := phone.Get("/").Text; got != "home of nobody" {
			t.Error(got)
		}
		// An old cookie stays out, and the new session goes on through refreshes.
		time.Sleep(2 * time.Hour)
		late.WantUser("/api/me", "alice")
		a.WantRefreshes(t, 1)
		laptop.WantUser("/api/me", "")
		laptop.Login("/dashboard")
		laptop.WantUser("/api/me", "alice")
	})
	if (&oauthlogin.Middleware{}).SignOutUser(t.Context(), "https://provider.test", "alice") == nil {
		t.Error("a zero Middleware signs users out")
	}
}

// A refresh under way does not bring back a session that has been ended for its user.
func TestSignOutUserDuringRefresh(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		a, b := apptest.SignedIn(t, with)
		time.Sleep(time.Hour)
		a.SlowTokens(5 * time.Second)
		go func() {
			time.Sleep(2 * time.Second)
			a.Auth.SignOutUser(t.Context(), a.Provider.Issuer(), "alice")
		}()
		if resp := b.Get("/dashboard"); resp.StatusCode != http.StatusFound {
			t.Errorf("the request that refreshes: %d", resp.StatusCode)
		}
		b.WantUser("/api/me", "")
	})
}

// A login that OnSignIn has let in before its user was signed out everywhere is over too.
func TestSignOutUserDuringOnSignIn(t *testing.T) {
	t.Parallel()
	apptest.InStoreToo(t, func(t *testing.T, with apptest.Config) {
		disabled := false
		var a *apptest.App
		a = asking(t, with, func(ctx context.Context, in *oauthlogin.SignIn) error {
			if disabled {
				return errNotInvited
			}
			disabled = true // by an administrator, while the hook goes on
			return a.Auth.SignOutUser(ctx, in.User.Issuer, in.User.Subject)
		})
		b := a.Browser(t)
		b.Get(b.CallbackURL("/login"))
		b.WantUser("/api/me", "")
	})
}

// Instances that each sign a user out everywhere let the user in again: at once where the
// login is, and elsewhere as soon as clocks cannot be why the session looks younger.
func TestSignOutUserOnSeveralInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.New(t, apptest.Config{})
		other := a.Replica(t, nil)
		here, old := a.Auth, a.SignIn(t, "alice")
		for _, instance := range []*oauthlogin.Middleware{here, other} {
			instance.SignOutUser(t.Context(), a.Provider.Issuer(), "alice")
		}
		b := a.SignIn(t, "alice")
		for _, tt := range []struct {
			after time.Duration
			at    *oauthlogin.Middleware
			want  string
		}{{0, here, "alice"}, {0, other, ""}, {6 * time.Minute, other, ""}, {0, here, "alice"}} {
			time.Sleep(tt.after)
			a.Auth = tt.at
			b.WantUser("/api/me", tt.want)
		}
		a.Auth = here
		b.Get(b.CallbackURL("/login"))
		for _, instance := range []*oauthlogin.Middleware{here, other} {
			a.Auth = instance
			b.WantUser("/api/me", "alice")
			old.WantUser("/api/me", "")
		}
	})
}
