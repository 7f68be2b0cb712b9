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
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func cookiesThatStay(t *testing.T) {
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

	// And one whose session the provider has ended.
	a.Provider.Intercept(oauthlogintest.Token, apptest.RespondWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
	time.Sleep(2 * time.Hour)
	a.Expect("an ended session", b.Get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	if b.Cookies()[one] != "" {
		t.Error("the cookie of an ended session stays")
	}
}

func sessionFixation(t *testing.T) {
	for _, kept := range []string{"in cookies", "in a store"} {
		a := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
			if kept == "in a store" {
				opts.Store = sessions.NewFilesystemStore(t.TempDir(), apptest.Key(5))
			}
		}})
		hers, b := a.Browser(t), a.Browser(t)
		a.Provider.AutoApprove("mallory")
		hers.Login("/")
		planted := hers.Cookies()
		for name, value := range planted {
			b.SetCookie(name, value)
		}
		a.Provider.AutoApprove("alice")
		b.Login("/")
		if b.Cookies()[apptest.SessionCookie] == planted[apptest.SessionCookie] || b.Get("/").Text != "home of alice" {
			t.Errorf("%s: the session is the one that was planted", kept)
		}
		for name, value := range planted {
			hers.SetCookie(name, value)
		}
		if body := hers.Get("/").Text; body == "home of alice" {
			t.Errorf("%s: who planted a session has it now", kept)
		}
		// Nor does the planted one come back behind alice's.
		b.SetCookie(apptest.SessionCookie, planted[apptest.SessionCookie])
		if body := b.Get("/").Text; body != "home of nobody" {
			t.Errorf("%s: put back, the planted session is the %s", kept, body)
		}
		a.Leaves(b, apptest.Aftermath{Codes: 2})
	}
}

func sharedCaches(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	set := func(what string, resp *apptest.Response) {
		if len(resp.Cookies()) == 0 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", what, resp.Header)
		}
	}
	set("login", b.Get("/login"))
	set("callback", b.Get(b.CallbackURL("/login?return_to=/")))
	if resp := b.Get("/"); resp.Header.Get("Cache-Control") != "private" || resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("a page of a user: %v", resp.Header)
	}
	time.Sleep(3 * time.Hour) // the session is due to be sealed anew
	resp := b.Get("/")
	set("a page that brings a cookie", resp)
	if resp.Header.Get("Vary") != "Cookie" {
		t.Errorf("a page that brings a cookie: %v", resp.Header)
	}
	set("logout", b.Post("/logout", nil))
	a.Leaves(b, apptest.Aftermath{Codes: 1})
}

func sealedTwice(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/")
	parts := map[string]bool{}
	for range 5 {
		value := b.Cookies()[apptest.SessionCookie]
		for i := 0; i+24 <= len(value); i += 24 {
			if part := value[i : i+24]; parts[part] {
				t.Fatal("one session, sealed twice, has ciphertext in common")
			} else {
				parts[part] = true
			}
		}
		time.Sleep(3 * time.Hour)
		b.Get("/")
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1})
}

func chunkCounts(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(3000) })
	hers := a.Browser(t)
	hers.Login("/")
	first, second := hers.Cookies()[apptest.SessionCookie], hers.Cookies()[apptest.SessionCookie+".1"]
	if first[0] != '2' || second == "" {
		t.Fatal("the session has not two chunks")
	}
	var b *apptest.Browser
	for _, count := range []string{"99999999", "9", "6", "5", "3", "1", "0", "-1", "+2", "2.0", "0x2", "02", " 2", "", "\u0662", "18446744073709551618", strings.Repeat("9", 4000)} {
		b = a.Browser(t)
		cookies := []string{apptest.SessionCookie + "=" + count + first[1:], apptest.SessionCookie + ".1=" + second}
		for i := range 500 {
			cookies = append(cookies, fmt.Sprintf("%s.%d=%s", apptest.SessionCookie, i+2, second[:40]))
		}
		for _, header := range []string{strings.Join(cookies[:2], "; "), strings.Join(cookies, "; ")} {
			a.Expect(fmt.Sprintf("%.20s chunks", count), a.Raw(b, nil, "GET /dashboard", "Cookie", header), http.StatusFound, "/login?return_to=%2Fdashboard")
			if resp := a.Raw(b, nil, "POST /logout", "Content-Length", "0", "Cookie", header); resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) > 64 {
				t.Errorf("%.20s chunks: logout is %d with %d cookies", count, resp.StatusCode, len(resp.Cookies()))
			}
		}
	}
	a.Leaves(b, apptest.Aftermath{Codes: 1})
}

// Headers made of pieces of real ones, and of bytes that parsers trip over.
func cookieHeaders(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(3000) })
	hers := a.Browser(t)
	hers.Login("/")
	state := apptest.QueryOf(hers.Get("/login").Location()).Get("state")
	pieces := []string{
		apptest.SessionCookie, apptest.SessionCookie + ".1", apptest.SessionCookie + ".rounds", apptest.SessionCookie + ".silent", apptest.FlowPrefix, "=", "=", "=", ";", "; ", ",", " ", "\t", "\"", "\\", "%", "\x00", "\x7f", "\xff", "\r", "=;=", "1", "5", ".", "$Version=1", strings.Repeat("a", 5000), strings.Repeat(";", 4000),
	}
	kept := hers.Cookies()
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		value := kept[name]
		pieces = append(pieces, name, name+"="+value[:len(value)/2], value[:60], value[50:], value[len(value)-20:])
	}
	dice := mathrand.New(mathrand.NewPCG(1, 2))
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
			// No browser keeps such a cookie: there is nothing to expire.
			if resp := a.Raw(b, nil, line, "Content-Length", "0", "Cookie", name+"=x; "+name+"=y"); resp.StatusCode != status || len(fmt.Sprint(resp.Header)) > 8<<10 {
				t.Errorf("%s with a name of %d bytes: %d with %d bytes of headers", line, len(name), resp.StatusCode, len(fmt.Sprint(resp.Header)))
			}
		}
	}
	a.Leaves(b, apptest.Aftermath{Codes: 1})
}

// Of the session every bit, and of the chunks of a large one a bit of each
// byte.
func everyBit(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	quiet := a.Replica(t, func(opts *oauthlogin.Options) {
		opts.Logger = slog.New(slog.DiscardHandler)
		opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			var failed *oauthlogin.Error
			errors.As(err, &failed)
			w.WriteHeader(failed.Status)
			io.WriteString(w, failed.Code)
		}
	})
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
	b := a.Browser(t)
	b.Login("/")
	one := map[string]string{apptest.SessionCookie: b.Cookies()[apptest.SessionCookie]}
	flip("a session", "/page", one, apptest.SessionCookie, 8, "302", "200secrets")

	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(2600) })
	b.Login("/")
	two := map[string]string{apptest.SessionCookie: b.Cookies()[apptest.SessionCookie], apptest.SessionCookie + ".1": b.Cookies()[apptest.SessionCookie+".1"]}
	for name := range two {
		flip("chunk "+name, "/page", two, name, 1, "302", "200secrets")
	}

	b = a.Browser(t)
	state := apptest.QueryOf(b.Get("/login").Location()).Get("state")
	flip("a flow", "/auth/callback?error=x&state="+state, b.Cookies(), b.CookieNames(apptest.FlowPrefix)[0], 8, "400flow_not_found", "400issuer_mismatch")

	// A browser that loses its session, again and again, is told so in the end.
	name, rounds := apptest.SessionCookie+".rounds", map[string]string{}
	for logins := 3; rounds[name] == "" || answer("/login", rounds) != "400cookies_lost"; logins++ {
		b.SetCookie(apptest.SessionCookie, "")
		b.Get(b.CallbackURL("/login"))
		if rounds[name] = b.Cookies()[name]; logins > 8 {
			t.Fatal("it is not told")
		}
	}
	flip("the rounds", "/login", rounds, name, 8, "303", "400cookies_lost")
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: a.Provider.Count(oauthlogintest.Token)})
}

func insecureCookies(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{}) // audited looks at every cookie
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
	b := a.Browser(t)
	seen := map[string]bool{}
	for _, header := range forwarded {
		header = append(header, "X-Forwarded-Proto", "http", "X-Forwarded-Ssl", "off")
		login := a.Raw(b, nil, "GET /login?return_to=/", header...)
		back := b.Get(login.Location()).Location()
		callback := a.Raw(b, nil, "GET "+strings.TrimPrefix(back, a.URL), header...)
		for _, resp := range []*apptest.Response{login, callback, a.Raw(b, nil, "POST /logout", append(header, "Content-Length", "0", "Sec-Fetch-Site", "same-origin")...)} {
			for _, c := range resp.Cookies() {
				if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") || c.Domain != "" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
					t.Errorf("%q: Set-Cookie %s", header, c.Name)
				}
				seen[strings.TrimPrefix(c.Name, apptest.SessionCookie)] = true
			}
		}
	}
	if !seen[""] || !seen[".2"] || !seen[".rounds"] || len(seen) < 5 {
		t.Errorf("cookies seen: %v", seen)
	}
	a.Leaves(b, apptest.Aftermath{Codes: len(forwarded)})
}

func replayAfterLogout(t *testing.T) {
	store := sessions.NewFilesystemStore(t.TempDir(), apptest.Key(5))
	for kept, change := range map[string]func(*oauthlogin.Options){
		"in cookies": func(*oauthlogin.Options) {},
		"in a store": func(opts *oauthlogin.Options) { opts.Store = store },
	} {
		a := apptest.NewAttacked(t, apptest.Config{Change: change})
		b := a.Browser(t)
		b.Login("/")
		thief := b.Clone()
		if body := thief.Get("/").Text; body != "home of alice" {
			t.Fatalf("%s, before the logout: %s", kept, body)
		}
		b.Post("/logout", nil)
		a.Expect(kept, closed(a, thief, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		if kept == "in a store" {
			// Where it has ended for all instances. Cookies alone end on the one
			// that saw the logout, and elsewhere by their limits: see Middleware.
			a.Auth = a.Replica(t, change)
			a.Expect(kept, closed(a, thief, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		}
		a.Leaves(thief, apptest.Aftermath{Codes: 1})
	}
}

func sessionIDs(t *testing.T) {
	dir := t.TempDir()
	a := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = sessions.NewFilesystemStore(dir, apptest.Key(5)) }})
	const n = 40
	for range n {
		a.Browser(t).Login("/")
	}
	ids := slices.Sorted(maps.Keys(apptest.SessionFiles(t, dir)))
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
	a.Leaves(a.Browser(t), apptest.Aftermath{Codes: n})
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
	a := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = sessions.NewFilesystemStore(dir, apptest.Key(5)) }})
	b := a.Browser(t)
	n := 0
	for _, id := range []string{"x", "../x", "../session_x", "..%2fx", `..\x`, "/etc/passwd", "session_x", "x%00", strings.Repeat("../", 40) + "etc/passwd"} {
		b.SetCookie(apptest.SessionCookie, id)
		a.Expect(id, b.Get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		b.Post("/logout", nil)
		b.SetCookie(apptest.SessionCookie, id)
		b.Login("/")
		b.Post("/logout", nil)
		n++
	}
	for _, name := range canaries {
		if content, err := os.ReadFile(name); err != nil || string(content) != "canary" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	if files := apptest.SessionFiles(t, dir); len(files) != 1 {
		t.Errorf("files %v", slices.Collect(maps.Keys(files)))
	}
	a.Leaves(b, apptest.Aftermath{Codes: n})
}

func staticKeys(t *testing.T) {
	for what, keys := range map[string][][]byte{
		"none": nil, "an empty list": {}, "an empty key": {{}}, "a short one": {apptest.Key(1)[:31]}, "zeros": {make([]byte, 32)}, "one byte over and over": {bytes.Repeat([]byte("k"), 64)}, "a short one behind a good one": {apptest.Key(1), []byte("secret")},
	} {
		opts := apptest.ValidOptions()
		opts.Keys = keys
		if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
			t.Errorf("%s: no error", what)
		}
	}
	// Who has another key, for example that of the documentation, has nothing.
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	other := apptest.NewAttacked(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Keys = [][]byte{exampleKey} }})
	hers := other.Browser(t)
	hers.Login("/")
	hers.Get("/login")
	for name, value := range hers.Cookies() {
		b.SetCookie(name, value)
	}
	a.Expect("sealed with another key", closed(a, b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.Leaves(b, apptest.Aftermath{})
}

func manyFlows(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	for i := range 100 {
		b.Get("/login?return_to=/" + strings.Repeat("x", i*20))
		if size := len(fmt.Sprint(b.Cookies())); len(b.Cookies()) > 12 || size > 8100 {
			t.Fatalf("%d cookies, %d bytes", len(b.Cookies()), size)
		}
	}
	a.Expect("the last of them", b.Get(b.CallbackURL("/login?return_to=/x")), http.StatusSeeOther, "/x")
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1})
}

func crossSiteLogout(t *testing.T) {
	a := apptest.NewAttacked(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/")
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
			resp := a.Raw(b, nil, "POST /logout?return_to=//hostile.test", append(header, "Content-Type", contentType, "Content-Length", "0")...)
			a.Expect(fmt.Sprint(header), resp, http.StatusForbidden, "")
		}
		for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS"} {
			a.Expect(method, a.Raw(b, nil, method+" /logout", append(header, "X-Http-Method-Override", "POST")...), http.StatusMethodNotAllowed, "")
		}
	}
	a.Leaves(b, apptest.Aftermath{User: "alice", Codes: 1})
}
