package oauthlogin_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// A stage is an application and a provider in one process, without sockets and
// small enough for thousands of logins a second. What the provider says is the
// fuzzer's to choose. It is for one goroutine.
type stage struct {
	auth *oauthlogin.Middleware
	app  http.Handler
	log  *logBuffer
	key  *ecdsa.PrivateKey // of the provider

	says    map[string]func(form url.Values) answer // by path
	asked   map[string]int                          // by path
	bearers []string                                // Authorization of calls to https://api.test
	known   map[string]bool                         // answers that ordinary inputs get

	served int                       // how often the guarded handler ran
	user   oauthlogin.User           // and for whom, the last time
	token  *oauth2.Token             // and with what
	inside func(client *http.Client) // and what it does; nil: nothing
	change func(*oauthlogin.Options) // nil: nothing
}

type answer struct {
	status      int
	contentType string
	body        string
}

func always(a answer) func(url.Values) answer { return func(url.Values) answer { return a } }

func inJSON(body string) answer { return answer{http.StatusOK, "application/json", body} }

const (
	fuzzMetadata = `{"issuer":"https://provider.test","authorization_endpoint":"https://provider.test/authorize",` +
		`"token_endpoint":"https://provider.test/token","jwks_uri":"https://provider.test/jwks",` +
		`"userinfo_endpoint":"https://provider.test/userinfo","end_session_endpoint":"https://provider.test/end_session",` +
		`"id_token_signing_alg_values_supported":["ES256","RS256","HS256","none"],"authorization_response_iss_parameter_supported":true}`
	ourOrigin   = "https://app.test"
	fuzzReturn  = "/dashboard?x=1"
	goodAnswer  = "code=c0de&state={state}&iss=https://provider.test"
	goodClaims  = `{"iss":"https://provider.test","sub":"alice","aud":"app","exp":{later},"iat":{now},"nonce":"{nonce}"}`
	goodHeader  = `{"alg":"ES256","kid":"k"}`
	goodTokenOf = `{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600,"refresh_token":"a-refresh-token","id_token":"{id_token}"}`
)

func newStage(f *testing.F, change func(*oauthlogin.Options)) *stage {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	jwk, _ := json.Marshal(object{"keys": []any{ecJWK(key, "k")}})
	s := &stage{log: &logBuffer{}, key: key, change: change, known: map[string]bool{}, says: map[string]func(url.Values) answer{
		"/.well-known/openid-configuration": always(inJSON(fuzzMetadata)),
		"/jwks":                             always(inJSON(string(jwk))),
		"/userinfo":                         always(answer{status: http.StatusForbidden}),
		"/thing":                            always(answer{status: http.StatusOK}),
	}}
	s.restart(f)
	return s
}

// restart makes the application anew: it knows nothing of what was.
func (s *stage) restart(t testing.TB) {
	t.Helper()
	opts := oauthlogin.Options{
		Providers: []oauthlogin.Provider{{
			Name: "test", Issuer: "https://provider.test",
			OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: "s3cret-of-the-app", RedirectURL: ourOrigin + "/auth/callback"},
		}},
		Keys:       [][]byte{testKey(1)},
		HTTPClient: &http.Client{Transport: s},
		Logger:     slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		// A run takes a while; it is not about time.
		IdleTimeout: 10_000 * time.Hour, MaxLifetime: 10_000 * time.Hour,
	}
	if s.change != nil {
		s.change(&opts)
	}
	auth, err := oauthlogin.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	guarded := auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		s.served++
		s.user, s.token = session.User, session.Token()
		if s.inside != nil {
			s.inside(auth.Client(r.Context()))
		}
	}))
	s.auth = auth
	s.app = auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/dashboard" {
			guarded.ServeHTTP(w, r)
		}
	}))
	s.reset()
}

// reset forgets what an input did.
func (s *stage) reset() {
	s.asked, s.bearers, s.served, s.user, s.token, s.inside = map[string]int{}, nil, 0, oauthlogin.User{}, nil, nil
	s.log.b.Reset()
}

// RoundTrip is the network.
func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked[r.URL.Path]++
	if r.URL.Host == "api.test" {
		s.bearers = append(s.bearers, r.Header.Get("Authorization"))
	}
	says := s.says[r.URL.Path]
	if says == nil {
		return nil, errors.New("no route to host")
	}
	var form url.Values
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(body))
	}
	a := says(form)
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {a.contentType}},
		Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

// do sends a request to the application, with every byte as it is. header is
// name, value, name, value.
func (s *stage) do(t testing.TB, method, path, query, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := (&http.Request{
		Method: method, URL: &url.URL{Path: path, RawQuery: query}, Host: "app.test", RequestURI: path,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
	}).WithContext(t.Context())
	if query != "" {
		r.RequestURI += "?" + query
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Add(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.app.ServeHTTP(w, r)
	return w
}

func (s *stage) get(t testing.TB, path, query, cookies string) *httptest.ResponseRecorder {
	t.Helper()
	return s.do(t, http.MethodGet, path, query, "", "Cookie", cookies)
}

// signedIn reports whether cookies open the gate.
func (s *stage) signedIn(t testing.TB, cookies string) bool {
	t.Helper()
	before := s.served
	s.get(t, "/dashboard", "x=1", cookies)
	return s.served > before
}

// kept are the cookies that a browser sends after an answer.
func kept(w *httptest.ResponseRecorder) string {
	var pairs []string
	for _, c := range w.Result().Cookies() {
		if c.MaxAge > 0 {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// A pendingLogin is one that has come as far as the provider.
type pendingLogin struct{ state, nonce, cookies string }

func (s *stage) begin(t testing.TB) pendingLogin {
	t.Helper()
	w := s.get(t, "/login", "return_to="+url.QueryEscape(fuzzReturn), "")
	query := queryOf(w.Header().Get("Location"))
	if w.Code != http.StatusSeeOther || query.Get("state") == "" {
		t.Fatalf("login: %d to %q", w.Code, w.Header().Get("Location"))
	}
	return pendingLogin{query.Get("state"), query.Get("nonce"), kept(w)}
}

func (l pendingLogin) fill(text string) string {
	now := time.Now().Unix()
	return strings.NewReplacer(
		"{state}", l.state, "{nonce}", l.nonce, "{now}", fmt.Sprint(now), "{later}", fmt.Sprint(now+3600),
		"{past}", fmt.Sprint(now-3600), "{soon}", fmt.Sprint(now+20),
	).Replace(text)
}

// sign is the JWS compact serialization of any text at all.
func (s *stage) sign(header, claims string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(es256(s.key)(input))
}

// finish lets the provider answer a login, and the browser come back with it.
func (s *stage) finish(t testing.TB, l pendingLogin, tokens answer) *httptest.ResponseRecorder {
	t.Helper()
	s.says["/token"] = always(tokens)
	return s.get(t, "/auth/callback", l.fill(goodAnswer), l.cookies)
}

// signIn returns the cookies of a new session.
func (s *stage) signIn(t testing.TB, claims, tokens string) string {
	t.Helper()
	l := s.begin(t)
	w := s.finish(t, l, inJSON(strings.ReplaceAll(tokens, "{id_token}", s.sign(goodHeader, l.fill(claims)))))
	if w.Code != http.StatusSeeOther {
		t.Fatalf("signing in: %d %s", w.Code, s.log)
	}
	return kept(w)
}

// incompressible is n bytes and more of text that JSON takes as it is.
func incompressible(n int) string { return base64.RawURLEncoding.EncodeToString([]byte(noise(n))) }

// shape is an answer without what differs each time: the reference on the page
// and the values of cookies.
func shape(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	h := w.Header()
	fmt.Fprintln(&b, w.Code)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if name == "Set-Cookie" { // whose attributes cookieFaults looks at
				value, _, _ = strings.Cut(value, ";")
				cookie, content, _ := strings.Cut(value, "=")
				if strings.HasPrefix(cookie, flowPrefix) {
					cookie = flowPrefix
				}
				if cookie == sessionCookie+".rounds" {
					continue // depends on the logins before
				}
				value = fmt.Sprint(cookie, " ", content != "")
			}
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	before, after, _ := strings.Cut(w.Body.String(), "Reference: ")
	b.WriteString(before)
	b.WriteString(after[min(8, len(after)):])
	return b.String()
}

func (s *stage) learn(w *httptest.ResponseRecorder) { s.known[shape(w)] = true }

// plain fails the test unless w is, to the byte, an answer that an ordinary
// input gets: nothing of the fuzzer's is in it.
func (s *stage) plain(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	if got := shape(w); !s.known[got] {
		t.Errorf("an answer of its own: %s\n%s", got, s.log)
	}
	for _, fault := range cookieFaults(w.Header(), true) {
		t.Error(fault)
	}
}

// quiet fails the test if a secret, or a panic that was caught, is in the log.
func (s *stage) quiet(t testing.TB, secrets ...string) {
	t.Helper()
	log := s.log.String()
	for _, secret := range append(secrets, "debug.Stack") {
		if strings.Contains(log, secret) {
			t.Errorf("log has %q: %s", secret, log)
		}
	}
}

// browserGoesTo is the WHATWG URL standard's basic parser, as far as a Location
// header on a page of https://app.test takes it, written down without net/url,
// which parses differently. It returns the origin, "" if that is none of ours
// whatever it is, and the path.
func browserGoesTo(location string) (origin, path string) {
	// Leading and trailing C0 controls and spaces go, and tabs and newlines anywhere.
	location = strings.TrimFunc(location, func(r rune) bool { return r <= 0x20 })
	location = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(location)
	location, _, _ = strings.Cut(location, "#")
	rest := location
	if scheme := schemePattern.FindString(location); scheme != "" {
		// With our own scheme, and no slashes, it is a relative URL all the same.
		if !strings.EqualFold(scheme, "https:") {
			return "", ""
		}
		rest = location[len(scheme):]
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.ReplaceAll(rest, `\`, "/") // https is special
	if strings.HasPrefix(rest, "//") {
		authority, _, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
		host := authority[strings.LastIndex(authority, "@")+1:]
		// Percent-decoding and IDNA make app.test of much more.
		if !strings.EqualFold(strings.TrimSuffix(host, ":443"), "app.test") {
			return "", ""
		}
		rest = strings.TrimLeft(rest, "/")[len(authority):]
	}
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(rest, "/"), "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, segment)
		}
	}
	return ourOrigin, "/" + strings.Join(segments, "/")
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// A test that cannot fail is worse than none.
func TestBrowserGoesTo(t *testing.T) {
	for location, want := range map[string]string{
		"/": "/", "/a/b?c=//d#e": "/a/b", "": "/", "?x": "/", "/a/../b/./c": "/b/c", "/%2e%2E/a": "/a", "/..//evil.test": "//evil.test",
		"https:/x": "/x", "https:evil.test": "/evil.test", "//app.test/x": "/x", "https://APP.test:443/x": "/x", "https://evil.test@app.test/x": "/x",
		"//evil.test": "", `/\evil.test`: "", `\\evil.test`: "", "/\t/evil.test": "", "\n//evil.test": "", "\x01//evil.test": "", " //evil.test ": "", "///evil.test": "",
		"http://app.test/": "", "https://app.test:8443/": "", "https://app.test@evil.test/": "", "javascript:alert(1)": "", "j\navascript:alert(1)": "", "https:/\\/evil.test": "",
		`/./\evil.test`: "//evil.test",
	} {
		origin, path := browserGoesTo(location)
		if want == "" && origin != "" || want != "" && (origin != ourOrigin || path != want) {
			t.Errorf("%q leads to %q %q", location, origin, path)
		}
	}
}

var benignPath = regexp.MustCompile(`^(/[a-z0-9_-]+)+/?(\?[A-Za-z0-9_=&.-]*)?$`)

// stays fails the test unless location leads to a page of ours that is no path
// of the middleware's own, and is what was asked for or "/".
func stays(t testing.TB, asked, location string) {
	t.Helper()
	if location != asked && location != "/" {
		t.Fatalf("%q became %q", asked, location)
	}
	if len(location) > 2048 || strings.IndexFunc(location, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '\\' }) >= 0 {
		t.Fatalf("led to %q", location)
	}
	// net/http.Redirect cleans like this, and so may a proxy.
	page, query, _ := strings.Cut(location, "?")
	for _, target := range []string{location, path.Clean(page) + "?" + query} {
		origin, arrived := browserGoesTo(target)
		if origin != ourOrigin || strings.HasPrefix(arrived, "//") && target != location {
			t.Fatalf("%q leads off our origin, to %q", asked, arrived)
		}
		// Most routers decode and clean what they are asked for.
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

// RFC 9700 section 4.11: whatever comes in, what goes into Location stays here.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range ordinaryPaths {
		f.Add(seed)
	}
	for _, seed := range hostilePaths {
		f.Add(seed.path)
	}
	f.Add("/?/../login") // which is the front page
	f.Add("/login//..")  // which is /login/ for a browser, and "/" for path.Clean
	s := newStage(f, nil)
	f.Fuzz(func(t *testing.T, asked string) {
		w := s.do(t, http.MethodPost, "/logout", "return_to="+url.QueryEscape(asked), "")
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

// RFC 6749 sections 3.1, 4.1.2 and 10.12, RFC 9207 section 2.4: a session comes
// of one state, one code and one issuer, all of them right, and of nothing else;
// the code goes out once.
func FuzzCallbackQuery(f *testing.F) {
	const iss = "https://provider.test"
	ordinary := []string{
		goodAnswer, "", "state={state}", "code=c0de&state=x", goodAnswer + "&code=c0de", strings.Replace(goodAnswer, "c0de", "another", 1),
		"code=c0de&state={state}", "error=access_denied&state={state}&iss=" + iss, "error=server_error&state={state}&iss=" + iss, "state={state}&iss=" + iss,
	}
	for _, seed := range append(ordinary,
		"state=", "state={state}A&code=c0de&iss="+iss, "state={state}+&code=c0de&iss="+iss, "state={state}%3D&code=c0de&iss="+iss,
		goodAnswer+"&state={state}", goodAnswer+"&state=", goodAnswer+"&iss="+iss, goodAnswer+"&iss=https://evil.test", goodAnswer+"&error=", goodAnswer+"&error=access_denied",
		goodAnswer+"&error_description=a&error_description=b", goodAnswer+"&error_uri=javascript:alert(1)", goodAnswer+"&x=%zz", goodAnswer+"&x=%", goodAnswer+";x=1", goodAnswer+"&x=1;y=2",
		"code=c0de;state={state}&iss="+iss, goodAnswer+"/", strings.Replace(goodAnswer, "https", "HTTPS", 1), "code=c0de&state={state}&iss=", "%63ode=c0de&%73tate={state}&i%73s="+iss,
		"code[]=c0de&state={state}&iss="+iss, "CODE=c0de&state={state}&iss="+iss, "code=c0de%00&state={state}&iss="+iss, goodAnswer+"&x=<script>alert(1)</script>",
		"state={state}&iss="+iss+"&error=%3Cscript%3E%0d%0aSet-Cookie:x&error_description=%22onload=", "state={state}&state={state}&code=c0de", "&&&", "=&=", "#", "state={state}#",
		goodAnswer+strings.Repeat("&x", 11_000), "code="+strings.Repeat("c", 9000)+"&state={state}&iss="+iss, goodAnswer+"&return_to=//evil.test&redirect_uri=x&id_token=y&access_token=z",
	) {
		f.Add(seed)
	}
	s := newStage(f, nil)
	come := func(t testing.TB, l pendingLogin, query string) *httptest.ResponseRecorder {
		s.says["/token"] = func(form url.Values) answer {
			if form.Get("code") != "c0de" {
				return answer{http.StatusBadRequest, "application/json", `{"error":"invalid_grant"}`}
			}
			return inJSON(strings.ReplaceAll(goodTokenOf, "{id_token}", s.sign(goodHeader, l.fill(goodClaims))))
		}
		return s.get(t, "/auth/callback", query, l.cookies)
	}
	for _, query := range ordinary {
		l := s.begin(f)
		for range 2 {
			s.learn(come(f, l, l.fill(query)))
		}
	}
	f.Fuzz(func(t *testing.T, query string) {
		s.reset()
		l := s.begin(t)
		query = l.fill(query)
		w := come(t, l, query)
		s.plain(t, w)

		values := parameters(query)
		one := func(name, want string) bool { return len(values[name]) == 1 && values[name][0] == want }
		few := func(name string) bool {
			return len(values[name]) == 0 || len(values[name]) == 1 && len(values[name][0]) <= 8<<10
		}
		want := one("code", "c0de") && one("state", l.state) && one("iss", iss) && len(values["error"]) == 0 &&
			few("error_description") && few("error_uri") && strings.Count(query, "&") < 10_000
		if want != (w.Code == http.StatusSeeOther) || !want && w.Code != http.StatusBadRequest {
			t.Errorf("answer is %d; want a session: %t; %s", w.Code, want, s.log)
		}
		if location := w.Header().Get("Location"); want && location != fuzzReturn || !want && location != "" {
			t.Errorf("redirected to %q", location)
		}
		if s.signedIn(t, kept(w)) != want || want && s.user.Subject != "alice" {
			t.Errorf("signed in as %q", s.user.Subject)
		}

		// A back button, with the cookie that was expired.
		again := come(t, l, query)
		s.plain(t, again)
		if s.asked["/token"] > 1 || want && s.asked["/token"] != 1 || kept(again) != "" {
			t.Errorf("%d token requests, cookies %q", s.asked["/token"], kept(again))
		}
		s.quiet(t, l.nonce, "an-access-token", "a-refresh-token")
	})
}

// chunksOf reads a Cookie header for the value of each chunk of a session; two
// values for one of them are as good as none (RFC 6265bis section 8.6.1).
func chunksOf(header string) map[string]string {
	found := map[string]string{}
	for pair := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok || name != sessionCookie && !strings.HasPrefix(name, sessionCookie+".") {
			continue
		}
		if other, twice := found[name]; twice && other != value {
			value = "two values"
		}
		found[name] = value
	}
	return found
}

// mod_auth_openidc CVE-2023-28625 and CVE-2024-24814, next-auth CVE-2023-48309:
// whatever cookies come, those of a session open it and no others do, and
// nothing breaks.
func FuzzCookieHeader(f *testing.F) {
	s := newStage(f, nil)
	foreign := newStage(f, func(opts *oauthlogin.Options) { opts.Keys = [][]byte{testKey(9)} })
	places := []string{}
	put := func(stem, cookies string) map[string]string {
		pairs := map[string]string{}
		for pair := range strings.SplitSeq(cookies, "; ") {
			name, value, _ := strings.Cut(pair, "=")
			pairs[name] = value
			places = append(places, "{"+stem+strings.TrimPrefix(name, sessionCookie)+"}", value)
		}
		return pairs
	}
	s.signIn(f, goodClaims, goodTokenOf) // the first one in a while counts no rounds
	small := put("small", s.signIn(f, goodClaims, goodTokenOf))
	large := put("large", s.signIn(f, strings.ReplaceAll(goodClaims, "alice", "bob"), strings.Replace(goodTokenOf, "an-access-token", incompressible(5000), 1)))
	put("foreign", foreign.signIn(f, goodClaims, goodTokenOf))
	ended := s.signIn(f, goodClaims, goodTokenOf)
	put("ended", ended)
	s.do(f, http.MethodPost, "/logout", "", "", "Cookie", ended)
	values := strings.NewReplacer(places...)
	sessions := map[string]map[string]string{"alice": small, "bob": large}

	const n = sessionCookie
	for _, seed := range []string{
		"", n + "={small}", n + "={large}; " + n + ".1={large.1}", n + ".1={large.1};" + n + "={large}; " + n + ".2={large.2}; x=y", n + "={large}; " + n + ".2={large.2}",
		n + "={small}; " + n + "={small}", n + "={small}; " + n + "={large}", n + "=; " + n + "={small}", n + "={small}; " + n + ".1=x", n + "={foreign}", n + "={ended}",
		n + "={small.rounds}", n + ".rounds={small.rounds}", n + ".rounds={small}", n + "={flow}", flowPrefix + "x={small}", "{flow name}={flow}", "{flow name}={small}", "{flow name}=x; {flow name}={flow}",
		`{flow name}="{flow}"`, n + `="{small}"`, strings.ToLower(n) + "={small}", n + " ={small}", n + "= {small}", n + "={small};;;" + n, n + "=1", n + "=5{small}", n + "=9", n + "=0{small}", n + ".5={small}",
		n + ".01={large.1}", n + "=;" + n + ".1=;" + n + ".2=;" + n + ".3=;" + n + ".4=", n + ".silent=1", strings.Repeat(flowPrefix+"x=y; ", 40), flowPrefix + "a=1; " + flowPrefix + "b=2; " + flowPrefix + "c=3; " + flowPrefix + "d=4; " + flowPrefix + "e=5",
		strings.Repeat("a=b;", 3100) + n + "={small}", "\x00\xff\r\nSet-Cookie: x=y", n + "={large.1}; " + n + ".1={large}", n + "={small}{small}",
	} {
		f.Add(seed, uint16(0))
	}
	for at := range uint16(40) {
		f.Add(n+"={small}", 700*at+1)
	}

	ordinary := func(t testing.TB, header string) {
		for _, path := range []string{"/dashboard", "/login", "/auth/callback"} {
			s.learn(s.get(t, path, "state=x", header))
		}
	}
	ordinary(f, "")
	ordinary(f, kept(s.get(f, "/login", "", "")))
	f.Fuzz(func(t *testing.T, header string, flip uint16) {
		s.reset()
		l := s.begin(t)
		flowName, flow, _ := strings.Cut(l.cookies, "=")
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

		w := s.get(t, "/dashboard", "", header)
		if (s.served > 0) != (want != "") || s.user.Subject != want || want == "" && (w.Code != http.StatusFound || len(w.Header()["Set-Cookie"]) > 0) {
			t.Errorf("%d for %q, want %q; %s", w.Code, s.user.Subject, want, w.Header())
		}
		// The flow goes with the cookie that has it, whole.
		mine := strings.Contains(header, flowName) && strings.Contains(header, flow)
		back := s.get(t, "/auth/callback", l.fill("state={state}&error=access_denied&iss=https://provider.test"), header)
		if want == "" && back.Code != http.StatusBadRequest || strings.Contains(s.log.String(), "code=access_denied") && !mine {
			t.Errorf("callback: %d; the flow's cookie is there: %t", back.Code, mine)
		}
		for path, query := range map[string]string{"/auth/callback": "state=x&code=y", "/login": ""} {
			w := s.get(t, path, query, header)
			if w.Code != http.StatusSeeOther && w.Code != http.StatusBadRequest || strings.HasPrefix(kept(w), sessionCookie+"=") {
				t.Errorf("%s: %d %s", path, w.Code, w.Header())
			}
			if n := len(w.Header()["Set-Cookie"]); n > 70 {
				t.Errorf("%s: %d cookies", path, n)
			}
			for _, fault := range cookieFaults(w.Header(), true) {
				if len(header) < 3000 { // or it may be a long name that is expired
					t.Errorf("%s: %s", path, fault)
				}
			}
		}
		if s.asked["/token"] > 0 {
			t.Error("a code went out")
		}
		s.quiet(t, small[n], flow, "an-access-token")
	})
}

// members returns the members of a JSON object by their exact names, each with
// all its values; nil if it is none.
func members(text string) map[string][]json.RawMessage {
	d := json.NewDecoder(strings.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') || !json.Valid([]byte(text)) {
		return nil
	}
	m := map[string][]json.RawMessage{}
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil
		}
		m[name.(string)] = append(m[name.(string)], value)
	}
	return m
}

// last is what the last of several members of one name says (RFC 7519 section
// 4), nil if there is none.
func last[T any](m map[string][]json.RawMessage, name string) (v *T) {
	if values := m[name]; len(values) > 0 && json.Unmarshal(values[len(values)-1], &v) != nil {
		return nil
	}
	return v
}

// once reports whether no member of these occurs twice, or under another
// spelling.
func once(m map[string][]json.RawMessage, names ...string) bool {
	for name, values := range m {
		for _, known := range names {
			if strings.EqualFold(name, known) && (name != known || len(values) > 1) {
				return false
			}
		}
	}
	return true
}

func printableASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// A tokenVerdict is what RFC 6749 section 5 makes of an answer of the token
// endpoint, by a reader of its own.
type tokenVerdict struct {
	sure   bool   // there is one way to read it
	good   bool   // it has tokens
	access string // the access token, where it is good
	id     string
	error  string // the error, where it is no answer of a server that is down
}

func judgeTokens(a answer) (v tokenVerdict) {
	m := members(a.body)
	v.sure = m != nil && a.contentType == "application/json"
	if m == nil {
		form, err := url.ParseQuery(a.body)
		if err != nil || !strings.Contains(a.contentType, "/") {
			return v
		}
		m = map[string][]json.RawMessage{}
		for name := range form {
			value, _ := json.Marshal(form.Get(name))
			m[name] = append(m[name], value)
		}
	}
	v.sure = v.sure && once(m, "access_token", "refresh_token", "id_token", "token_type", "error")
	str := func(name string) string {
		s := last[string](m, name)
		if s == nil {
			return ""
		}
		return *s
	}
	if a.status < 500 && a.status != http.StatusTooManyRequests {
		v.error = str("error")
	}
	v.access, v.id = str("access_token"), str("id_token")
	// A type that is no string is none that we understand (section 7.1).
	var kind any = "bearer"
	if values := m["token_type"]; len(values) > 0 {
		json.Unmarshal(values[len(values)-1], &kind)
	}
	name, isString := kind.(string)
	v.good = a.status/100 == 2 && v.error == "" && v.access != "" && printableASCII(v.access) && printableASCII(str("refresh_token")) &&
		(kind == nil || isString && (name == "" || strings.EqualFold(name, "bearer")))
	return v
}

// RFC 6749 sections 5.1, 5.2 and 6: what the token endpoint says makes a
// session, or keeps or ends one, as documented; and no header gets anything in
// it that is no token.
func FuzzTokenAnswer(f *testing.F) {
	form, text := "application/x-www-form-urlencoded", "text/plain; charset=utf-8"
	one := func(member string) string { return strings.TrimSuffix(goodTokenOf, "}") + "," + member + "}" }
	for _, a := range []answer{
		inJSON(goodTokenOf),
		{200, form, "access_token=x&token_type=bearer&id_token={id_token}"},
		{200, text, "access_token=x&id_token={id_token}"},
		{200, form, goodTokenOf},
		{200, "", goodTokenOf},
		{400, "application/json", `{"error":"invalid_grant"}`},
		{401, "application/json", `{"error":"invalid_client"}`},
		{400, "application/json", `{"error":"\n\u0000hostile"}`},
		{400, "text/html", hostile},
		{403, "text/html", hostile},
		{429, "application/json", `{"error":"slow_down"}`},
		{500, "application/json", `{"error":"invalid_grant"}`},
		{503, "", ""},
		{500, "application/json", goodTokenOf},
		{200, "application/json", `{"error":"bad_verification_code"}`},
		{200, form, "error=bad_refresh_token"},
		{200, form, "error=bad_refresh_to\xa4ken"}, // no code that ends a session
		{400, "application/json", `{"error":"invalid_grant\u0000"}`},
		inJSON(one(`"error":"invalid_grant"`)), inJSON(one(`"error":""`)), inJSON(one(`"error":null`)), inJSON(one(`"ERROR":"x"`)),
		{200, "text/html", hostile},
		{200, form, "access_token=%zz"},
		inJSON(""),
		{204, "", ""},
		inJSON("null"), inJSON("[" + goodTokenOf + "]"), inJSON(`"x"`), inJSON(goodTokenOf[:40]),
		{302, "", goodTokenOf},
		{599, "", "{}"},
		inJSON(strings.Replace(goodTokenOf, `"an-access-token"`, `""`, 1)), inJSON(strings.Replace(goodTokenOf, `"an-access-token"`, `12345678`, 1)), inJSON(strings.Replace(goodTokenOf, "access_token", "ACCESS_TOKEN", 1)),
		inJSON(strings.Replace(goodTokenOf, "an-access", `a\r\nX-Hostile: 1`, 1)), inJSON(strings.Replace(goodTokenOf, "an-access", `a\u0000`, 1)), inJSON(strings.Replace(goodTokenOf, "an-access", `a\u007f`, 1)), inJSON(strings.Replace(goodTokenOf, "an-access", "é", 1)),
		inJSON(strings.Replace(goodTokenOf, "a-refresh", `a\n`, 1)), inJSON(strings.Replace(goodTokenOf, "Bearer", "mac", 1)), inJSON(strings.Replace(goodTokenOf, "Bearer", "bEARER", 1)), inJSON(strings.Replace(goodTokenOf, `"Bearer"`, "5", 1)), inJSON(strings.Replace(goodTokenOf, `"Bearer"`, `["mac"]`, 1)),
		inJSON(one(`"token_type":"mac"`)), inJSON(one(`"access_token":"b\r\n"`)), inJSON(one(`"id_token":"e30.e30.AAAA"`)), inJSON(one(`"id_token":null`)), inJSON(strings.Replace(goodTokenOf, `"{id_token}"`, `["{id_token}"]`, 1)), inJSON(strings.Replace(goodTokenOf, "{id_token}", "{id_token}.", 1)),
		inJSON(one(`"scope":["a"],"expires_in":"-1"`)), inJSON(one(`"expires_in":1e400`)), inJSON(one(`"expires_in":0.000000001`)), inJSON(one(`"expires_in":{}`)), inJSON(one(`"scope":"` + strings.Repeat("s ", 5000) + `"`)),
		inJSON("\ufeff" + goodTokenOf), inJSON(" \t\n" + goodTokenOf + "\n"), inJSON(goodTokenOf + "{}"),
	} {
		f.Add(a.status-200, a.contentType, a.body, false)
		f.Add(a.status-200, a.contentType, a.body, true)
	}
	s := newStage(f, nil)
	for _, a := range []answer{
		inJSON(goodTokenOf), inJSON("{}"),
		{500, "", ""},
		{400, "application/json", `{"error":"invalid_grant"}`},
		inJSON(strings.Replace(goodTokenOf, "an-access-token", incompressible(30_000), 1)), inJSON(strings.Replace(goodTokenOf, "an-access-token", incompressible(5_000), 1)),
	} {
		l := s.begin(f)
		a.body = strings.ReplaceAll(a.body, "{id_token}", s.sign(goodHeader, l.fill(goodClaims)))
		s.learn(s.finish(f, l, a))
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body string, refresh bool) {
		s.reset()
		l := s.begin(t)
		idToken := s.sign(goodHeader, l.fill(goodClaims))
		a := answer{200 + int(uint(status)%400), contentType, strings.ReplaceAll(body, "{id_token}", idToken)}
		v := judgeTokens(a)
		if refresh {
			fuzzRefresh(t, s, l, a, idToken)
			return
		}
		w := s.finish(t, l, a)
		signedIn := w.Code == http.StatusSeeOther
		if len(a.body) < 2500 || !signedIn { // or there are more cookies than one
			s.plain(t, w)
		}
		if n := s.asked["/token"]; n != 1 {
			t.Errorf("%d token requests", n)
		}
		switch {
		case signedIn && !(v.good && v.id == idToken):
			t.Errorf("signed in by %d %s", a.status, a.body)
		case !signedIn && v.sure && v.good && v.id == idToken && len(a.body) < 2500:
			t.Errorf("not signed in: %d %s", w.Code, s.log)
		case w.Code == http.StatusBadRequest && v.error != "invalid_grant" && v.error != "bad_verification_code",
			w.Code == http.StatusInternalServerError && len(a.body) < 2500,
			!signedIn && !slices.Contains([]int{400, 500, 502}, w.Code):
			t.Errorf("status %d for %d %s", w.Code, a.status, a.body)
		}
		if s.signedIn(t, kept(w)) && (!signedIn || s.user.Subject != "alice") {
			t.Errorf("signed in as %q", s.user.Subject)
		}
		if s.token != nil {
			if s.token.AccessToken != v.access {
				t.Errorf("token is %q", s.token.AccessToken)
			}
			// What is no number never makes a token that lives for ever.
			values := members(a.body)["expires_in"]
			if len(values) > 0 && string(values[len(values)-1]) != "null" && s.token.Expiry.IsZero() || time.Until(s.token.Expiry) > 366*24*time.Hour {
				t.Errorf("token expires at %v", s.token.Expiry)
			}
		}
		s.quiet(t, l.nonce, idToken)
	})
}

// fuzzRefresh gives an answer to a session whose access token an API refuses.
func fuzzRefresh(t *testing.T, s *stage, l pendingLogin, a answer, idToken string) {
	v := judgeTokens(a)
	first := strings.ReplaceAll(strings.Replace(goodTokenOf, "an-access", "a-first", 1), "{id_token}", idToken)
	cookies := kept(s.finish(t, l, inJSON(first)))
	s.says["/token"] = always(a)
	s.inside = func(client *http.Client) {
		if resp, err := client.Get("https://api.test/thing"); err == nil {
			resp.Body.Close()
		}
	}
	refused := true
	s.says["/thing"] = func(url.Values) answer {
		if refused {
			refused = false
			return answer{status: http.StatusUnauthorized}
		}
		return answer{status: http.StatusOK}
	}
	defer func() { s.says["/thing"] = always(answer{status: http.StatusOK}) }()
	if !s.signedIn(t, cookies) || s.user.Subject != "alice" {
		t.Fatalf("not signed in before the refresh: %s", s.log)
	}
	s.inside = nil
	if n := s.asked["/token"]; n != 2 {
		t.Errorf("%d token requests", n)
	}

	// An ID token that no key verifies is passed over while keys were just fetched:
	// what becomes of it depends on the runs before.
	unsure := v.good && v.id != idToken && strings.Count(v.id, ".") == 2
	good := v.good && (v.id == "" || v.id == idToken || unsure)
	for i, bearer := range s.bearers {
		if bearer != "Bearer a-first-token" && !(i > 0 && good && bearer == "Bearer "+v.access) || !printableASCII(bearer) {
			t.Errorf("sent %q", bearer)
		}
	}
	// The refresh token's end, and an ID token that is wrong, end the session.
	ends := v.error == "invalid_grant" || v.error == "bad_refresh_token" || v.good && v.id != "" && v.id != idToken
	alive := s.signedIn(t, cookies)
	switch {
	case alive && s.user.Subject != "alice":
		t.Errorf("signed in as %q", s.user.Subject)
	case !alive && !ends, alive && ends && v.sure && !unsure:
		t.Errorf("signed in: %t; want the session ended: %t; %s", alive, ends, s.log)
	case alive && s.token != nil && s.token.AccessToken != "a-first-token" && !(good && s.token.AccessToken == v.access):
		t.Errorf("token is %q", s.token.AccessToken)
	case alive && good && v.sure && !unsure && s.token != nil && s.token.AccessToken != v.access:
		t.Errorf("the new token is lost: %s", s.log)
	}
	s.quiet(t, idToken)
}

// judgeIDToken is OpenID Connect Core section 3.1.3.7, by a reader of its own.
// holds is whether a client may take the claims at all, clear whether it has to;
// times within half a minute of a limit are neither.
func judgeIDToken(header, claims, nonce string, refresh bool) (sub string, holds, clear bool) {
	h, c := members(header), members(claims)
	str := func(m map[string][]json.RawMessage, name string) string {
		if s := last[string](m, name); s != nil {
			return *s
		}
		return ""
	}
	at := func(name string) (seconds float64, ok bool) {
		if n := last[float64](c, name); n != nil {
			return *n, true
		}
		return 0, false
	}
	var aud []string
	if list := last[[]string](c, "aud"); list != nil {
		aud = *list
	} else if one := last[string](c, "aud"); one != nil {
		aud = []string{*one}
	}
	now := float64(time.Now().Unix())
	exp, hasExp := at("exp")
	iat, hasIAT := at("iat")
	nbf, hasNBF := at("nbf")
	sub = str(c, "sub")
	said := func(name string) bool { return len(c[name]) > 0 }

	holds = str(h, "alg") == "ES256" && str(c, "iss") == "https://provider.test" &&
		sub != "" && len(sub) <= 255 && printableASCII(sub) &&
		len(aud) > 0 && !slices.ContainsFunc(aud, func(a string) bool { return a != "app" }) &&
		(!said("azp") || str(c, "azp") == "app") && (len(aud) == 1 || said("azp")) &&
		hasExp && exp > now-90 && hasIAT && iat >= 0 && iat < now+90 && (!hasNBF || nbf < now+90) &&
		!said("at_hash") // none is right
	if refresh { // section 12.2
		holds = holds && sub == "alice" && len(aud) == 1 && (!said("nonce") || str(c, "nonce") == nonce)
	} else {
		holds = holds && str(c, "nonce") == nonce
	}

	clear = holds && exp > now-30 && exp < 1e12 && iat < now+30 && !hasNBF && !said("nbf") && len(claims) < 1500
	for name, values := range h {
		clear = clear && len(values) == 1 && (name == "alg" || name == "kid" && str(h, name) == "k" || name == "typ" && str(h, name) != "")
	}
	for name, values := range c {
		clear = clear && len(values) == 1 && slices.Contains([]string{"iss", "sub", "aud", "exp", "iat", "nonce", "azp"}, name)
	}
	return sub, holds, clear
}

// OpenID Connect Core section 3.1.3.7, and 12.2 for refreshed ID tokens: what an
// ID token says with a good signature, and what comes without one.
func FuzzIDToken(f *testing.F) {
	const (
		signed = iota
		raw
		refreshed
		ways
	)
	set := func(name, value string) string {
		m := regexp.MustCompile(`"` + name + `":("[^"]*"|\{\w+\}|[^,}]*)`)
		return m.ReplaceAllLiteralString(goodClaims, `"`+name+`":`+value)
	}
	and := func(member string) string { return strings.TrimSuffix(goodClaims, "}") + "," + member + "}" }
	for _, claims := range []string{
		goodClaims, set("iss", `"https://evil.test"`), set("iss", `"https://provider.test/"`), set("iss", `["https://provider.test"]`), set("iss", `""`), strings.Replace(goodClaims, "iss", "ISS", 1), and(`"Iss":"https://evil.test"`), and(`"iss":"https://evil.test"`),
		set("sub", `""`), set("sub", "1"), set("sub", "null"), set("sub", `{}`), set("sub", `"`+strings.Repeat("a", 255)+`"`), set("sub", `"`+strings.Repeat("a", 256)+`"`), set("sub", `"é"`), set("sub", `"a\n"`), set("sub", `"bob"`), strings.Replace(goodClaims, "sub", "SUB", 1), and(`"SUB":"bob"`), and(`"sub":"bob"`), and(`"\u017fub":"bob"`),
		set("aud", `"hostile"`), set("aud", `""`), set("aud", `[]`), set("aud", `null`), set("aud", `1`), set("aud", `"APP"`), set("aud", `["app"]`), set("aud", `["app","app"]`), set("aud", `["app","hostile"]`), set("aud", `["app",1]`), set("aud", `["app","hostile"],"azp":"app"`), set("aud", `"app","azp":"app"`), strings.Replace(goodClaims, `"iat":{now},`, "", 1), strings.Replace(goodClaims, `"exp":{later},`, "", 1), set("aud", `["app",""]`), strings.Replace(goodClaims, `"aud":"app"`, `"aud":["app","app"],"azp":"app"`, 1), and(`"Aud":"hostile"`), and(`"aud":"hostile"`),
		and(`"azp":"app"`), and(`"azp":"hostile"`), and(`"azp":""`), and(`"azp":null`), and(`"azp":["app"]`),
		set("exp", "{past}"), set("exp", "{soon}"), set("exp", `"{later}"`), set("exp", "0"), set("exp", "-1"), set("exp", "null"), set("exp", "1e300"), set("exp", "1e400"), set("exp", "18446744073709551617"), set("exp", "{later}.5"), set("exp", "{}"), strings.Replace(goodClaims, "exp", "EXP", 1), and(`"exp":0`),
		set("iat", "{later}"), set("iat", "{past}"), set("iat", "{soon}"), set("iat", `"0"`), set("iat", "null"), set("iat", "-1"), and(`"nbf":{later}`), and(`"nbf":{past}`), and(`"nbf":"0"`), and(`"nbf":null`),
		set("nonce", `"hostile"`), set("nonce", `""`), set("nonce", `null`), set("nonce", `["{nonce}"]`), set("nonce", `"{nonce}A"`), strings.Replace(goodClaims, "nonce", "Nonce", 1), and(`"nonce":"x"`), and(`"Nonce":"x"`), strings.Replace(goodClaims, `,"nonce":"{nonce}"`, "", 1),
		and(`"at_hash":"AAAAAAAAAAAAAAAAAAAAAA"`), and(`"at_hash":""`), and(`"at_hash":null`), and(`"_claim_names":{"age":"s"},"_claim_sources":{"s":{"endpoint":"https://evil.test"}}`), and(`"_claim_names":1`), and(`"email":1,"email_verified":"true","name":{}`), and(`"auth_time":"x","acr":[]`),
		"", "null", "{}", "[]", "[" + goodClaims + "]", goodClaims + goodClaims, "\xff", " " + goodClaims + "\n", strings.Repeat("[", 10_001),
	} {
		f.Add(goodHeader, claims, uint8(signed))
		f.Add(goodHeader, claims, uint8(refreshed))
	}
	for _, header := range []string{
		`{"alg":"ES256"}`, `{"alg":"ES256","kid":"x"}`, `{"alg":"ES256","kid":1}`, `{"alg":"none"}`, `{"alg":"None"}`, `{"alg":""}`, `{}`, `{"alg":"HS256","kid":"k"}`, `{"alg":"RS256","kid":"k"}`, `{"alg":"ES384","kid":"k"}`, `{"alg":["ES256"]}`, `{"alg":"none","alg":"ES256"}`, `{"alg":"ES256","alg":"none"}`, `{"ALG":"ES256"}`,
		`{"alg":"ES256","crit":["x"],"x":1}`, `{"alg":"ES256","crit":"exp"}`, `{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"ES256","kid":"k","jku":"https://evil.test/","x5u":"https://evil.test/","x5c":["AAAA"]}`, `{"alg":"ES256","kid":"k","jwk":{"kty":"EC"}}`, `{"alg":"ES256","zip":"DEF"}`, `["alg"]`, "",
	} {
		f.Add(header, goodClaims, uint8(signed))
		f.Add(header, goodClaims, uint8(refreshed))
	}
	for _, token := range []string{
		"{token}", "{header}.{claims}.", "{header}.{claims}.AAAA", "{header}.{claims}.{signature}=", "{header}.{claims}.{signature}A", " {token}", "{token}\n", "{header} .{claims}.{signature}", ".{claims}.{signature}", "{header}..{signature}", "{claims}.{header}.{signature}",
		`{"payload":"{claims}","protected":"{header}","signature":"{signature}"}`, `{"a":"..","payload":"{claims}","protected":"{header}","signature":"{signature}"}`, `{"a":"..","payload":"{claims}","signatures":[{"protected":"{header}","signature":"{signature}"}]}`,
		"", ".", "..", "...", "a.b", strings.Repeat(".", 5000), "<a>.<b>.<c>", "eyJhbGciOiJub25lIn0.{claims}.", "eyJhbGciOiJIUzI1NiJ9.{claims}.AAAA", "e30.e30.AAAA", "WyJhIl0.e30.AAAA", "null", "eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.AAAA.AAAA.AAAA", "{token}.{token}", "{header}.{claims}.{signature}\r\nX: y",
	} {
		f.Add("", token, uint8(raw))
	}

	s := newStage(f, nil)
	tokens := func(idToken string) answer {
		quoted, _ := json.Marshal(idToken)
		return inJSON(strings.Replace(goodTokenOf, `"{id_token}"`, string(quoted), 1))
	}
	l := s.begin(f)
	s.learn(s.finish(f, l, tokens(s.sign(goodHeader, l.fill(goodClaims)))))
	s.learn(s.finish(f, s.begin(f), inJSON("{}")))
	s.learn(s.finish(f, s.begin(f), answer{status: http.StatusInternalServerError})) // the same page as without keys
	f.Fuzz(func(t *testing.T, header, claims string, way uint8) {
		s.reset()
		l := s.begin(t)
		if way %= ways; way == raw {
			good := s.sign(goodHeader, l.fill(goodClaims))
			part := strings.Split(good, ".")
			token := strings.NewReplacer("{token}", good, "{header}", part[0], "{claims}", part[1], "{signature}", part[2]).Replace(claims)
			w := s.finish(t, l, tokens(token))
			s.plain(t, w)
			if got := w.Code == http.StatusSeeOther; got && !strings.HasPrefix(token, part[0]+"."+part[1]+".") || !got && (token == good || w.Code != http.StatusBadGateway) {
				t.Errorf("%d for %q; %s", w.Code, token, s.log)
			}
			s.quiet(t, l.nonce)
			return
		}
		header, claims = l.fill(header), l.fill(claims)
		token := s.sign(header, claims)
		sub, holds, clear := judgeIDToken(header, claims, l.nonce, way == refreshed)
		if way == refreshed {
			cookies := kept(s.finish(t, l, tokens(s.sign(goodHeader, l.fill(goodClaims)))))
			s.says["/token"] = always(tokens(token))
			s.says["/thing"] = func(url.Values) answer { return answer{status: http.StatusUnauthorized} }
			s.inside = func(client *http.Client) {
				if resp, err := client.Get("https://api.test/thing"); err == nil {
					resp.Body.Close()
				}
			}
			s.get(t, "/dashboard", "", cookies)
			s.inside = nil
			alive := s.signedIn(t, cookies)
			// Keys are not fetched all the time. An ID token that no key at hand has
			// signed, as its header says, is then passed over, for want of newer ones.
			alg := last[string](members(header), "alg")
			noKey := header != goodHeader && (alg == nil || *alg == "ES256" || *alg == "RS256")
			if alive && (!holds && !noKey || s.user.Subject != "alice") || !alive && clear {
				t.Errorf("signed in: %t, as %q; the ID token holds: %t; %s", alive, s.user.Subject, holds, s.log)
			}
			s.quiet(t, l.nonce)
			return
		}
		w := s.finish(t, l, tokens(token))
		if len(claims) < 2500 || w.Code != http.StatusSeeOther {
			s.plain(t, w)
		}
		switch got := w.Code == http.StatusSeeOther; {
		case got && !holds:
			t.Errorf("signed in by %s %s", header, claims)
		case !got && clear, !got && w.Code != http.StatusBadGateway && len(claims) < 2500:
			t.Errorf("not signed in: %d %s", w.Code, s.log)
		case got && (!s.signedIn(t, kept(w)) || s.user.Subject != sub || s.user.Issuer != "https://provider.test"):
			t.Errorf("signed in as %q at %q", s.user.Subject, s.user.Issuer)
		// RFC 9700 section 4.5.3.2: until the ID token is verified, all tokens are disregarded.
		case !holds && s.asked["/userinfo"] > 0:
			t.Error("user info was asked for")
		}
		s.quiet(t, l.nonce)
	})
}

// OpenID Connect Core section 5.3.2: user info adds to who signed in, and never
// says that it was somebody else, whichever of two members a reader takes.
func FuzzUserInfo(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
	}{
		{200, `{"sub":"alice","name":"Alice","email":"alice@example.com","email_verified":true}`},
		{200, `{"sub":"mallory"}`},
		{200, `{"sub":"Alice"}`},
		{200, `{}`},
		{200, `{"sub":""}`},
		{200, `{"sub":["alice"]}`},
		{200, `{"SUB":"alice"}`},
		{200, `{"sub":"mallory","sub":"alice"}`},
		{200, `{"sub":"alice","sub":"mallory"}`},
		{200, `{"sub":"alice","SUB":"mallory"}`},
		{200, `{"sub":"alice","\u017fub":"mallory"}`},
		{200, `{"s\u0075b":"alice","iss":"https://evil.test","aud":"evil","groups":["admin"]}`},
		{200, `{"sub":"alice","Groups":["admin"],"group\u017f":["admin"],"Iss":"https://evil.test","i\u017fs":"https://evil.test"}`},
		{200, `{"sub":"alice","acr":"phr","auth_time":1,"amr":["x"],"nonce":"x","Acr":"phr","Auth_Time":"x"}`},
		{200, `{"sub":"alice","email":"a@b","email_verified":"true"}`},
		{200, `{"sub":"alice","email_verified":true}`},
		{200, `{"sub":"alice","email":"a@b","email_verified":true,"email_verified":false}`},
		{200, `{"sub":"alice","email":"a@b","EMAIL_VERIFIED":true}`},
		{200, `{"sub":"alice","email":["a@b"],"email_verified":true}`},
		{200, `{"sub":"alice","name":1,"preferred_username":"<script>"}`},
		{200, `{"sub":"alice\u0000"}`},
		{200, `[{"sub":"alice"}]`},
		{200, `null`},
		{200, ``},
		{200, hostile},
		{200, `{"sub":"alice"}{}`},
		{200, "\ufeff" + `{"sub":"alice"}`},
		{200, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."},
		{401, `{"sub":"mallory"}`},
		{403, hostile},
		{404, ""},
		{500, `{"sub":"alice"}`},
		{503, ""},
		{204, ""},
		{302, `{"sub":"alice"}`},
		{200, `{"sub":"alice","x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`},
	} {
		f.Add(seed.status-200, seed.body)
	}
	s := newStage(f, nil)
	claims := strings.TrimSuffix(goodClaims, "}") + `,"groups":["user"]}`
	come := func(t testing.TB, a answer) *httptest.ResponseRecorder {
		s.says["/userinfo"] = always(a)
		l := s.begin(t)
		return s.finish(t, l, inJSON(strings.ReplaceAll(goodTokenOf, "{id_token}", s.sign(goodHeader, l.fill(claims)))))
	}
	for _, a := range []answer{inJSON(`{"sub":"alice"}`), inJSON(`{}`), {status: 500}, inJSON(`{"sub":"alice","x":"` + incompressible(5000) + `"}`), inJSON(`{"sub":"alice","x":"` + incompressible(30_000) + `"}`)} {
		s.learn(come(f, a))
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		s.reset()
		a := answer{200 + int(uint(status)%400), "application/json", body}
		w := come(t, a)
		if len(body) < 2000 || w.Code != http.StatusSeeOther {
			s.plain(t, w)
		}
		info := members(body)
		sub := last[string](info, "sub")
		unasked := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
		of := a.status == http.StatusOK && sub != nil && *sub == "alice"
		switch got := w.Code == http.StatusSeeOther; {
		case got && !unasked && !of:
			t.Errorf("signed in by %d %s", a.status, body)
		case !got && (unasked || of) && len(body) < 2000, !got && w.Code != http.StatusBadGateway && len(body) < 2000:
			t.Errorf("not signed in: %d %s", w.Code, s.log)
		case !got:
			return
		}
		if !s.signedIn(t, kept(w)) || s.user.Subject != "alice" || s.user.Issuer != "https://provider.test" {
			t.Fatalf("signed in as %q at %q", s.user.Subject, s.user.Issuer)
		}
		all := members(string(s.user.RawClaims))
		for name, values := range all {
			if len(values) != 1 {
				t.Errorf("%d claims %q: %s", len(values), name, s.user.RawClaims)
			}
		}
		// What was signed stays as it was, for readers of any kind.
		var signed struct {
			Sub, Iss, Aud, Acr string
			Groups             []string
			AuthTime           string `json:"auth_time"`
		}
		if err := s.user.Claims(&signed); err != nil || signed.Sub != "alice" || signed.Iss != "https://provider.test" || signed.Aud != "app" ||
			!slices.Equal(signed.Groups, []string{"user"}) || all["acr"] != nil || all["amr"] != nil || all["auth_time"] != nil || signed.Acr+signed.AuthTime != "" {
			t.Errorf("claims %s: %v", s.user.RawClaims, err)
		}
		verified := last[any](info, "email_verified")
		if email := last[string](info, "email"); s.user.EmailVerified && (unasked || email == nil || s.user.Email != *email || verified == nil || *verified != true) {
			t.Errorf("%q is verified by %s", s.user.Email, body)
		}
	})
}

// RFC 9700 section 4.11, OpenID Connect RP-Initiated Logout: whatever a logout is
// asked with, it ends the session and leads to the provider or stays here; what
// comes back from there stays here too; and what another site asks does nothing.
func FuzzLogout(f *testing.F) {
	s := newStage(f, nil)
	session := s.signIn(f, goodClaims, goodTokenOf)
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
		{"", "", "", "", "{session}x; " + flowPrefix + "x=y; " + sessionCookie + ".4=", "a=b"},
		{"", "", "", "", "x; " + flowPrefix + "x", ""}, // a cookie without a value
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	ordinary := func(site, cookies string) { // learns what there is but for Location
		s.restart(f)
		w := s.do(f, http.MethodPost, "/logout", "", "", "Sec-Fetch-Site", site, "Cookie", cookies)
		w.Header().Del("Location")
		s.learn(w)
	}
	ordinary("", "")
	ordinary("", session)
	ordinary("cross-site", session)
	f.Fuzz(func(t *testing.T, query, body, contentType, site, cookies, back string) {
		s.restart(t)
		cookies = strings.ReplaceAll(cookies, "{session}", session)
		name, value, _ := strings.Cut(session, "=")
		signedIn := chunksOf(cookies)[name] == value
		w := s.do(t, http.MethodPost, "/logout", query, body, "Content-Type", contentType, "Sec-Fetch-Site", site, "Cookie", cookies)
		location := w.Header().Get("Location")
		w.Header().Del("Location")
		if !strings.Contains(strings.ReplaceAll(cookies, session, ""), sessionCookie) { // or there are more of them to expire
			s.plain(t, w)
		}
		if len(w.Header()["Set-Cookie"]) > 70 {
			t.Errorf("%d cookies", len(w.Header()["Set-Cookie"]))
		}
		// http.CrossOriginProtection, without an Origin.
		if site != "" && site != "same-origin" && site != "none" {
			if w.Code != http.StatusForbidden || location != "" || len(w.Header()["Set-Cookie"]) > 0 || s.signedIn(t, cookies) != signedIn {
				t.Errorf("another site: %d to %q, cookies %v", w.Code, location, w.Header()["Set-Cookie"])
			}
			return
		}
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Set-Cookie"), sessionCookie+"=; ") && signedIn || kept(w) != "" || s.signedIn(t, cookies) {
			t.Fatalf("%d %v", w.Code, w.Header())
		}

		// What was asked for, if that is one thing.
		inQuery, _ := url.ParseQuery(query)
		inBody, _ := url.ParseQuery(body)
		var asked string
		if candidates := slices.Concat(inQuery["return_to"], inBody["return_to"]); !signedIn {
			if !slices.Contains(candidates, location) {
				asked = location // "/", or stays says what is wrong
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
			sent.Get("client_id") != "app" || sent.Get("post_logout_redirect_uri") != ourOrigin+"/" || strings.Count(sent.Get("id_token_hint"), ".") != 2 {
			t.Fatalf("led to %q", location)
		}
		state := sent.Get("state")
		home := s.get(t, "/", "state="+url.QueryEscape(state), "").Header().Get("Location")
		if home != "/" && home != asked && (len(inQuery["return_to"])+len(inBody["return_to"]) < 2 || !slices.Contains(inBody["return_to"], home)) {
			t.Errorf("came home to %q, asked for %q", home, asked)
		}
		stays(t, home, home)

		back = strings.ReplaceAll(back, "{state}", url.QueryEscape(state))
		w = s.get(t, "/", back, cookies)
		got := w.Header().Get("Location")
		states, _ := url.ParseQuery(back)
		if ours := states.Get("state") == state; got != "" && (!ours || got != home) || len(w.Header()["Set-Cookie"]) > 0 || w.Code != http.StatusOK && w.Code != http.StatusSeeOther {
			t.Errorf("%d to %q, with %v", w.Code, got, w.Header())
		}
		s.quiet(t, state, value, "an-access-token", "a-refresh-token")
	})
}

// isSafeToSend reports whether a URL is one that tokens and users can be sent to:
// https, or http on loopback (RFC 8252 section 7.3).
func isSafeToSend(rawURL string) bool {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		authority = rest[:i]
	}
	if authority == "" || strings.Contains(authority, "@") {
		return false
	}
	host := authority
	if i := strings.LastIndex(authority, ":"); i > strings.LastIndex(authority, "]") {
		host = authority[:i]
	}
	host, _, _ = strings.Cut(strings.Trim(host, "[]"), "%") // zone
	ip := net.ParseIP(host)
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http") && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback())
}

// OpenID Connect Discovery section 4.3, RFC 8414 section 3.3: metadata leads to
// a place that is safe to be led to, with our own parameters, or to an error.
func FuzzDiscovery(f *testing.F) {
	set := func(name, value string) string {
		return regexp.MustCompile(`"`+name+`":("[^"]*"|\[[^\]]*\])`).ReplaceAllLiteralString(fuzzMetadata, `"`+name+`":`+value)
	}
	for _, seed := range []string{
		fuzzMetadata, set("issuer", `"https://evil.test"`), set("issuer", `"https://provider.test/"`), set("issuer", `["https://provider.test"]`), set("issuer", `null`), strings.Replace(fuzzMetadata, "issuer", "ISSUER", 1), strings.Replace(fuzzMetadata, "{", `{"issuer":"https://evil.test",`, 1),
		set("authorization_endpoint", `"http://provider.test/authorize"`), set("authorization_endpoint", `"http://127.0.0.1:8080/authorize"`), set("authorization_endpoint", `"http://localhost.evil.test/"`), set("authorization_endpoint", `"javascript:alert(1)//"`), set("authorization_endpoint", `"/authorize"`), set("authorization_endpoint", `"//provider.test/authorize"`),
		set("authorization_endpoint", `"https://provider.test/authorize#"`), set("authorization_endpoint", `"https://provider.test/%zz"`), set("authorization_endpoint", `"https://user:pass@provider.test/"`), set("authorization_endpoint", `"https://provider.test/authorize?state=x&client_id=y&tenant=a%20b&state=z"`), set("authorization_endpoint", `"https:///authorize"`), set("authorization_endpoint", `"https:opaque"`),
		set("authorization_endpoint", `"HTTPS://PROVIDER.test\\@evil.test/"`), set("authorization_endpoint", `" https://provider.test/"`), set("authorization_endpoint", `"https://provider.test/\r\nX: y"`), set("authorization_endpoint", `"http://[::1]/a"`), set("authorization_endpoint", `"http://[::ffff:127.0.0.1%25x]/a"`), set("authorization_endpoint", "\"http://[::ffff:127.0.0.1%25\xc8x]/a\""), set("authorization_endpoint", `"https://provider.test?max_age=x&acr_values=a"`), set("authorization_endpoint", `""`), set("authorization_endpoint", `1`),
		set("token_endpoint", `"http://provider.test/token"`), set("jwks_uri", `"ftp://provider.test/"`), set("userinfo_endpoint", `"http://127.0.0.1.evil.test/"`), set("end_session_endpoint", `"http://provider.test/"`), set("token_endpoint", `null`), set("jwks_uri", `""`),
		set("id_token_signing_alg_values_supported", `["none"]`), set("id_token_signing_alg_values_supported", `["HS256"]`), set("id_token_signing_alg_values_supported", `"RS256"`), set("id_token_signing_alg_values_supported", `[]`), set("id_token_signing_alg_values_supported", `[1]`),
		"", "null", "{}", "[]", hostile, fuzzMetadata[:60], fuzzMetadata + fuzzMetadata, "\ufeff" + fuzzMetadata,
	} {
		f.Add(seed)
	}
	s := newStage(f, nil)
	come := func(t testing.TB, body string) *httptest.ResponseRecorder {
		s.says["/.well-known/openid-configuration"] = always(inJSON(body))
		s.restart(t)
		return s.get(t, "/login", "return_to=%2Fdashboard", "")
	}
	for _, body := range []string{fuzzMetadata, "{}", strings.Replace(fuzzMetadata, "/authorize", "/authorize?max_age=x", 1)} {
		w := come(f, body)
		w.Header().Del("Location")
		s.learn(w)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := come(t, body)
		location := w.Header().Get("Location")
		w.Header().Del("Location")
		s.plain(t, w)
		s.quiet(t)
		doc := members(body)
		if w.Code != http.StatusSeeOther {
			if location != "" || body == fuzzMetadata || w.Code == http.StatusInternalServerError && !strings.Contains(s.log.String(), "max_age") {
				t.Errorf("%d to %q: %s", w.Code, location, s.log)
			}
			return
		}
		endpoint := last[string](doc, "authorization_endpoint")
		issuer := last[string](doc, "issuer")
		if spelled := once(doc, "issuer", "authorization_endpoint"); spelled && (endpoint == nil || issuer == nil || *issuer != "https://provider.test") {
			t.Errorf("taken for metadata: %s", body)
		} else if spelled {
			// Up to its query the endpoint is there as it was written, but for escapes and case of the scheme.
			want, err := url.Parse(*endpoint)
			u, err2 := url.Parse(location)
			zone := err == nil && strings.Contains(want.Host, "%") // net/url writes what it does not read
			if !zone && (err != nil || err2 != nil || u.Host != want.Host || u.Scheme != want.Scheme || u.Path != want.Path) {
				t.Errorf("led to %q, not to %q", location, *endpoint)
			}
		}
		for _, name := range []string{"token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint", "end_session_endpoint"} {
			if e := last[string](doc, name); once(doc, name) && e != nil && *e != "" && !isSafeToSend(*e) {
				t.Errorf("%s %q was taken", name, *e)
			}
		}
		if !isSafeToSend(location) || strings.Contains(location, "#") || !printableASCII(location) || strings.ContainsAny(location, "\\ ") {
			t.Errorf("led to %q", location)
		}
		_, query, _ := strings.Cut(location, "?")
		sent := parameters(query)
		for name, want := range map[string]string{"client_id": "app", "redirect_uri": ourOrigin + "/auth/callback", "response_type": "code", "scope": "openid", "code_challenge_method": "S256", "state": "", "nonce": "", "code_challenge": ""} {
			if values := sent[name]; len(values) != 1 || want != "" && values[0] != want || want == "" && len(values[0]) != 43 {
				t.Errorf("%s is %q in %q", name, values, location)
			}
		}
	})
}

// RFC 7517: a set of keys that does not have the provider's key in it lets
// nobody in, whatever else it has.
func FuzzJWKS(f *testing.F) {
	s := newStage(f, nil)
	raw, _ := json.Marshal(ecJWK(s.key, "k"))
	jwk := string(raw)
	x, y := ecJWK(s.key, "k")["x"].(string), ecJWK(s.key, "k")["y"].(string)
	const key = `{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","use":"sig","x":"{x}","y":"{y}"}`
	for _, seed := range []string{
		`{"keys":[` + key + `]}`, `{"keys":[]}`, `{"keys":null}`, `{}`, `[]`, ``, `null`, hostile, `{"keys":[` + key + `,` + key + `]}`, `{"KEYS":[` + key + `]}`, `{"keys":` + key + `}`, `{"keys":[null,1,"x",` + key + `]}`, `{"keys":[],"keys":[` + key + `]}`, `{"keys":[` + key + `],"keys":[]}`,
		`{"keys":[` + strings.Replace(key, `"k"`, `"x"`, 1) + `]}`, `{"keys":[` + strings.Replace(key, `"kid":"k",`, ``, 1) + `]}`, `{"keys":[` + strings.Replace(key, "{x}", "{y}", 1) + `]}`, `{"keys":[` + strings.Replace(key, "P-256", "P-384", 1) + `]}`, `{"keys":[` + strings.Replace(key, "sig", "enc", 1) + `]}`, `{"keys":[` + strings.Replace(key, `"ES256"`, `"none"`, 1) + `]}`, `{"keys":[` + strings.Replace(key, `"x":"{x}"`, `"x":"AA"`, 1) + `]}`,
		`{"keys":[{"kty":"oct","kid":"k","k":"AAAA"}]}`, `{"keys":[{"kty":"oct","kid":"k","alg":"ES256","k":"{x}"},` + key + `]}`, `{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"RSA","kid":"k","n":"","e":""}]}`, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}]}`, `{"keys":[{"kty":"EC","kid":"k"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"","y":""}]}`, `{"keys":[{"kty":"RSA","kid":"k","x5c":["AAAA"],"n":"AQAB","e":"AQAB"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"{x}","y":"{y}","d":"AAAA"}]}`, `{"keys":[` + strings.Replace(key, `"k"`, `1`, 1) + `]}`, `{"keys":[{"kty":"oct","kid":"k","k":""}]}`,
	} {
		f.Add(seed)
	}
	come := func(t testing.TB, body string) *httptest.ResponseRecorder {
		s.says["/jwks"] = always(inJSON(body))
		s.restart(t)
		l := s.begin(t)
		return s.finish(t, l, inJSON(strings.ReplaceAll(goodTokenOf, "{id_token}", s.sign(goodHeader, l.fill(goodClaims)))))
	}
	for _, body := range []string{`{"keys":[` + jwk + `]}`, `{"keys":[]}`, ""} {
		s.learn(come(f, body))
	}
	f.Fuzz(func(t *testing.T, body string) {
		body = strings.NewReplacer("{x}", x, "{y}", y).Replace(body)
		w := come(t, body)
		s.plain(t, w)
		s.quiet(t, x, "an-access-token")
		got := w.Code == http.StatusSeeOther
		if got && !(strings.Contains(body, x) && strings.Contains(body, y)) || !got && w.Code != http.StatusBadGateway || !got && body == `{"keys":[`+jwk+`]}` {
			t.Errorf("%d with %s: %s", w.Code, body, s.log)
		}
		if s.signedIn(t, kept(w)) != got || s.asked["/jwks"] > 2 {
			t.Errorf("signed in: %t, after %d fetches of keys", !got, s.asked["/jwks"])
		}
	})
}
