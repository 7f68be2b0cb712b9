package adversarial_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

var benignPath = regexp.MustCompile(`^(/[a-z0-9_-]+)+/?(\?[A-Za-z0-9_=&.-]*)?$`)

// stays fails the test unless location leads to a page of the application, not to a
// path of the middleware, and is what was asked for or "/".
func stays(t testing.TB, asked, location string) {
	t.Helper()
	page, rest := asked, ""
	if i := strings.IndexAny(asked, "?#"); i >= 0 {
		page, rest = asked[:i], strings.ReplaceAll(asked[i:], `\`, "%5C")
	}
	if location != page+rest && location != "/" {
		t.Fatalf("%q became %q", asked, location)
	}
	if len(location) > 4000 || strings.IndexFunc(location, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '\\' }) >= 0 {
		t.Fatalf("led to %q", location)
	}
	// http.Redirect cleans paths like this, and so may a proxy.
	var query string
	page, query, _ = strings.Cut(location, "?")
	for _, target := range []string{location, path.Clean(page) + "?" + query} {
		origin, arrived := apptest.BrowserGoesTo(target)
		if origin != apptest.Origin || strings.HasPrefix(arrived, "//") && target != location {
			t.Fatalf("%q leads off our origin, to %q", asked, arrived)
		}
		// Most routers decode and clean the path.
		if decoded, err := url.PathUnescape(arrived); err == nil {
			arrived = decoded
		}
		if slices.Contains([]string{"/login", "/logout", "/auth/callback"}, path.Clean(arrived)) {
			t.Fatalf("%q leads to %q", asked, arrived)
		}
	}
	page, _, _ = strings.Cut(asked, "?")
	if benignPath.MatchString(asked) && len(asked) <= 512 && location != asked &&
		!slices.Contains([]string{"/login", "/logout", "/auth/callback"}, strings.TrimSuffix(page, "/")) {
		t.Fatalf("%q was refused", asked)
	}
}

// RFC 9700 section 4.11: whatever the return path is, Location stays on our origin.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range apptest.OrdinaryPaths {
		f.Add(seed)
	}
	for _, seed := range apptest.HostilePaths {
		f.Add(seed.Path)
	}
	f.Add("/?/../login") // the front page
	f.Add("/login//..")  // /login/ for a browser, "/" for path.Clean
	s := apptest.NewStage(f, nil)
	f.Fuzz(func(t *testing.T, asked string) {
		w := s.Do(t, http.MethodPost, "/logout", "return_to="+url.QueryEscape(asked), "")
		if w.Code != http.StatusSeeOther {
			t.Fatalf("logout: %d", w.Code)
		}
		stays(t, asked, w.Header().Get("Location"))
	})
}

// parameters reads a query, each name with all its values; nil if it is
// malformed.
func parameters(query string) map[string][]string {
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || strings.Contains(pair, ";") {
			return nil
		}
		values[name] = append(values[name], value)
	}
	return values
}

// RFC 6749 sections 3.1, 4.1.2 and 10.12, RFC 9207 section 2.4: a session needs exactly
// one state, one code and one issuer, each of them right. The code goes out once.
func FuzzCallbackQuery(f *testing.F) {
	const iss = "https://provider.test"
	ordinary := []string{
		apptest.GoodCallback, "", "state={state}", "code=c0de&state=x", apptest.GoodCallback + "&code=c0de", strings.Replace(apptest.GoodCallback, "c0de", "another", 1),
		"code=c0de&state={state}", "error=access_denied&state={state}&iss=" + iss, "error=server_error&state={state}&iss=" + iss, "state={state}&iss=" + iss,
	}
	for _, seed := range append(ordinary,
		"state=", "state={state}A&code=c0de&iss="+iss, "state={state}+&code=c0de&iss="+iss, "state={state}%3D&code=c0de&iss="+iss,
		apptest.GoodCallback+"&state={state}", apptest.GoodCallback+"&state=", apptest.GoodCallback+"&iss="+iss, apptest.GoodCallback+"&iss=https://evil.test", apptest.GoodCallback+"&error=", apptest.GoodCallback+"&error=access_denied",
		apptest.GoodCallback+"&error_description=a&error_description=b", apptest.GoodCallback+"&error_uri=javascript:alert(1)", apptest.GoodCallback+"&x=%zz", apptest.GoodCallback+"&x=%", apptest.GoodCallback+";x=1", apptest.GoodCallback+"&x=1;y=2",
		"code=c0de;state={state}&iss="+iss, apptest.GoodCallback+"/", strings.Replace(apptest.GoodCallback, "https", "HTTPS", 1), "code=c0de&state={state}&iss=", "%63ode=c0de&%73tate={state}&i%73s="+iss,
		"code[]=c0de&state={state}&iss="+iss, "CODE=c0de&state={state}&iss="+iss, "code=c0de%00&state={state}&iss="+iss, apptest.GoodCallback+"&x=<script>alert(1)</script>",
		"state={state}&iss="+iss+"&error=%3Cscript%3E%0d%0aSet-Cookie:x&error_description=%22onload=", "state={state}&state={state}&code=c0de", "&&&", "=&=", "#", "state={state}#",
		apptest.GoodCallback+strings.Repeat("&x", 11_000), "code="+strings.Repeat("c", 9000)+"&state={state}&iss="+iss, apptest.GoodCallback+"&return_to=//evil.test&redirect_uri=x&id_token=y&access_token=z",
	) {
		f.Add(seed)
	}
	s := apptest.NewStage(f, nil)
	come := func(t testing.TB, l apptest.PendingLogin, query string) *httptest.ResponseRecorder {
		s.Says["/token"] = func(form url.Values) apptest.Reply {
			if form.Get("code") != "c0de" {
				return apptest.Say(http.StatusBadRequest, "application/json", `{"error":"invalid_grant"}`)
			}
			return apptest.InJSON(strings.ReplaceAll(apptest.GoodTokens, "{id_token}", s.Sign(apptest.GoodHeader, l.Fill(apptest.GoodClaims))))
		}
		return s.Get(t, "/auth/callback", query, l.Cookies)
	}
	for _, query := range ordinary {
		l := s.Begin(f)
		for range 2 {
			s.Learn(come(f, l, l.Fill(query)))
		}
	}
	f.Fuzz(func(t *testing.T, query string) {
		s.Reset()
		l := s.Begin(t)
		query = l.Fill(query)
		w := come(t, l, query)
		s.Plain(t, w)

		values := parameters(query)
		one := func(name, want string) bool { return len(values[name]) == 1 && values[name][0] == want }
		few := func(name string) bool {
			return len(values[name]) == 0 || len(values[name]) == 1 && len(values[name][0]) <= 8<<10
		}
		want := one("code", "c0de") && one("state", l.State) && one("iss", iss) && len(values["error"]) == 0 &&
			few("error_description") && few("error_uri") && strings.Count(query, "&") < 10_000
		if want != (w.Code == http.StatusSeeOther) || !want && w.Code != http.StatusBadRequest {
			t.Errorf("response is %d; want a session: %t; %s", w.Code, want, s.Log)
		}
		if location := w.Header().Get("Location"); want && location != apptest.ReturnPath || !want && location != "" {
			t.Errorf("redirected to %q", location)
		}
		if s.SignedIn(t, apptest.KeptBy(w)) != want || want && s.User.Subject != "alice" {
			t.Errorf("signed in as %q", s.User.Subject)
		}

		// The back button, with the cookie that has been expired.
		again := come(t, l, query)
		s.Plain(t, again)
		if s.Asked["/token"] > 1 || want && s.Asked["/token"] != 1 || apptest.KeptBy(again) != "" {
			t.Errorf("%d token requests, cookies %q", s.Asked["/token"], apptest.KeptBy(again))
		}
		s.Quiet(t, l.Nonce, "an-access-token", "a-refresh-token")
	})
}

// chunksOf reads the chunks of a session from a Cookie header. A chunk with two values
// counts as missing (RFC 6265bis section 8.6.1).
func chunksOf(header string) map[string]string {
	found := map[string]string{}
	for pair := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok || name != apptest.SessionCookie && !strings.HasPrefix(name, apptest.SessionCookie+".") {
			continue
		}
		if other, twice := found[name]; twice && other != value {
			value = "two values"
		}
		found[name] = value
	}
	return found
}

// CVE-2023-28625 CVE-2024-24814 mod_auth_openidc, CVE-2023-48309 next-auth: whatever
// the Cookie header is, only the cookies of a session open it, and nothing breaks.
func FuzzCookieHeader(f *testing.F) {
	s := apptest.NewStage(f, nil)
	foreign := apptest.NewStage(f, func(opts *oauthlogin.Options) { opts.Keys = [][]byte{apptest.Key(9)} })
	places := []string{}
	put := func(stem, cookies string) map[string]string {
		pairs := map[string]string{}
		for pair := range strings.SplitSeq(cookies, "; ") {
			name, value, _ := strings.Cut(pair, "=")
			pairs[name] = value
			places = append(places, "{"+stem+strings.TrimPrefix(name, apptest.SessionCookie)+"}", value)
		}
		return pairs
	}
	s.SignIn(f, apptest.GoodClaims, apptest.GoodTokens) // the first login in a while does not count rounds
	small := put("small", s.SignIn(f, apptest.GoodClaims, apptest.GoodTokens))
	large := put("large", s.SignIn(f, strings.ReplaceAll(apptest.GoodClaims, "alice", "bob"), strings.Replace(apptest.GoodTokens, "an-access-token", apptest.Incompressible(5000), 1)))
	put("foreign", foreign.SignIn(f, apptest.GoodClaims, apptest.GoodTokens))
	ended := s.SignIn(f, apptest.GoodClaims, apptest.GoodTokens)
	put("ended", ended)
	s.Do(f, http.MethodPost, "/logout", "", "", "Cookie", ended)
	values := strings.NewReplacer(places...)
	sessions := map[string]map[string]string{"alice": small, "bob": large}

	const n = apptest.SessionCookie
	for _, seed := range []string{
		"", n + "={small}", n + "={large}; " + n + ".1={large.1}", n + ".1={large.1};" + n + "={large}; " + n + ".2={large.2}; x=y", n + "={large}; " + n + ".2={large.2}",
		n + "={small}; " + n + "={small}", n + "={small}; " + n + "={large}", n + "=; " + n + "={small}", n + "={small}; " + n + ".1=x", n + "={foreign}", n + "={ended}",
		n + "={small.rounds}", n + ".rounds={small.rounds}", n + ".rounds={small}", n + "={flow}", apptest.FlowPrefix + "x={small}", "{flow name}={flow}", "{flow name}={small}", "{flow name}=x; {flow name}={flow}",
		`{flow name}="{flow}"`, n + `="{small}"`, strings.ToLower(n) + "={small}", n + " ={small}", n + "= {small}", n + "={small};;;" + n, n + "=1", n + "=5{small}", n + "=9", n + "=0{small}", n + ".5={small}",
		n + ".01={large.1}", n + "=;" + n + ".1=;" + n + ".2=;" + n + ".3=;" + n + ".4=", n + ".silent=1", strings.Repeat(apptest.FlowPrefix+"x=y; ", 40), apptest.FlowPrefix + "a=1; " + apptest.FlowPrefix + "b=2; " + apptest.FlowPrefix + "c=3; " + apptest.FlowPrefix + "d=4; " + apptest.FlowPrefix + "e=5",
		strings.Repeat("a=b;", 3100) + n + "={small}", "\x00\xff\r\nSet-Cookie: x=y", n + "={large.1}; " + n + ".1={large}", n + "={small}{small}",
	} {
		f.Add(seed, uint16(0))
	}
	for at := range uint16(40) {
		f.Add(n+"={small}", 700*at+1)
	}

	ordinary := func(t testing.TB, header string) {
		for _, path := range []string{"/dashboard", "/login", "/auth/callback"} {
			s.Learn(s.Get(t, path, "state=x", header))
		}
	}
	ordinary(f, "")
	ordinary(f, apptest.KeptBy(s.Get(f, "/login", "", "")))
	f.Fuzz(func(t *testing.T, header string, flip uint16) {
		s.Reset()
		l := s.Begin(t)
		flowName, flow, _ := strings.Cut(l.Cookies, "=")
		header = strings.NewReplacer("{flow name}", flowName, "{flow}", flow).Replace(values.Replace(header))
		if i := int(flip) / 8; flip > 0 && i < len(header) {
			b := []byte(header)
			b[i] ^= 1 << (flip % 8)
			header = string(b)
		}
		want, found := "", chunksOf(header)
		for subject, chunks := range sessions {
			whole := true
			for name, value := range chunks {
				whole = whole && (strings.HasSuffix(name, ".rounds") || found[name] == value)
			}
			if whole {
				want = subject
			}
		}

		w := s.Get(t, "/dashboard", "", header)
		if (s.Served > 0) != (want != "") || s.User.Subject != want || want == "" && (w.Code != http.StatusFound || len(w.Header()["Set-Cookie"]) > 0) {
			t.Errorf("%d for %q, want %q; %s", w.Code, s.User.Subject, want, w.Header())
		}
		// A flow needs its whole cookie.
		mine := strings.Contains(header, flowName) && strings.Contains(header, flow)
		back := s.Get(t, "/auth/callback", l.Fill("state={state}&error=access_denied&iss=https://provider.test"), header)
		if want == "" && back.Code != http.StatusBadRequest || strings.Contains(s.Log.String(), "code=access_denied") && !mine {
			t.Errorf("callback: %d; the flow's cookie is there: %t", back.Code, mine)
		}
		for path, query := range map[string]string{"/auth/callback": "state=x&code=y", "/login": ""} {
			w := s.Get(t, path, query, header)
			if w.Code != http.StatusSeeOther && w.Code != http.StatusBadRequest || strings.HasPrefix(apptest.KeptBy(w), apptest.SessionCookie+"=") {
				t.Errorf("%s: %d %s", path, w.Code, w.Header())
			}
			if n := len(w.Header()["Set-Cookie"]); n > 70 {
				t.Errorf("%s: %d cookies", path, n)
			}
			for _, fault := range apptest.CookieFaults(w.Header(), true) {
				if len(header) < 3000 { // or the cookie may be an expired one with a long name
					t.Errorf("%s: %s", path, fault)
				}
			}
		}
		if s.Asked["/token"] > 0 {
			t.Error("a code went out")
		}
		s.Quiet(t, small[n], flow, "an-access-token")
	})
}

// RFC 9700 section 4.11, OpenID Connect RP-Initiated Logout: whatever a logout request
// has in it, it ends the session, and its redirect leads to the provider or stays on
// our origin, as does the way back. A request from another site does nothing.
func FuzzLogout(f *testing.F) {
	s := apptest.NewStage(f, nil)
	session := s.SignIn(f, apptest.GoodClaims, apptest.GoodTokens)
	session, _, _ = strings.Cut(session, ";")
	form := "application/x-www-form-urlencoded"
	for _, seed := range [][6]string{
		{"", "", "", "", "{session}", "state={state}"},
		{"", "return_to=%2Fbye", form, "same-origin", "{session}", "state={state}&sid=1"},
		{"return_to=/bye", "", "", "none", "", "state={state}"},
		{"return_to=/a", "return_to=/b", form, "", "{session}", "state={state}&state=x"},
		{"return_to=/a&return_to=/b", "", "", "", "{session}", "state=x&state={state}"},
		{"return_to=%2f%2fevil.test", "", "", "", "{session}", "state="},
		{`return_to=/\evil.test`, "", "", "", "", "state=%2Fleft"},
		{"", "return_to=https://evil.test", form, "", "{session}", "STATE={state}"},
		{"", "return_to=/\x00", form, "cross-site", "{session}", "x=state={state}"},
		{"", "return_to=/bye", form, "same-site", "{session}", ""},
		{"", "{\"return_to\":\"/x\"}", "application/json", "", "{session}", "state={state}A"},
		{"", "--x\r\nContent-Disposition: form-data; name=return_to\r\n\r\n/x\r\n--x--", "multipart/form-data; boundary=x", "", "{session}", "state={state};x"},
		{"return_to=%zz", "return_to=/bye;x", form, "Same-Origin", "{session}; a=b", "state={state}%zz"},
		{"return_to=/logout", "", "multipart/form-data", "", "{session}; {session}", "%73tate={state}"},
		{"return_to=/" + strings.Repeat("a", 600), "", "", "", "{session}", "state={state}#"},
		{"", "return_to=/" + strings.Repeat("a", 20_000), form, "", "{session}", "state"},
		{"state={state}", "client_id=x&post_logout_redirect_uri=https://evil.test&id_token_hint=x", form, "", "{session}", "&&"},
		{"", "", "", "", "{session}x; " + apptest.FlowPrefix + "x=y; " + apptest.SessionCookie + ".4=", "a=b"},
		{"", "", "", "", "x; " + apptest.FlowPrefix + "x", ""}, // a cookie without a value
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	ordinary := func(site, cookies string) { // learns all but Location
		s.Restart(f)
		w := s.Do(f, http.MethodPost, "/logout", "", "", "Sec-Fetch-Site", site, "Cookie", cookies)
		w.Header().Del("Location")
		s.Learn(w)
	}
	ordinary("", "")
	ordinary("", session)
	ordinary("cross-site", session)
	f.Fuzz(func(t *testing.T, query, body, contentType, site, cookies, back string) {
		s.Restart(t)
		cookies = strings.ReplaceAll(cookies, "{session}", session)
		name, value, _ := strings.Cut(session, "=")
		signedIn := chunksOf(cookies)[name] == value
		w := s.Do(t, http.MethodPost, "/logout", query, body, "Content-Type", contentType, "Sec-Fetch-Site", site, "Cookie", cookies)
		location := w.Header().Get("Location")
		w.Header().Del("Location")
		if !strings.Contains(strings.ReplaceAll(cookies, session, ""), apptest.SessionCookie) { // or there are more cookies to expire
			s.Plain(t, w)
		}
		if len(w.Header()["Set-Cookie"]) > 70 {
			t.Errorf("%d cookies", len(w.Header()["Set-Cookie"]))
		}
		// http.CrossOriginProtection, without an Origin.
		if site != "" && site != "same-origin" && site != "none" {
			if w.Code != http.StatusForbidden || location != "" || len(w.Header()["Set-Cookie"]) > 0 || s.SignedIn(t, cookies) != signedIn {
				t.Errorf("another site: %d to %q, cookies %v", w.Code, location, w.Header()["Set-Cookie"])
			}
			return
		}
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Set-Cookie"), apptest.SessionCookie+"=; ") && signedIn || apptest.KeptBy(w) != "" || s.SignedIn(t, cookies) {
			t.Fatalf("%d %v", w.Code, w.Header())
		}

		// The return path that was asked for, if there is only one.
		inQuery, _ := url.ParseQuery(query)
		inBody, _ := url.ParseQuery(body)
		var asked string
		if candidates := slices.Concat(inQuery["return_to"], inBody["return_to"]); !signedIn {
			if !slices.Contains(candidates, location) {
				asked = location // "/", or stays reports it
			}
			stays(t, cmp.Or(asked, location), location)
			if location != "/" && !slices.Contains(candidates, location) {
				t.Errorf("led to %q", location)
			}
			return
		} else if len(candidates) > 0 {
			asked = candidates[0]
		}
		u, err := url.Parse(location)
		sent := u.Query()
		if err != nil || !strings.HasPrefix(location, "https://provider.test/end_session?") || len(sent) != 4 ||
			sent.Get("client_id") != "app" || sent.Get("post_logout_redirect_uri") != apptest.Origin+"/" || strings.Count(sent.Get("id_token_hint"), ".") != 2 {
			t.Fatalf("led to %q", location)
		}
		state := sent.Get("state")
		home := s.Get(t, "/", "state="+url.QueryEscape(state), "").Header().Get("Location")
		if home != "/" && home != asked && (len(inQuery["return_to"])+len(inBody["return_to"]) < 2 || !slices.Contains(inBody["return_to"], home)) {
			t.Errorf("came home to %q, asked for %q", home, asked)
		}
		stays(t, home, home)

		back = strings.ReplaceAll(back, "{state}", url.QueryEscape(state))
		w = s.Get(t, "/", back, cookies)
		got := w.Header().Get("Location")
		states, _ := url.ParseQuery(back)
		if ours := states.Get("state") == state; got != "" && (!ours || got != home) || len(w.Header()["Set-Cookie"]) > 0 || w.Code != http.StatusOK && w.Code != http.StatusSeeOther {
			t.Errorf("%d to %q, with %v", w.Code, got, w.Header())
		}
		s.Quiet(t, state, value, "an-access-token", "a-refresh-token")
	})
}
