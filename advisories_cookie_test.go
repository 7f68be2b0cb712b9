package oauthlogin_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func cookiesThatStay(t *testing.T) {
	a := newAttackedApp(t, offline{})
	one := sessionCookie
	left := func(b *browser) []string { return slices.Sorted(maps.Keys(b.cookies())) }
	var b *browser
	for what, planted := range map[string]map[string]string{
		"a cookie that does not open": {one: "1abcdefhostile"},
		"a cookie cut short":          {one: "3"},
		"chunks without the first":    {one + ".1": "x", one + ".2": "y", one + ".4": "!"},
		"a flood of pending logins":   {one + ".flow.AAAAAAAAAAAAAAAA": "x", one + ".flow.x": "", one + ".flow.-": "1"},
	} {
		b = a.browser(t)
		for name, value := range planted {
			b.setCookie(name, value)
		}
		if b.get("/").body != "home of nobody" {
			t.Errorf("%s: %s", what, b.get("/").body)
		}
		b.login("/")                   // writes over it
		b.setCookie(one+".rounds", "") // which may be there or not
		if names := left(b); !slices.Equal(names, []string{one}) {
			t.Errorf("%s, after a login: %v", what, names)
		}
		for name, value := range planted {
			b.setCookie(name, value)
		}
		b.post("/logout", nil)
		if names := left(b); len(names) > 0 {
			t.Errorf("%s, after a logout: %v", what, names)
		}
	}
	a.leaves(b, aftermath{codes: 4})

	// And one whose session the provider has ended.
	a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
	time.Sleep(2 * time.Hour)
	a.expect("an ended session", b.get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	if b.cookies()[one] != "" {
		t.Error("the cookie of an ended session stays")
	}
}

func sessionFixation(t *testing.T) {
	for _, kept := range []string{"in cookies", "in a store"} {
		a := newAttackedApp(t, offline{change: func(opts *oauthlogin.Options) {
			if kept == "in a store" {
				opts.Store = sessions.NewFilesystemStore(t.TempDir(), testKey(5))
			}
		}})
		hers, b := a.browser(t), a.browser(t)
		a.provider.AutoApprove("mallory")
		hers.login("/")
		planted := hers.cookies()
		for name, value := range planted {
			b.setCookie(name, value)
		}
		a.provider.AutoApprove("alice")
		b.login("/")
		if b.cookies()[sessionCookie] == planted[sessionCookie] || b.get("/").body != "home of alice" {
			t.Errorf("%s: the session is the one that was planted", kept)
		}
		for name, value := range planted {
			hers.setCookie(name, value)
		}
		if body := hers.get("/").body; body == "home of alice" {
			t.Errorf("%s: who planted a session has it now", kept)
		}
		// Nor does the planted one come back behind alice's.
		b.setCookie(sessionCookie, planted[sessionCookie])
		if body := b.get("/").body; body != "home of nobody" {
			t.Errorf("%s: put back, the planted session is the %s", kept, body)
		}
		a.leaves(b, aftermath{codes: 2})
	}
}

func sharedCaches(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	set := func(what string, resp *response) {
		if len(resp.Cookies()) == 0 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", what, resp.Header)
		}
	}
	set("login", b.get("/login"))
	set("callback", b.get(b.callbackURL("/login?return_to=/")))
	if resp := b.get("/"); resp.Header.Get("Cache-Control") != "private" || resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("a page of a user: %v", resp.Header)
	}
	time.Sleep(3 * time.Hour) // the session is due to be sealed anew
	resp := b.get("/")
	set("a page that brings a cookie", resp)
	if resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("a page that brings a cookie: %v", resp.Header)
	}
	set("logout", b.post("/logout", nil))
	a.leaves(b, aftermath{codes: 1})
}

func sealedTwice(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	b.login("/")
	parts := map[string]bool{}
	for range 5 {
		value := b.cookies()[sessionCookie]
		for i := 0; i+24 <= len(value); i += 24 {
			if part := value[i : i+24]; parts[part] {
				t.Fatal("one session, sealed twice, has ciphertext in common")
			} else {
				parts[part] = true
			}
		}
		time.Sleep(3 * time.Hour)
		b.get("/")
	}
	a.leaves(b, aftermath{user: "alice", codes: 1})
}

func chunkCounts(t *testing.T) {
	a := newAttackedApp(t, offline{})
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(3000) })
	hers := a.browser(t)
	hers.login("/")
	first, second := hers.cookies()[sessionCookie], hers.cookies()[sessionCookie+".1"]
	if first[0] != '2' || second == "" {
		t.Fatal("the session has not two chunks")
	}
	var b *browser
	for _, count := range []string{"99999999", "9", "6", "5", "3", "1", "0", "-1", "+2", "2.0", "0x2", "02", " 2", "", "\u0662", "18446744073709551618", strings.Repeat("9", 4000)} {
		b = a.browser(t)
		cookies := []string{sessionCookie + "=" + count + first[1:], sessionCookie + ".1=" + second}
		for i := range 500 {
			cookies = append(cookies, fmt.Sprintf("%s.%d=%s", sessionCookie, i+2, second[:40]))
		}
		for _, header := range []string{strings.Join(cookies[:2], "; "), strings.Join(cookies, "; ")} {
			a.expect(fmt.Sprintf("%.20s chunks", count), a.raw(b, nil, "GET /dashboard", "Cookie", header), http.StatusFound, "/login?return_to=%2Fdashboard")
			if resp := a.raw(b, nil, "POST /logout", "Content-Length", "0", "Cookie", header); resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) > 64 {
				t.Errorf("%.20s chunks: logout is %d with %d cookies", count, resp.StatusCode, len(resp.Cookies()))
			}
		}
	}
	a.leaves(b, aftermath{codes: 1})
}

// Headers made of pieces of real ones, and of bytes that parsers trip over.
func cookieHeaders(t *testing.T) {
	a := newAttackedApp(t, offline{})
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(3000) })
	hers := a.browser(t)
	hers.login("/")
	state := queryOf(hers.get("/login").location()).Get("state")
	pieces := []string{
		sessionCookie, sessionCookie + ".1", sessionCookie + ".rounds", sessionCookie + ".silent", flowPrefix, "=", "=", "=", ";", "; ", ",", " ", "\t", "\"", "\\", "%", "\x00", "\x7f", "\xff", "\r", "=;=", "1", "5", ".", "$Version=1", strings.Repeat("a", 5000), strings.Repeat(";", 4000),
	}
	kept := hers.cookies()
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		value := kept[name]
		pieces = append(pieces, name, name+"="+value[:len(value)/2], value[:60], value[50:], value[len(value)-20:])
	}
	dice := mathrand.New(mathrand.NewPCG(1, 2))
	h := a.net["app.test"]
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
	b := a.browser(t)
	for _, name := range []string{flowPrefix + strings.Repeat("a", 5000), flowPrefix + strings.Repeat("a.", 20_000)} {
		for line, status := range map[string]int{"GET /login": http.StatusSeeOther, "POST /logout": http.StatusSeeOther, "GET /dashboard": http.StatusFound} {
			// No browser keeps such a cookie: there is nothing to expire.
			if resp := a.raw(b, nil, line, "Content-Length", "0", "Cookie", name+"=x; "+name+"=y"); resp.StatusCode != status || len(fmt.Sprint(resp.Header)) > 8<<10 {
				t.Errorf("%s with a name of %d bytes: %d with %d bytes of headers", line, len(name), resp.StatusCode, len(fmt.Sprint(resp.Header)))
			}
		}
	}
	a.leaves(b, aftermath{codes: 1})
}

// Of the session every bit, and of the chunks of a large one a bit of each
// byte.
func everyBit(t *testing.T) {
	a := newAttackedApp(t, offline{})
	quiet := newAuth(t, a.options(a.URL, func(opts *oauthlogin.Options) {
		opts.HTTPClient = &http.Client{Transport: a.wire}
		opts.Logger = slog.New(slog.DiscardHandler)
		opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			var failed *oauthlogin.Error
			errors.As(err, &failed)
			w.WriteHeader(failed.Status)
			io.WriteString(w, failed.Code)
		}
	}))
	page := quiet.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secrets") }))
	answer := func(target string, cookies map[string]string) string {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		for name, value := range cookies {
			r.Header.Add("Cookie", name+"="+value)
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return fmt.Sprint(w.Code, w.Body.String())
	}
	// The answer is refused with any bit flipped, and intact with none.
	flip := func(what, target string, cookies map[string]string, name string, bits int, refused, intact string) {
		value := cookies[name]
		last := len(value) - 4 // what base64 has for the last one to three bytes
		whole, _ := base64.URLEncoding.DecodeString(value[last:])
		changed := maps.Clone(cookies)
		for i := range value {
			for bit := range bits {
				flipped := []byte(value)
				flipped[i] ^= 1 << ((i + bit) % 8)
				// RFC 4648 section 3.5: the last character has bits that say nothing.
				if same, err := base64.URLEncoding.DecodeString(string(flipped[last:])); i > last && err == nil && bytes.Equal(same, whole) {
					continue
				}
				changed[name] = string(flipped)
				if got := answer(target, changed); got != refused {
					t.Fatalf("%s with bit %d of byte %d of %d flipped: %s", what, (i+bit)%8, i, len(value), got)
				}
			}
		}
		if got := answer(target, cookies); got != intact {
			t.Errorf("%s as it is: %s", what, got)
		}
	}
	b := a.browser(t)
	b.login("/")
	one := map[string]string{sessionCookie: b.cookies()[sessionCookie]}
	flip("a session", "/page", one, sessionCookie, 8, "302", "200secrets")

	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(2600) })
	b.login("/")
	two := map[string]string{sessionCookie: b.cookies()[sessionCookie], sessionCookie + ".1": b.cookies()[sessionCookie+".1"]}
	for name := range two {
		flip("chunk "+name, "/page", two, name, 1, "302", "200secrets")
	}

	b = a.browser(t)
	state := queryOf(b.get("/login").location()).Get("state")
	flip("a flow", "/auth/callback?error=x&state="+state, b.cookies(), b.cookieNames(flowPrefix)[0], 8, "400flow_not_found", "400issuer_mismatch")

	// A browser that loses its session, again and again, is told so in the end.
	name, rounds := sessionCookie+".rounds", map[string]string{}
	for logins := 3; rounds[name] == "" || answer("/login", rounds) != "400cookies_lost"; logins++ {
		b.setCookie(sessionCookie, "")
		b.get(b.callbackURL("/login"))
		if rounds[name] = b.cookies()[name]; logins > 8 {
			t.Fatal("it is not told")
		}
	}
	flip("the rounds", "/login", rounds, name, 8, "303", "400cookies_lost")
	a.leaves(b, aftermath{user: "alice", codes: a.provider.Count(oauthlogintest.Token)})
}

func insecureCookies(t *testing.T) {
	a := newAttackedApp(t, offline{}) // audited looks at every cookie
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(5000) })
	b := a.browser(t)
	seen := map[string]bool{}
	for _, header := range forwarded {
		header = append(header, "X-Forwarded-Proto", "http", "X-Forwarded-Ssl", "off")
		login := a.raw(b, nil, "GET /login?return_to=/", header...)
		back := b.get(login.location()).location()
		callback := a.raw(b, nil, "GET "+strings.TrimPrefix(back, a.URL), header...)
		for _, resp := range []*response{login, callback, a.raw(b, nil, "POST /logout", append(header, "Content-Length", "0", "Sec-Fetch-Site", "same-origin")...)} {
			for _, c := range resp.Cookies() {
				if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") || c.Domain != "" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
					t.Errorf("%q: Set-Cookie %s", header, c.Name)
				}
				seen[strings.TrimPrefix(c.Name, sessionCookie)] = true
			}
		}
	}
	if !seen[""] || !seen[".2"] || !seen[".rounds"] || len(seen) < 5 {
		t.Errorf("cookies seen: %v", seen)
	}
	a.leaves(b, aftermath{codes: len(forwarded)})
}

func replayAfterLogout(t *testing.T) {
	store := sessions.NewFilesystemStore(t.TempDir(), testKey(5))
	for kept, change := range map[string]func(*oauthlogin.Options){
		"in cookies": func(*oauthlogin.Options) {},
		"in a store": func(opts *oauthlogin.Options) { opts.Store = store },
	} {
		a := newAttackedApp(t, offline{change: change})
		b := a.browser(t)
		b.login("/")
		thief := b.sameCookies(a.app)
		if body := thief.get("/").body; body != "home of alice" {
			t.Fatalf("%s, before the logout: %s", kept, body)
		}
		b.post("/logout", nil)
		a.expect(kept, a.closed(thief, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		if kept == "in a store" {
			// Where it has ended for all instances. Cookies alone end on the one
			// that saw the logout, and elsewhere by their limits: see Middleware.
			a.auth = newAuth(t, a.options(a.URL, func(opts *oauthlogin.Options) {
				change(opts)
				opts.HTTPClient = &http.Client{Transport: a.wire}
			}))
			a.expect(kept, a.closed(thief, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		}
		a.leaves(thief, aftermath{codes: 1})
	}
}

func sessionIDs(t *testing.T) {
	dir := t.TempDir()
	a := newAttackedApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = sessions.NewFilesystemStore(dir, testKey(5)) }})
	const n = 40
	for range n {
		a.browser(t).login("/")
	}
	ids := slices.Sorted(maps.Keys(sessionFiles(t, dir)))
	if len(ids) != n {
		t.Fatalf("%d sessions", len(ids))
	}
	for i, id := range ids {
		id = strings.TrimPrefix(id, "session_")
		common := 0
		if i > 0 {
			for common < len(id) && id[common] == ids[i-1][len("session_")+common] {
				common++
			}
		}
		if len(id) < 52 || common > 8 { // base32 of 256 bits
			t.Errorf("session id of %d characters, %d of which are those of another", len(id), common)
		}
	}
	a.leaves(a.browser(t), aftermath{codes: n})
}

func sessionIDAsPath(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sessions")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	canaries := []string{filepath.Join(root, "session_x"), filepath.Join(root, "x"), filepath.Join(dir, "session_x")}
	for _, name := range canaries {
		if err := os.WriteFile(name, []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := newAttackedApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = sessions.NewFilesystemStore(dir, testKey(5)) }})
	b := a.browser(t)
	n := 0
	for _, id := range []string{"x", "../x", "../session_x", "..%2fx", `..\x`, "/etc/passwd", "session_x", "x%00", strings.Repeat("../", 40) + "etc/passwd"} {
		b.setCookie(sessionCookie, id)
		a.expect(id, b.get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		b.post("/logout", nil)
		b.setCookie(sessionCookie, id)
		b.login("/")
		b.post("/logout", nil)
		n++
	}
	for _, name := range canaries {
		if content, err := os.ReadFile(name); err != nil || string(content) != "canary" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	if files := sessionFiles(t, dir); len(files) != 1 {
		t.Errorf("files %v", slices.Collect(maps.Keys(files)))
	}
	a.leaves(b, aftermath{codes: n})
}

func staticKeys(t *testing.T) {
	for what, keys := range map[string][][]byte{
		"none": nil, "an empty list": {}, "an empty key": {{}}, "a short one": {testKey(1)[:31]}, "zeros": {make([]byte, 32)}, "one byte over and over": {bytes.Repeat([]byte("k"), 64)}, "a short one behind a good one": {testKey(1), []byte("secret")},
	} {
		opts := validOptions()
		opts.Keys = keys
		if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
			t.Errorf("%s: no error", what)
		}
	}
	// Who has another key, for example that of the documentation, has nothing.
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	other := newAttackedApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Keys = [][]byte{exampleKey} }})
	hers := other.browser(t)
	hers.login("/")
	hers.get("/login")
	for name, value := range hers.cookies() {
		b.setCookie(name, value)
	}
	a.expect("sealed with another key", a.closed(b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.leaves(b, aftermath{})
}

func manyFlows(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for i := range 100 {
		b.get("/login?return_to=/" + strings.Repeat("x", i*20))
		if size := len(fmt.Sprint(b.cookies())); len(b.cookies()) > 5 || size > 7000 {
			t.Fatalf("%d cookies, %d bytes", len(b.cookies()), size)
		}
	}
	a.expect("the last of them", b.get(b.callbackURL("/login?return_to=/x")), http.StatusSeeOther, "/x")
	a.leaves(b, aftermath{user: "alice", codes: 1})
}

func crossSiteLogout(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	b.login("/")
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.test", "Referer", "https://app.test/"},
		{"Sec-Fetch-Site", "hostile"},
		{"Origin", "https://hostile.test"},
		{"Origin", "null"},
		{"Origin", "https://app.test:8443"},
		{"Origin", "https://app.test.hostile.test"},
		{"Origin", "https://hostile.test", "Referer", "https://app.test/"},
		{"Origin", "https://hostile.test", "X-Forwarded-Host", "hostile.test"},
		{"Origin", "hostile"},
		{"Origin", "https://sub.app.test", "Sec-Fetch-Site", "same-site"},
	} {
		for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""} {
			resp := a.raw(b, nil, "POST /logout?return_to=//hostile.test", append(header, "Content-Type", contentType, "Content-Length", "0")...)
			a.expect(fmt.Sprint(header), resp, http.StatusForbidden, "")
		}
		for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS"} {
			a.expect(method, a.raw(b, nil, method+" /logout", append(header, "X-Http-Method-Override", "POST")...), http.StatusMethodNotAllowed, "")
		}
	}
	a.leaves(b, aftermath{user: "alice", codes: 1})
}
