package adversarial_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A session cookie that was tampered with counts as none, causes no error, and does not
// hinder the next login. CVE-2023-28625 of mod_auth_openidc: a crash. CVE-2024-24814 of
// mod_auth_openidc, CVE-2026-40303 GHSA-cpf9-ph2j-ccr9 of zrok: the client said how many
// chunks there are. CVE-2026-34454 of oauth2-proxy: a broken cookie that stays.
func TestBrokenSessionCookies(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	signIn := func(extra int) map[string]string {
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(extra) })
		defer a.Provider.EditTokenResponse(nil)
		return a.SignIn(t, "alice").SessionCookies()
	}
	small, large, other := signIn(10), signIn(5000), signIn(5000)
	one, two, three := apptest.SessionCookie, apptest.SessionCookie+".1", apptest.SessionCookie+".2"
	if small[two] != "" || large[three] == "" || other[three] == "" {
		t.Fatal("sessions have other sizes than the rows below expect")
	}
	pairs := func(nameValue ...string) string {
		var b strings.Builder
		for i := 0; i < len(nameValue); i += 2 {
			fmt.Fprintf(&b, "%s=%s; ", nameValue[i], nameValue[i+1])
		}
		return strings.TrimSuffix(b.String(), "; ")
	}
	var many, past []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("%s.%d", one, i), "9"+large[two])
		past = append(past, fmt.Sprintf("%s.%d", one, i+3), large[two][:40]) // of the same write
	}
	type row struct {
		name, cookie string
		signedIn     bool
	}
	rows := []row{
		{"a session", pairs(one, small[one]), true},
		{"a session of three cookies", pairs(one, large[one], two, large[two], three, large[three]), true},
		{"its cookies in another order", pairs(three, large[three], one, large[one], two, large[two]), true},
		{"the same cookie twice", pairs(one, small[one], one, small[one]), true},
		{"cookies of other names", pairs("a", "b", one, small[one], one+"2", "x", "__host-oauthlogin", "x", "oauthlogin", "x"), true},
		{"chunks past the last one", pairs(one, small[one], two, "x", one+".7", "x", one+".99999999", "x"), true},

		{"no value", pairs(one, ""), false},
		{"the number of chunks alone", pairs(one, "1"), false},
		{"a few bytes", pairs(one, small[one][:7]), false},
		{"the first chunk missing", pairs(two, large[two], three, large[three]), false},
		{"the second chunk missing", pairs(one, large[one], three, large[three]), false},
		{"the last chunk missing", pairs(one, large[one], two, large[two]), false},
		{"an empty chunk", pairs(one, large[one], two, "", three, large[three]), false},
		{"two chunks exchanged", pairs(one, large[one], two, large[three], three, large[two]), false},
		{"a chunk cut short", pairs(one, large[one], two, large[two], three, large[three][:len(large[three])-1]), false},
		{"a chunk and more", pairs(one, large[one], two, large[two], three, large[three]+"A"), false},
		{"a chunk empty but for its mark", pairs(one, large[one], two, large[two], three, large[three][:6]), false},
		{"a chunk twice", pairs(one, large[one], two, large[two], three, large[two]), false},
		{"a chunk of another write", pairs(one, large[one], two, other[two], three, large[three]), false},
		{"the last chunk of another write", pairs(one, large[one], two, large[two], three, other[three]), false},
		{"the first chunk of another write", pairs(one, other[one], two, large[two], three, large[three]), false},
		{"a chunk of another write with this mark", pairs(one, large[one], two, large[two][:6]+other[two][6:], three, large[three]), false},
		{"500 chunks", pairs(many...), false},
		{"500 chunks beside a session", pairs(append(many, one, large[one])...), false},
		{"500 chunks past the last one", pairs(append(past, one, large[one], two, large[two], three, large[three])...), true},
		{"a different cookie before it", pairs(one, other[one], one, small[one]), false},
		{"a different cookie after it", pairs(one, small[one], one, "x"), false},
		{"an empty cookie before it", pairs(one, "", one, small[one]), false},
		{"an empty cookie after it", pairs(one, small[one], one, ""), false},
		{"a different chunk planted", pairs(one, large[one], two, large[two], three, large[three], two, "planted"), false},
		{"3,500 other cookies", strings.Repeat("a=b; ", 3500) + pairs(one, small[one]), true},
		{"half of it", pairs(one, small[one][:len(small[one])/2]), false},
		{"one byte less", pairs(one, small[one][:len(small[one])-1]), false},
		{"one byte more", pairs(one, small[one]+"A"), false},
		{"itself twice", pairs(one, small[one]+small[one]), false},
		{"in quotes, cut", pairs(one, `"`+small[one][:90]), false},
		{"percent signs", pairs(one, "1%00%0a%s%s%n"), false},
		{"JSON", pairs(one, `{"user":"alice"}`), false},
		{"a megabyte", pairs(one, "1"+strings.Repeat("A", 1<<20)), false},
	}
	// The first chunk begins with the number of chunks: a digit, here "3".
	for _, count := range []string{"99999999", "9", "6", "5", "2", "1", "0", "-1", "+3", "3.0", "0x3", "03", " 3", "", "\u0663", "18446744073709551619", strings.Repeat("9", 4000)} {
		chunks := pairs(one, count+large[one][1:], two, large[two], three, large[three])
		rows = append(rows,
			row{fmt.Sprintf("%.20q chunks", count), chunks, false},
			row{fmt.Sprintf("%.20q chunks, and 503 in the header", count), chunks + "; " + pairs(past...), false})
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			served := a.Called("/api/me")
			b := a.BareBrowser(t)
			want := map[bool]int{true: http.StatusOK, false: http.StatusFound}[tt.signedIn]
			if resp := b.Get("/api/me", "Cookie", tt.cookie); resp.StatusCode != want || tt.signedIn != (a.Called("/api/me") > served) {
				t.Errorf("%d, handler ran: %t", resp.StatusCode, a.Called("/api/me") > served)
			}
			if resp := b.Get("/", "Cookie", tt.cookie); resp.StatusCode != http.StatusOK {
				t.Errorf("public page: %d", resp.StatusCode)
			}
			if !tt.signedIn {
				if resp := b.Post("/logout", nil, "Cookie", tt.cookie); resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) > 64 {
					t.Errorf("logout: %d with %d cookies", resp.StatusCode, len(resp.Cookies()))
				}
			}
			b = a.Browser(t)
			cookies, _ := http.ParseCookie(tt.cookie)
			for _, c := range cookies[:min(len(cookies), 100)] {
				b.SetCookie(c.Name, c.Value)
			}
			b.Login("/api/me")
		})
	}
}

// CVE-2023-28625 of mod_auth_openidc: a Cookie header crashed the server. These are made
// of pieces of real ones, and of bytes that parsers trip over.
func TestCookieHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(3000) })
		hers := a.Browser(t)
		hers.Login("/")
		state := apptest.QueryOf(hers.Get("/login").Location()).Get("state")
		const one = apptest.SessionCookie
		pieces := []string{
			one, one + ".1", one + ".rounds", one + ".silent", apptest.FlowPrefix, "=", "=", "=", ";", "; ", ",", " ", "\t", "\"", "\\", "%", "\x00", "\x7f", "\xff", "\r", "=;=", "1", "5", ".", "$Version=1", strings.Repeat("a", 5000), strings.Repeat(";", 4000),
		}
		kept := hers.Cookies()
		for _, name := range slices.Sorted(maps.Keys(kept)) {
			value := kept[name]
			pieces = append(pieces, name, name+"="+value[:len(value)/2], value[:60], value[50:], value[len(value)-20:])
		}
		dice := rand.New(rand.NewPCG(1, 2))
		h := a.Net["app.test"]
		for i := range 1500 {
			var cookie strings.Builder
			for range dice.IntN(12) {
				cookie.WriteString(pieces[dice.IntN(len(pieces))])
			}
			target := []string{"/dashboard", "/", "/login", "/auth/callback?code=x&state=" + state, "/logout"}[i%5]
			r := httptest.NewRequest(http.MethodGet, target, nil)
			if r.URL.Path == "/logout" {
				r.Method = http.MethodPost
			}
			r.Header["Cookie"] = []string{cookie.String(), pieces[dice.IntN(len(pieces))]}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if want := []int{302, 200, 303, 400, 303}[i%5]; w.Code != want || w.Code == 200 && w.Body.String() != "home of nobody" {
				t.Errorf("%s with %.200q: %d; want %d", target, r.Header["Cookie"], w.Code, want)
			}
		}
		b := a.Browser(t)
		for _, name := range []string{apptest.FlowPrefix + strings.Repeat("a", 5000), apptest.FlowPrefix + strings.Repeat("a.", 20_000)} {
			for line, status := range map[string]int{"GET /login": http.StatusSeeOther, "POST /logout": http.StatusSeeOther, "GET /dashboard": http.StatusFound} {
				// Browsers do not keep such a cookie: there is nothing to expire.
				if resp := a.Raw(b, nil, line, "Content-Length", "0", "Cookie", name+"=x; "+name+"=y"); resp.StatusCode != status || len(fmt.Sprint(resp.Header)) > 8<<10 {
					t.Errorf("%s with a name of %d bytes: %d with %d bytes of headers", line, len(name), resp.StatusCode, len(fmt.Sprint(resp.Header)))
				}
			}
		}
		a.Leaves(b, apptest.Aftermath{Codes: 1})
	})
}

// writeCode is an Options.ErrorHandler for tests that ask which error it is.
func writeCode(w http.ResponseWriter, _ *http.Request, err error) {
	var failed *oauthlogin.Error
	errors.As(err, &failed)
	w.WriteHeader(failed.Status)
	io.WriteString(w, failed.Code)
}

// Each bit of each cookie is authenticated (gorilla/securecookie, no advisory): of a
// session, a pending login and the count of logins every bit, and of the chunks of a
// large session one bit of each byte.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		quiet := a.Replica(t, func(opts *oauthlogin.Options) {
			opts.Logger = slog.New(slog.DiscardHandler)
			opts.ErrorHandler = writeCode
		})
		page := quiet.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secrets") }))
		respond := func(target string, cookies map[string]string) string {
			r := httptest.NewRequest(http.MethodGet, target, nil)
			for name, value := range cookies {
				r.Header.Add("Cookie", name+"="+value)
			}
			w := httptest.NewRecorder()
			page.ServeHTTP(w, r)
			return fmt.Sprint(w.Code, w.Body.String())
		}
		// The response is refused with any bit flipped, and intact without a change.
		flip := func(what, target string, cookies map[string]string, name string, bits int, refused, intact string) {
			value := cookies[name]
			last := len(value) - 4 // what base64 has for the last one to three bytes
			whole, _ := base64.URLEncoding.DecodeString(value[last:])
			changed := maps.Clone(cookies)
			for i := range value {
				for bit := range bits {
					flipped := []byte(value)
					flipped[i] ^= 1 << ((i + bit) % 8)
					// RFC 4648 section 3.5: the last character has unused bits.
					if same, err := base64.URLEncoding.DecodeString(string(flipped[last:])); i > last && err == nil && bytes.Equal(same, whole) {
						continue
					}
					changed[name] = string(flipped)
					if got := respond(target, changed); got != refused {
						t.Fatalf("%s with bit %d of byte %d of %d flipped: %s", what, (i+bit)%8, i, len(value), got)
					}
				}
			}
			if got := respond(target, cookies); got != intact {
				t.Errorf("%s as it is: %s", what, got)
			}
		}
		b := a.Browser(t)
		b.Login("/")
		flip("a session", "/page", b.SessionCookies(), apptest.SessionCookie, 8, "302", "200secrets")

		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(2600) })
		b.Login("/")
		two := b.SessionCookies()
		if len(two) != 2 {
			t.Fatalf("a session of %d cookies", len(two))
		}
		for name := range two {
			flip("chunk "+name, "/page", two, name, 1, "302", "200secrets")
		}

		b = a.Browser(t)
		state := apptest.QueryOf(b.Get("/login").Location()).Get("state")
		flip("a pending login", "/auth/callback?error=x&state="+state, b.Cookies(), b.CookieNames(apptest.FlowPrefix)[0], 8, "400flow_not_found", "400issuer_mismatch")

		// A browser that keeps losing its session gets a page that says so.
		name, rounds := apptest.SessionCookie+".rounds", map[string]string{}
		for logins := 3; rounds[name] == "" || respond("/login", rounds) != "400cookies_lost"; logins++ {
			b.SetCookie(apptest.SessionCookie, "")
			b.Get(b.CallbackURL("/login"))
			if rounds[name] = b.Cookies()[name]; logins > 8 {
				t.Fatal("it never does")
			}
		}
		flip("the count of logins", "/login", rounds, name, 8, "303", "400cookies_lost")
		a.Leaves(b, apptest.Aftermath{User: "alice", Codes: a.Provider.Count(oauthlogintest.Token)})
	})
}

// CVE-2023-48309 GHSA-v64w-49xw-qq89 of next-auth: the cookie of a pending login passed
// for a session.
func TestCookiesOfOnePurposeAreNothingToAnother(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	session := b.Cookies()[apptest.SessionCookie]
	rounds := a.SignIn(t, "alice").Cookies()[apptest.SessionCookie+".rounds"] // of a second login in a row

	attacker := a.Browser(t)
	state := apptest.QueryOf(attacker.Get("/login").Location()).Get("state")
	flowName := attacker.CookieNames(apptest.FlowPrefix)[0]
	flow := attacker.Cookies()[flowName]

	served := a.Called("/api/me")
	for name, value := range map[string]string{
		"a flow": flow, "a flow as the only chunk": "1" + flow, "a flow with a mark": "1" + markOf(flow) + flow,
		"a count of logins": rounds, "a count as the only chunk": "1" + rounds, "a count with a mark": "1" + markOf(rounds) + rounds,
	} {
		for _, as := range []string{apptest.SessionCookie, apptest.SessionCookie + ".1"} {
			if resp := a.BareBrowser(t).Get("/api/me", "Cookie", as+"="+value); resp.StatusCode != http.StatusFound {
				t.Errorf("%s as %s: %d", name, as, resp.StatusCode)
			}
		}
	}
	if n := a.Called("/api/me"); n != served {
		t.Errorf("handler ran %d times", n-served)
	}
	exchanges := a.Provider.Count(oauthlogintest.Token)
	for name, value := range map[string]string{
		"a session": session, "a session without its first byte": session[1:], "a session without a mark": session[7:], "a count of logins": rounds, "the flow of another state": flow,
	} {
		as, of := flowName, state
		if value == flow {
			of = apptest.QueryOf(attacker.Get("/login").Location()).Get("state")
			as = apptest.FlowPrefix + oauth2.S256ChallengeFromVerifier(of)[:16]
		}
		resp := a.BareBrowser(t).Get("/auth/callback?code=x&state="+of, "Cookie", as+"="+value)
		if resp.StatusCode != http.StatusBadRequest || resp.Location() != "" {
			t.Errorf("%s as a flow: %d to %q", name, resp.StatusCode, resp.Location())
		}
	}
	if n := a.Provider.Count(oauthlogintest.Token); n != exchanges {
		t.Errorf("%d codes went to the token endpoint", n-exchanges)
	}
}

// markOf returns what the chunks of a sealed value begin with.
func markOf(sealed string) string { return sealed[len(sealed)-12:][:6] }

// CVE-2021-32791 GHSA-px3c-6x7j-3r9r of mod_auth_openidc: a static IV. The same session
// sealed twice has no ciphertext in common.
func TestSealedAnewEachTime(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	cookies := a.SignIn(t, "alice").Cookies()
	rotated := a.Replica(t, func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(2), apptest.Key(1)} })
	seen := map[string]bool{}
	for range 10 {
		_, w := apptest.Visit(t, rotated, cookies)
		for part := range slices.Chunk([]byte(apptest.Kept(cookies, w)[apptest.SessionCookie]), 24) {
			if len(part) == 24 && seen[string(part)] {
				t.Fatal("the same session sealed twice has ciphertext in common")
			}
			seen[string(part)] = true
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d parts", len(seen))
	}
}

// Whoever has the cookies cannot read what is in them.
func TestCookieIsEncrypted(t *testing.T) {
	t.Parallel()
	a := apptest.New(t, apptest.Config{})
	b := a.Browser(t)
	b.Get("/login?return_to=/a/return/path")
	b.Login("/dashboard")
	// securecookie encodes twice, and what precedes an encoded part is of any length.
	var look func(name, text string, depth int)
	look = func(name, text string, depth int) {
		for _, secret := range []string{a.LastIssued("access_token"), "alice", "return/path", "example.com"} {
			if strings.Contains(text, secret) {
				t.Errorf("cookie %s has %s in it", name, secret)
			}
		}
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '|' || r == '=' }) {
			for cut := range min(depth, len(part)) {
				whole := part[cut:]
				if decoded, err := base64.RawURLEncoding.DecodeString(whole[:len(whole)/4*4]); err == nil && len(whole) >= 40 {
					look(name, string(decoded), depth-1)
				}
			}
		}
	}
	for name, value := range b.Cookies() {
		look(name, value, 8)
	}
}

// CVE-2026-34454 GHSA-f24x-5g9q-753f of oauth2-proxy: a session cookie that stayed.
func TestCookiesThatStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		one := apptest.SessionCookie
		left := func(b *apptest.Browser) []string { return slices.Sorted(maps.Keys(b.Cookies())) }
		var b *apptest.Browser
		for what, planted := range map[string]map[string]string{
			"a cookie that does not open": {one: "1abcdefhostile"},
			"a cookie cut short":          {one: "3"},
			"chunks without the first":    {one + ".1": "x", one + ".2": "y", one + ".4": "!"},
			"a flood of pending logins":   {one + ".flow.AAAAAAAAAAAAAAAA": "x", one + ".flow.x": "", one + ".flow.-": "1"},
		} {
			b = a.Browser(t)
			for name, value := range planted {
				b.SetCookie(name, value)
			}
			if b.Get("/").Text != "home of nobody" {
				t.Errorf("%s: %s", what, b.Get("/").Text)
			}
			b.Login("/")                   // writes over it
			b.SetCookie(one+".rounds", "") // which may be there or not
			if names := left(b); !slices.Equal(names, []string{one}) {
				t.Errorf("%s, after a login: %v", what, names)
			}
			for name, value := range planted {
				b.SetCookie(name, value)
			}
			b.Post("/logout", nil)
			if names := left(b); len(names) > 0 {
				t.Errorf("%s, after a logout: %v", what, names)
			}
		}
		a.Leaves(b, apptest.Aftermath{Codes: 4})

		// The same for a session that the provider has ended.
		a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
		time.Sleep(2 * time.Hour)
		a.Expect("an ended session", b.Get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		if b.Cookies()[one] != "" {
			t.Error("the cookie of an ended session stays")
		}
	})
}

// CVE-2026-48058 of nebula-mesh, CVE-2022-4683 of memos: cookies without Secure. Whatever
// headers say of scheme and host, apptest.Audited finds the attributes of each cookie.
func TestCookiesBehindAProxy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := apptest.NewAttacked(t, apptest.Config{})
		a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
		b := a.Browser(t)
		headers := [][]string{
			{"Forwarded", "for=127.0.0.1;host=hostile.test;proto=http"},
			{"X-Forwarded-Host", "hostile.test", "X-Forwarded-Port", "81", "X-Forwarded-Prefix", "//hostile.test"},
			{"X-Original-Url", "//hostile.test", "X-Rewrite-Url", "//hostile.test", "X-Original-Host", "hostile.test"},
			{"X-Forwarded-Uri", "/login", "X-Http-Method-Override", "OPTIONS"},
			{"X-Forwarded-For", "127.0.0.1", "X-Real-Ip", "127.0.0.1"},
			{"Host", "hostile.test"},
			{"Host", "hostile.test", "X-Forwarded-Host", "app.test"},
			{"Referer", "https://hostile.test/", "Origin", "https://hostile.test"},
		}
		for _, header := range headers {
			header = append(header, "X-Forwarded-Proto", "http", "X-Forwarded-Ssl", "off")
			login := a.Raw(b, nil, "GET /login?return_to=/", header...)
			back := b.Get(login.Location()).Location()
			callback := a.Raw(b, nil, "GET "+strings.TrimPrefix(back, a.URL), header...)
			logout := a.Raw(b, nil, "POST /logout", append(header, "Content-Length", "0", "Sec-Fetch-Site", "same-origin")...)
			for _, resp := range []*apptest.Response{login, callback, logout} {
				if len(resp.Cookies()) == 0 {
					t.Errorf("%q: %s sets no cookie", header, resp.Request.URL)
				}
			}
		}
		a.Leaves(b, apptest.Aftermath{Codes: len(headers)})
	})
}
