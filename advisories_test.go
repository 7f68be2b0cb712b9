package oauthlogin_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"go/version"
	"io"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/gorilla/sessions"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// What went wrong in software like this, one row for each cause: the advisory,
// whose it is, and what happened there. The row's function does the same to us.
//
// The attacker is mallory, and everything that is hers has "hostile" in it; the
// victim is alice. What each attack has to leave behind is an aftermath.
func TestAdvisories(t *testing.T) {
	for _, advisory := range []struct {
		name   string
		attack func(t *testing.T)
	}{
		{`CVE-2020-5233 GHSA-qqxw-m5fj-f7gv oauth2-proxy: /\ passed for a local path`, backslashes},
		{"CVE-2020-11053 GHSA-j7px-6hwj-hpjg oauth2-proxy: white space between slashes, once it is decoded", whiteSpace},
		{"CVE-2020-4037 GHSA-5m6c-jp6f-2vcv oauth2-proxy: and more forms of it", allHostilePaths},
		{"CVE-2021-21291 GHSA-4mf2-f3wh-gvf2 oauth2-proxy: a host that ends like ours passed for ours", hostsLikeOurs},
		{"CVE-2025-54576 GHSA-7rh7-c77v-6434 oauth2-proxy: a public path in the query opened a guarded one", publicPathInQuery},
		{"CVE-2026-41059 GHSA-pxq7-h93f-9jrg oauth2-proxy: a public path behind # opened a guarded one", publicPathInFragment},
		{"CVE-2026-40575 GHSA-7x63-xv5r-3p2x oauth2-proxy: X-Forwarded-Uri decided what is guarded", forwardedHeaders},
		{"CVE-2026-34457 GHSA-5hvv-m4w4-gf6v oauth2-proxy: the User-Agent of a health check opened everything", healthChecks},
		{"CVE-2026-34454 GHSA-f24x-5g9q-753f oauth2-proxy: a session cookie that stayed", cookiesThatStay},
		{"CVE-2026-40574 GHSA-c5c4-8r6x-56w3 oauth2-proxy, GHSA-7rqj-j65f-68wh next-auth, CVE-2024-27918 Coder: half of an e-mail address was compared", emailAddresses},
		{"CVE-2025-64484 GHSA-vjrc-mh2v-45x6 oauth2-proxy: X_Forwarded_User passed for X-Forwarded-User", identityHeaders},
		{"CVE-2017-1000069 CVE-2017-1000070 bitly/oauth2_proxy: no state, and a redirect anywhere", noState},
		{"CVE-2022-24794 GHSA-7p99-3798-f85c express-openid-connect: GET //evil on a catch-all was stored as the return path", requestTargets},
		{"CVE-2021-41246 GHSA-7rg2-qxmf-hhx9 express-openid-connect, mod_auth_openidc: the login went into the session that was there", sessionFixation},
		{"CVE-2021-43812 GHSA-2mqv-4j3r-vjvp nextjs-auth0: returnTo with a host, and again after a rewrite", returnToWithHost},
		{"CVE-2021-32702 GHSA-954c-jjx6-cxv7 nextjs-auth0, CVE-2026-33758 OpenBao, CVE-2026-40302 zrok, CVE-2021-45325 Gitea: the error page repeated the error", reflectedErrors},
		{"CVE-2025-48947 nextjs-auth0, CVE-2025-64762 authkit-nextjs: a shared cache kept a session", sharedCaches},
		{"CVE-2025-67716 GHSA-mr6f-h57v-rpj5 nextjs-auth0: the return path brought parameters of its own", injectedParameters},
		{"CVE-2025-67490 GHSA-wcgj-f865-c7j7 nextjs-auth0: users at the same time got each other's tokens", usersAtOnce},
		{"CVE-2026-33544 GHSA-9q5m-jfc4-wc92 tinyauth: two logins shared a verifier", interleavedLogins},
		{"CVE-2023-27490 GHSA-7r7x-4c4q-c4qf next-auth: without its cookies a callback was not checked", droppedFlowCookies},
		{"CVE-2023-48309 GHSA-v64w-49xw-qq89 next-auth: a pending login passed for a session", flowAsSession},
		{"CVE-2022-24858 CVE-2022-29214 next-auth: callbackUrl led anywhere", otherNamesOfReturnTo},
		{"CVE-2022-31093 next-auth: a malformed callbackUrl hung the request", malformedReturnTo},
		{"GHSA-8fpg-xm3f-6cx3 next-auth: a broken provider let everybody in", brokenProvider},
		{"CVE-2025-31492 GHSA-59jp-rwph-878r mod_auth_openidc: the protected page followed the login page", pageAfterRefusal},
		{"CVE-2019-14857 CVE-2019-20479 CVE-2021-32786 CVE-2021-39191 CVE-2022-23527 mod_auth_openidc: redirects by backslash, tab and target_link_uri", thirdPartyInitiated},
		{"CVE-2021-32791 GHSA-px3c-6x7j-3r9r mod_auth_openidc: a static IV", sealedTwice},
		{"CVE-2021-32792 mod_auth_openidc: a POST was replayed into a page", replayedPost},
		{"CVE-2021-32785 mod_auth_openidc: input as a format string", logInjection},
		{"CVE-2024-24814 mod_auth_openidc, CVE-2026-40303 GHSA-cpf9-ph2j-ccr9 zrok: the client said how many chunks there are", chunkCounts},
		{"CVE-2023-28625 mod_auth_openidc: a Cookie header crashed the server", cookieHeaders},
		{"CVE-2025-3891 mod_auth_openidc: a POST without Content-Type crashed the server", oddRequests},
		{"goth/gothic: /login?state= fixed the state", fixedState},
		{"CVE-2015-9284 OmniAuth: another site started a login that changed the account", crossSiteLogin},
		{"CVE-2025-68158 GHSA-fg6f-75jq-6523 Authlib, CVE-2025-12419 Mattermost, fastapi-sso: any browser could complete a login", loginCSRF},
		{"RFC 9700 section 4.5: the attacker's code with the victim's state", codeInjection},
		{"RFC 9700 section 4.4: one provider answered for another", mixUp},
		{"CVE-2021-41580 GHSA-f794-r6xc-hf3v passport-oauth2: an error with status 200 was a success", errorWithStatusOK},
		{"CVE-2024-28180 GHSA-2c7c-3mj9-8fqh CVE-2026-34986 go-jose, CVE-2024-28122 CVE-2023-49290 CVE-2024-21664 jwx, GHSA-g7f3-828f-7h7m Authlib: JWE that cost time, memory or the process", encryptedTokens},
		{"CVE-2016-9122 square/go-jose, CVE-2026-33322 MinIO, CVE-2026-27962 Authlib: the token chose key and algorithm", keyConfusion},
		{"CVE-2026-40946 Oxia, CVE-2026-55689 OpenFGA, CVE-2026-44428 MCP registry: no client ID, no check of the audience", noAudience},
		{"CVE-2026-55076 CVE-2026-55075 Coder, CVE-2024-38351 PocketBase, CVE-2026-41574 Nhost, CVE-2026-23990 Flux: any email_verified was true, and empty claims were a user", coercedClaims},
		{"GHSA-3rw9-wmc8-8948 Coder: sessions without a refresh token outlived the provider's word", sessionsOutliveTokens},
		{"CVE-2021-41230 CVE-2021-29651 CVE-2021-29652 CVE-2024-39315 Pomerium: stale claims, and tokens in pages and URLs", tokensInPages},
		{"CVE-2024-21492 to CVE-2024-21500 caddy-security: logged out and still in; X-Forwarded-For, X-Forwarded-Proto, XSS", escapedPages},
		{"CVE-2022-31034 Argo CD: guessable state and verifier", randomness},
		{"CVE-2022-31105 Argo CD, CVE-2025-66001 NeuVector: certificates were not verified", unverifiedTLS},
		{"CVE-2026-48058 nebula-mesh, CVE-2022-4683 memos: cookies without Secure", insecureCookies},
		{"CVE-2026-30224 OliveTin, CVE-2025-53826 File Browser: the cookie went on working after the logout", replayAfterLogout},
		{"CVE-2024-52801 SFTPGo: guessable session ids", sessionIDs},
		{"CVE-2024-6535 Skupper: the cookie secret was a constant", staticKeys},
		{"CVE-2026-53523 Nezha, GHSA-vrw8-fxc6-2r93 chi: the Host header made redirect_uri and Location", hostHeader},
		{"GHSA-mqqf-5wvp-8fh8 chi, CVE-2022-40083 echo, CVE-2022-28923 Caddy, CVE-2026-44427 MCP registry, CVE-2025-67713 CVE-2026-55185 miniflux, CVE-2026-55252 OpenRun, CVE-2026-49820 Probo, " +
			"CVE-2026-25779 Gitea, CVE-2026-52802 Gogs, CVE-2026-49826 Concourse, GHSA-wcx9-ccpj-hx3c Coder, GHSA-grh9-37g7-53mj wg-portal: a path was cleaned after it was checked", cleanedPaths},
		{"CVE-2026-49478 Fulcio, CVE-2025-52477 Octo STS, CVE-2026-23603 Gitea: discovery followed redirects, and picture was fetched", serverSideRequests},
		{"CVE-2025-24358 CVE-2025-47909 gorilla/csrf, CVE-2025-46721 nosurf: checks of the origin that did not check", crossSiteLogout},
		{"CVE-2025-47910 CVE-2025-58186 net/http, CVE-2025-61726 net/url: a standard library that is too old", standardLibrary},
		{"CVE-2023-45289 CVE-2024-45336 CVE-2025-4673 net/http: credentials followed a redirect", credentialsOnRedirects},
		{"GO-2024-2730 gorilla/sessions: a session id that is a path", sessionIDAsPath},
		{"gorilla/securecookie, no advisory: every bit of every cookie counts", everyBit},
		{"vouch-proxy, its own list: a URL in the URL, data:, javascript:, hosts with a suffix", urlsInURLs},
	} {
		t.Run(advisory.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, advisory.attack)
		})
	}
}

// And what costs memory. Not parallel, so that the heap is its own.
func TestAdvisoriesBounds(t *testing.T) {
	for _, advisory := range []struct {
		name   string
		attack func(t *testing.T)
	}{
		{"CVE-2025-22868 GO-2025-3488 x/oauth2, CVE-2025-30204 golang-jwt, CVE-2025-27144 go-jose: a token of many dots", manyDots},
		{"CVE-2024-28180, and what a transport inflates by itself", inflatedAnswers},
		{"CVE-2026-55512 nebula-mesh, CVE-2026-67437 CVE-2026-28789 OliveTin: each /login grew a map, and two at once broke it", manyLogins},
		{"CVE-2021-22119 Spring Security: many authorization requests filled the session", manyFlows},
	} {
		t.Run(advisory.name, func(t *testing.T) { synctest.Test(t, advisory.attack) })
	}
}

// No such thing here: lists of allowed redirect or e-mail domains, paths that
// skip the gate, identity headers for upstreams, Redis, stored POST bodies,
// decryption of tokens, a userinfo endpoint of our own. Their rows attack what
// comes nearest.

// An attackedApp is an application that keeps a record of all that it said to
// browsers, and of what was asked of the attacker's host. Its clock is that of
// a synctest bubble.
type attackedApp struct {
	*wiredApp
	t *testing.T

	mu      sync.Mutex
	said    strings.Builder // headers but for Location and Set-Cookie, and our own pages
	told    []string        // Locations
	reached []*http.Request // at hostile.test, by us
}

// newAttackedApp is newWiredApp with two paths more: /admin/ is guarded, and
// /start begins a login by StartLogin for the parameter to. What is logged has
// to be fit for one line of any log, whatever its handler escapes.
func newAttackedApp(t *testing.T, with offline) *attackedApp {
	t.Helper()
	a := &attackedApp{t: t}
	change := with.change
	with.change = func(opts *oauthlogin.Options) {
		log, _ := opts.Logger.Handler().(*slog.TextHandler)
		opts.Logger = slog.New(&printableOnly{log, t})
		if change != nil {
			change(opts)
		}
	}
	a.wiredApp = newWiredApp(t, with)
	a.provider.SetKeyAlg("ES256")
	a.more = func(mux *http.ServeMux) {
		mux.Handle("/admin/", a.gate())
		mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
			a.auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: r.URL.Query().Get("to")})
		})
	}
	a.net["app.test"] = a.recorded(a.net["app.test"])
	a.net["hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.reached = append(a.reached, r)
		a.mu.Unlock()
		r.URL.Host, r.Host = "provider.test", "provider.test" // a copy that answers as well
		a.provider.ServeHTTP(w, r)
	})
	return a
}

// gate is RequireAuth around a page that counts as /admin.
func (a *attackedApp) gate() http.Handler {
	return a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.app.mu.Lock()
		a.calls["/admin"]++
		a.app.mu.Unlock()
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "secrets of %s", s.User.Subject)
	}))
}

// catchAll is an application that is nothing but the gate.
func (a *attackedApp) catchAll() http.Handler { return a.recorded(audited(a.t, true, a.gate())) }

func (a *attackedApp) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		a.mu.Lock()
		defer a.mu.Unlock()
		for name, values := range rec.Header() {
			w.Header()[name] = values
			for _, value := range values {
				if strings.ContainsFunc(name+value, unicode.IsControl) {
					a.t.Errorf("%s %s: header %q: %q", r.Method, r.URL.Path, name, value)
				}
				switch {
				case name == "Location":
					a.told = append(a.told, value)
				case name != "Set-Cookie":
					fmt.Fprintln(&a.said, name, value)
				case !strings.HasPrefix(value, sessionCookie):
					a.t.Errorf("%s %s: Set-Cookie %q", r.Method, r.URL.Path, value)
				}
			}
		}
		if rec.Code != http.StatusOK { // which only pages of the application have
			a.said.Write(rec.Body.Bytes())
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// printableOnly fails the test if a log line is not one line, or could be
// more than text on a terminal.
type printableOnly struct {
	*slog.TextHandler
	t *testing.T
}

func (h *printableOnly) Handle(ctx context.Context, r slog.Record) error {
	check := func(text string) {
		if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) || strings.Contains(text, "%!") {
			h.t.Errorf("logs %q", text)
		}
	}
	check(r.Message)
	r.Attrs(func(attr slog.Attr) bool {
		check(attr.Value.Resolve().String())
		return true
	})
	return h.TextHandler.Handle(ctx, r)
}

// An aftermath is what there is after an attack. What it does not name was
// saved: nobody is signed in, no code went out, no guarded handler ran.
type aftermath struct {
	user  string // whom the browser is signed in as
	codes int    // that went to the token endpoint
	runs  int    // of guarded handlers
	asked int    // requests to the attacker's host
}

// leaves fails the test unless the attack left this behind: in the browser, at
// the provider, behind the gate, and in everything that was said, logged or
// redirected to. Then the provider is itself again, and the same browser can
// sign in.
func (a *attackedApp) leaves(b *browser, want aftermath) {
	t := a.t
	t.Helper()
	runs := func() int { return a.called("/dashboard") + a.called("/api/me") + a.called("/admin") }
	got := aftermath{codes: a.provider.Count(oauthlogintest.Token), runs: runs()}
	if user := strings.TrimPrefix(b.get("/").body, "home of "); user != "nobody" {
		got.user = user
	}
	if signedIn := b.signedIn(); signedIn != (got.user != "") {
		t.Errorf("home of %q, and the gate is open: %t", got.user, signedIn)
	}
	a.mu.Lock()
	got.asked = len(a.reached)
	told, said := slices.Clone(a.told), a.said.String()
	a.mu.Unlock()
	if got != want {
		t.Errorf("left behind: %+v; want %+v", got, want)
	}
	for _, location := range told {
		switch origin := browserOrigin(location); {
		case origin == "https://provider.test":
			if strings.Contains(location, "hostile") {
				t.Errorf("provider was asked at %s", location)
			}
		case origin != "https://app.test":
			t.Errorf("led to %q, which is %s", location, origin)
		}
	}
	a.leaks(t, said)

	a.provider.MapDiscovery(nil)
	a.provider.MapTokenResponse(nil)
	a.provider.MapIDToken(nil)
	a.provider.SignWith(nil)
	a.provider.MapUserInfo(nil)
	for _, e := range []oauthlogintest.Endpoint{
		oauthlogintest.Discovery, oauthlogintest.JWKS, oauthlogintest.Authorization, oauthlogintest.Token,
		oauthlogintest.UserInfo, oauthlogintest.Revocation, oauthlogintest.EndSession,
	} {
		a.provider.Intercept(e, nil)
	}
	a.wire.cutBy(nil)
	a.provider.AutoApprove("alice")
	time.Sleep(time.Minute) // past what failed discoveries and fetches of keys wait
	if resp := b.login("/dashboard"); !strings.Contains(resp.body, `"Subject":"alice"`) {
		t.Errorf("a clean login afterwards: %s", resp.body)
	}
}

// expect fails the test unless an answer has this status and Location.
func (a *attackedApp) expect(what string, resp *response, status int, location string) {
	a.t.Helper()
	if resp.StatusCode != status || resp.location() != location {
		a.t.Errorf("%s: %d to %q; want %d to %q", what, resp.StatusCode, resp.location(), status, location)
	}
}

// raw sends a request line and headers as they are to net/http's server in
// front of h, with the browser's cookies; nil is the application.
func (a *attackedApp) raw(b *browser, h http.Handler, line string, header ...string) *response {
	a.t.Helper()
	if h == nil {
		h = a.net["app.test"]
	}
	conn, err := servePipes(a.t, h).DialContext(a.t.Context(), "tcp", "app.test:443")
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	header = append(header, "Connection", "close")
	if !slices.Contains(header, "Host") {
		header = append(header, "Host", "app.test")
	}
	var request strings.Builder
	fmt.Fprintf(&request, "%s HTTP/1.1\r\n", line)
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&request, "%s: %s\r\n", header[i], header[i+1])
	}
	for name, value := range b.cookies() {
		fmt.Fprintf(&request, "Cookie: %s=%s\r\n", name, value)
	}
	go io.WriteString(conn, request.String()+"\r\n") // the answer may come before the end
	home, _ := url.Parse(a.URL)
	method, _, _ := strings.Cut(line, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method, URL: home})
	if err != nil {
		a.t.Fatalf("%q: %v", line, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatalf("%q: %v", line, err)
	}
	b.client.Jar.SetCookies(home, resp.Cookies())
	return &response{resp, string(body)}
}

// browserOrigin returns the origin that a browser at https://app.test goes to
// when it is told Location, or the scheme alone: the basic URL parser of the
// WHATWG URL standard, without net/url, which parses otherwise.
func browserOrigin(location string) string {
	const home = "https://app.test"
	rest := strings.TrimFunc(location, func(c rune) bool { return c <= ' ' })
	rest = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(rest)
	scheme, relative := "https", true
	if i := strings.IndexAny(rest, ":/?#"); i > 0 && rest[i] == ':' {
		scheme, rest = strings.ToLower(rest[:i]), rest[i+1:]
		relative = scheme == "https"
	}
	switch {
	case !slices.Contains([]string{"https", "http", "ws", "wss", "ftp"}, scheme):
		return scheme + ":"
	case relative && !strings.HasPrefix(rest, "//"):
		return home
	}
	host := strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return scheme + "://" + strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
}

// A test that cannot fail is worse than none.
func TestBrowserOrigin(t *testing.T) {
	for location, want := range map[string]string{
		"": "https://app.test", "/": "https://app.test", "x/y": "https://app.test", "?//x": "https://app.test", "#//x": "https://app.test",
		"/a//x": "https://app.test", "/.//x": "https://app.test", "/a?u=https://x": "https://app.test", "https:x": "https://app.test", "HTTPS:/x": "https://app.test",
		"//x": "https://x", "///x/y": "https://x", `/\x`: "https://x", `\/x`: "https://x", `\\x?y`: "https://x", "/\t/x": "https://x", "\n//x": "https://x",
		" //x": "https://x", "//app.test@x": "https://x", "//X:81#y": "https://x:81", "https://x": "https://x", `https:\\x`: "https://x", "http:x": "http://x",
		"ht\ntp://x": "http://x", "javascript:x": "javascript:", "java\tscript:x": "javascript:", "data:,x": "data:", " javascript://app.test": "javascript:",
	} {
		if got := browserOrigin(location); got != want {
			t.Errorf("%q leads to %s; want %s", location, got, want)
		}
	}
}

// staysHere asks for each path as the return path, by each way there is to ask.
func staysHere(t *testing.T, paths ...string) {
	t.Helper()
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, asked := range paths {
		query := url.QueryEscape(asked)
		for _, start := range []string{"/login?return_to=" + query, "/start?to=" + query} {
			a.mayLead(asked, b.get(b.callbackURL(start)))
		}
		// Through the provider's logout, and back by the state.
		out := b.post("/logout", url.Values{"return_to": {asked}})
		a.mayLead(asked, b.get(b.get(out.location()).location()))
		// And where there is no provider to tell.
		a.mayLead(asked, b.post("/logout?return_to="+query, nil))
	}
	a.leaves(b, aftermath{codes: 2 * len(paths)})
}

// mayLead fails the test unless an answer leads to our own origin, also once a
// proxy or http.Redirect has cleaned the path.
func (a *attackedApp) mayLead(asked string, resp *response) {
	a.t.Helper()
	location := resp.location()
	for _, read := range []string{location, path.Clean(location)} {
		if resp.StatusCode != http.StatusSeeOther || location == "" || browserOrigin(read) != "https://app.test" {
			a.t.Errorf("%q leads to %q with %d: %s", asked, read, resp.StatusCode, browserOrigin(read))
		}
	}
}

func backslashes(t *testing.T) {
	staysHere(t, `/\hostile.test`, `/\/hostile.test`, `\\hostile.test`, `\/hostile.test`, `/./\hostile.test`, `/a/..\..\\hostile.test`, "/%5chostile.test", "/%5C/hostile.test")
}

func whiteSpace(t *testing.T) {
	staysHere(t, "/\t/hostile.test", "/\n/hostile.test", "/\r/hostile.test", "/\v/hostile.test", "/ /hostile.test", "\t//hostile.test", "/\t\\hostile.test",
		"/%09/hostile.test", "/%0a/hostile.test", "/%0d/hostile.test", "/%2509/hostile.test", "/\u2028/hostile.test", "/\u00a0/hostile.test", "/\x00/hostile.test")
}

func allHostilePaths(t *testing.T) {
	var paths []string
	for _, row := range hostilePaths {
		paths = append(paths, row.path)
	}
	staysHere(t, paths...)
}

func hostsLikeOurs(t *testing.T) {
	staysHere(t, "https://app.test.hostile.test/", "https://hostile-app.test/", "https://app.test@hostile.test/", "https://app.test:443@hostile.test/",
		"//app.test.hostile.test/", `//app.test\.hostile.test/`, "//hostile.test/app.test", "//hostile.test?.app.test", "//hostile.test#.app.test", ".hostile.test", "@hostile.test", ":80@hostile.test")

	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, host := range []string{"app.test.hostile.test", "hostile-app.test", "app.test@hostile.test", "app.test:443.hostile.test"} {
		resp := b.get("/dashboard", append(asScript, "Referer", "https://"+host+"/hostile")...)
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.body, `"/login?return_to=%2Fdashboard"`) {
			t.Errorf("a page of %s: %d %s", host, resp.StatusCode, resp.body)
		}
		a.expect("a logout by "+host, b.post("/logout", nil, "Origin", "https://"+host), http.StatusForbidden, "")
	}
	a.leaves(b, aftermath{})
}

func returnToWithHost(t *testing.T) {
	staysHere(t, "https://hostile.test", "http://hostile.test/dashboard", "https:hostile.test", "https:/hostile.test", "https:///hostile.test", "//hostile.test/dashboard",
		"///hostile.test", "////hostile.test", "HTTPS://hostile.test", "ftp://hostile.test", "hostile.test", "//hostile.test:443/dashboard", "//hostile%E3%80%82test", "//user:pass@hostile.test",
		"//[::ffff:7f00:1]/", "//2130706433/", "https://app.test/dashboard", "//app.test/dashboard")
}

func thirdPartyInitiated(t *testing.T) {
	hostile := []string{`/\hostile.test`, "/\t/hostile.test", "//hostile.test", "https://hostile.test", "https:///hostile.test", "/%5chostile.test", "/;@hostile.test", "///;@hostile.test"}
	staysHere(t, hostile...)

	// OpenID Connect Core section 4: parameters that we do not have.
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, target := range hostile {
		target = url.QueryEscape(target)
		a.expect(target, b.get(b.callbackURL("/login?iss=https%3A%2F%2Fhostile.test&login_hint=hostile&target_link_uri="+target)), http.StatusSeeOther, "/")
		// After a logout that nobody made: any link leads somewhere, but not away.
		if resp := b.get("/?state=" + target); resp.StatusCode != http.StatusOK {
			t.Errorf("state %s: %d to %q", target, resp.StatusCode, resp.location())
		}
	}
	a.leaves(b, aftermath{user: "alice", codes: len(hostile)})
}

func cleanedPaths(t *testing.T) {
	staysHere(t, "//hostile.test/", "//hostile.test/..", "//hostile.test/%2f..", "/x/..//hostile.test", "/.//hostile.test", "/..//hostile.test", `/./\hostile.test`, `/x/../\hostile.test`,
		"/x/%2e%2e//hostile.test", "/%2e//hostile.test", "/%2F/hostile.test", "/%2f%2fhostile.test", "/.%2f/hostile.test", `///\;@hostile.test`, "/hostile.test//", "//hostile.test/%2e%2e/%2e%2e", "/;//hostile.test", "/?//hostile.test", "/#//hostile.test")
}

func urlsInURLs(t *testing.T) {
	staysHere(t, "data:text/html,hostile", "javascript:hostile()", "JaVaScRiPt:hostile()", "java\tscript:hostile()", "/javascript:hostile()", "vbscript:hostile", "blob:https://app.test/hostile", "view-source:hostile",
		"https://app.test?url=https://hostile.test", "//app.test.hostile.test", "/login?return_to=https://hostile.test", "/login?return_to=/login?return_to=//hostile.test")

	// A local page may have a URL in its query, and it comes back byte for byte.
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, local := range []string{"/x?url=https://hostile.test", "/x?url=//hostile.test/%0d%0a", "/x?url=javascript:hostile()"} {
		a.expect(local, b.get(b.callbackURL("/login?return_to="+url.QueryEscape(local))), http.StatusSeeOther, local)
	}
	a.leaves(b, aftermath{user: "alice", codes: 3})
}

func otherNamesOfReturnTo(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	b.setCookie("__Secure-next-auth.callback-url", "https://hostile.test")
	b.setCookie(sessionCookie+".return_to", "https://hostile.test")
	names := []string{"callbackUrl", "returnTo", "redirect", "redirect_to", "redirect_uri", "rd", "next", "url", "RETURN_TO", "return_to[]", "post_logout_redirect_uri"}
	for _, name := range names {
		target := name + "=" + url.QueryEscape("https://hostile.test")
		a.expect("/login?"+target, b.get(b.callbackURL("/login?"+target)), http.StatusSeeOther, "/")
		a.expect("/logout?"+target, b.get(b.get(b.post("/logout?"+target, nil).location()).location()), http.StatusSeeOther, "/")
	}
	a.leaves(b, aftermath{codes: len(names)})
}

func malformedReturnTo(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	malformed := []string{
		"http%3A%2F%2F%5B%3A%3A1", "%2F%2F%3A0", "%2F%25zz", "%00", "%ff%fe", "%2Fa%20b", "%2F" + strings.Repeat("a", 9000), strings.Repeat("%2F", 3000), "%2F&return_to=%2F", "", "%2F%3F%23%3F%23", "%22%3E%3Cscript%3E",
	}
	for _, value := range malformed {
		if resp := b.get(b.callbackURL("/login?return_to=" + value)); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.location(), "/") {
			t.Errorf("%.40s: %d to %q", value, resp.StatusCode, resp.location())
		}
	}
	for _, query := range []string{"return_to=%zz", "return_to=%", "return_to=%2Fx;y", strings.Repeat("return_to=%2F&", 10_001)} {
		a.expect(query[:min(len(query), 20)], b.get("/login?"+query), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{user: "alice", codes: len(malformed)})
}

// The bytes are what the attacker's link, or a client that is not a browser,
// puts on the wire.
func requestTargets(t *testing.T) {
	a := newAttackedApp(t, offline{})
	catchAll := a.catchAll()
	var b *browser
	targets := []string{
		"//hostile.test/x", "///hostile.test", `/\hostile.test`, `/\/hostile.test`, `/x\..\..\hostile.test`, "/%5chostile.test", "/.//hostile.test", "/x/..//hostile.test", "/%09/hostile.test", "/%2f/hostile.test",
		"http://hostile.test/x", "https://hostile.test//hostile.test/x", "http://hostile.test", "http://user:pass@hostile.test/", "http:hostile.test", "javascript:hostile()", "//hostile.test/../login",
	}
	for _, target := range targets {
		b = a.browser(t)
		refused := a.raw(b, catchAll, "GET "+target)
		stored := queryOf(refused.location()).Get("return_to")
		if refused.StatusCode != http.StatusFound || !strings.HasPrefix(refused.location(), "/login?return_to=%2F") || browserOrigin(stored) != "https://app.test" {
			t.Errorf("GET %s: %d to %q", target, refused.StatusCode, refused.location())
			continue
		}
		a.mayLead("GET "+target, b.get(b.callbackURL(refused.location())))
	}
	for _, target := range []string{"hostile.test", "?//hostile.test", "/a\x0bb", "/a b"} {
		a.expect("GET "+target, a.raw(b, catchAll, "GET "+target), http.StatusBadRequest, "")
	}
	// A router that cleans paths leads on by itself.
	for _, target := range []string{"//evil.test/x", "//evil.test/../dashboard", `/\evil.test/..//x`} {
		if resp := a.raw(b, nil, "GET "+target); resp.location() != "" && browserOrigin(resp.location()) != "https://app.test" {
			t.Errorf("GET %s: %d to %q", target, resp.StatusCode, resp.location())
		}
	}
	a.leaves(b, aftermath{user: "alice", codes: len(targets)})
}

// closed sends each request line to the gate around everything, and to the
// routes, with these headers: nothing opens, and no page follows the answer.
func (a *attackedApp) closed(b *browser, line string, header ...string) *response {
	a.t.Helper()
	var resp *response
	for _, h := range []http.Handler{nil, a.catchAll()} {
		resp = a.raw(b, h, line, header...)
		if resp.StatusCode == http.StatusOK && h != nil || strings.Contains(resp.body, "secrets") || strings.Contains(resp.body, "Subject") {
			a.t.Errorf("%s with %q: %d %s", line, header, resp.StatusCode, resp.body)
		}
	}
	return resp
}

func publicPathInQuery(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, target := range []string{
		"/admin/?x=/public", "/admin/?/login", "/admin/?/auth/callback", "/admin/?x=/", "/dashboard?return_to=/login", "/admin/;/login", "/admin/x;/../public", "/admin/%3F/login",
	} {
		a.expect(target, a.closed(b, "GET "+target), http.StatusFound, "/login?return_to="+url.QueryEscape(target))
	}
	a.leaves(b, aftermath{})
}

func publicPathInFragment(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, target := range []string{"/admin/%23/public", "/admin/#/public", "/admin/#/login", "/admin/x#/auth/callback?code=x", "/admin/#"} {
		a.expect(target, a.closed(b, "GET "+target), http.StatusFound, "/login?return_to="+url.QueryEscape(target))
	}
	a.leaves(b, aftermath{})
}

// forwarded are headers by which others let themselves be told who asks for
// what, and where they are.
var forwarded = [][]string{
	{"Forwarded", "for=127.0.0.1;host=hostile.test;proto=http"},
	{"X-Forwarded-Host", "hostile.test", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81"},
	{"X-Forwarded-Uri", "/login"},
	{"X-Forwarded-Uri", "//hostile.test", "X-Forwarded-Method", "GET", "X-Forwarded-Prefix", "//hostile.test"},
	{"X-Forwarded-For", "127.0.0.1", "X-Real-Ip", "127.0.0.1", "True-Client-Ip", "127.0.0.1"},
	{"X-Original-Url", "/login", "X-Rewrite-Url", "/login"},
	{"X-Original-Url", "//hostile.test", "X-Rewrite-Url", "//hostile.test", "X-Original-Host", "hostile.test"},
	{"X-Http-Method-Override", "OPTIONS", "X-Http-Method", "OPTIONS"},
	{"Host", "hostile.test"},
	{"Host", "hostile.test", "X-Forwarded-Host", "app.test"},
	{"Referer", "https://hostile.test/", "Origin", "https://hostile.test"},
}

func forwardedHeaders(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, header := range forwarded {
		a.expect(fmt.Sprint(header), a.closed(b, "GET /dashboard", header...), http.StatusFound, "/login?return_to=%2Fdashboard")
		if resp := a.closed(b, "GET /dashboard", append(header, "Accept", "application/json")...); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q as a script: %d", header, resp.StatusCode)
		}
		// Where we are is what was configured: RFC 9700 section 4.13.
		login := a.raw(b, nil, "GET /login?return_to=/dashboard", header...)
		if got := queryOf(login.location()).Get("redirect_uri"); login.StatusCode != http.StatusSeeOther || got != "https://app.test/auth/callback" {
			t.Errorf("%q: %d with redirect_uri %q", header, login.StatusCode, got)
		}
	}
	a.leaves(b, aftermath{})
}

func hostHeader(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, host := range []string{"hostile.test", "hostile.test:443", "app.test.hostile.test", "app.test@hostile.test", "[::1]", "", "hostile.test/x"} {
		for _, line := range []string{"GET /login?return_to=/dashboard", "GET http://hostile.test/login?return_to=/dashboard"} {
			resp := a.raw(b, nil, line, "Host", host)
			if resp.StatusCode == http.StatusBadRequest && resp.location() == "" {
				continue // no host name at all, says net/http
			}
			if got := queryOf(resp.location()).Get("redirect_uri"); got != "https://app.test/auth/callback" {
				t.Errorf("%s with Host %q: %d to %q", line, host, resp.StatusCode, resp.location())
			}
		}
		a.closed(b, "GET /dashboard", "Host", host)
		a.closed(b, "GET http://hostile.test/dashboard", "Host", host)
		a.raw(b, nil, "POST /logout?return_to=//hostile.test", "Host", host, "Content-Length", "0")
	}
	resp := a.raw(b, nil, "GET /auth/callback?state=x&code=y", "Host", "hostile.test")
	a.expect("callback", resp, http.StatusBadRequest, "")
	a.leaves(b, aftermath{})
}

func healthChecks(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.31", "ELB-HealthChecker/2.0", "Amazon-Route53-Health-Check-Service", "Envoy/HC", "HealthChecker", "curl/8", ""} {
		a.expect(agent, a.closed(b, "GET /dashboard", "User-Agent", agent), http.StatusFound, "/login?return_to=%2Fdashboard")
		a.expect(agent, a.closed(b, "GET /dashboard?ping", "User-Agent", agent, "Authorization", "Bearer hostile"), http.StatusFound, "/login?return_to=%2Fdashboard%3Fping")
	}
	a.leaves(b, aftermath{})
}

func identityHeaders(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	identity := []string{
		"X-Forwarded-User", "mallory", "X_Forwarded_User", "mallory", "X-Forwarded-Email", "mallory@hostile.test", "X_Forwarded-Email", "mallory@hostile.test", "X-Forwarded-Groups", "admin",
		"X-Auth-Request-User", "mallory", "X-Auth-Request-Email", "mallory@hostile.test", "Remote-User", "mallory", "X-Remote-User", "mallory", "OIDC_CLAIM_sub", "mallory", "Authorization", "Basic bWFsbG9yeTo=",
	}
	a.expect("nobody", a.closed(b, "GET /dashboard", identity...), http.StatusFound, "/login?return_to=%2Fdashboard")
	b.login("/")
	if resp := a.raw(b, nil, "GET /dashboard", identity...); !strings.Contains(resp.body, `"Subject":"alice"`) || !strings.Contains(resp.body, `"Email":"alice@example.com"`) {
		t.Errorf("alice is %s", resp.body)
	}
	a.leaves(b, aftermath{user: "alice", codes: 1, runs: 1})
}

// CVE-2025-31492: whatever the answer, next does not run, and nothing of its
// page is behind the answer's.
func pageAfterRefusal(t *testing.T) {
	a := newAttackedApp(t, offline{})
	a.provider.MapTokenResponse(func(resp map[string]any) { resp["expires_in"] = 600 })
	b := a.browser(t)
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "Get", "head", "HOSTILE"}
	refuses := func(t *testing.T, why string) {
		for _, method := range methods {
			for _, header := range [][]string{{"Accept", "text/html"}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Purpose", "prefetch"}, {"Upgrade", "websocket"}, {"Accept", "text/event-stream"}} {
				resp := a.closed(b, method+" /dashboard", append(header, "Content-Length", "0")...)
				location := ""
				if method == "GET" || method == "HEAD" {
					location = resp.location() // of a navigation
				}
				if resp.StatusCode/100 == 2 || location == "" && resp.StatusCode != http.StatusUnauthorized || location != "" && resp.body != "" {
					t.Errorf("%s, %s %q: %d to %q: %s", why, method, header, resp.StatusCode, resp.location(), resp.body)
				}
			}
		}
	}
	refuses(t, "nobody")
	b.login("/")
	before := b.cookies()
	a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusBadRequest, `{"error":"invalid_grant"}`))
	time.Sleep(10 * time.Minute)
	refuses(t, "a refresh that was refused")
	for name, value := range before {
		b.setCookie(name, value)
	}
	refuses(t, "the session that has ended")
	a.leaves(b, aftermath{codes: 2}) // the code, and the refresh token once

	forbidden := a.auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(a.gate())
	resp := a.raw(b, a.recorded(forbidden), "GET /admin/", "Accept", "text/html")
	if resp.StatusCode != http.StatusForbidden || strings.Contains(resp.body, "secrets") || a.called("/admin") > 0 {
		t.Errorf("a policy that refuses: %d %s", resp.StatusCode, resp.body)
	}
}

// The errors of a provider are errors: no zero value of them is a session.
func brokenProvider(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, http.HandlerFunc){
		"down": answerWith(http.StatusServiceUnavailable, "hostile"), "nothing": answerWith(http.StatusOK, ""), "no JSON": answerWith(http.StatusOK, "<html>hostile"),
		"an empty object": answerWith(http.StatusOK, "{}"), "an error object": answerWith(http.StatusOK, `{"error":"hostile","message":"hostile"}`), "null": answerWith(http.StatusOK, "null"),
	} {
		a.provider.Intercept(oauthlogintest.Discovery, answer)
		time.Sleep(discoveryCooldown)
		a.expect(name, a.closed(b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		a.expect(name, b.get("/login?return_to=/dashboard"), http.StatusBadGateway, "")
		a.expect(name, b.get("/auth/callback?state=x&code=y"), http.StatusBadRequest, "")
		a.expect(name, b.get("/"), http.StatusOK, "") // what is public stays so
	}
	a.leaves(b, aftermath{})

	auth, err := oauthlogin.New(oauthlogin.Options{})
	if err == nil || auth != nil {
		t.Errorf("no configuration: %v, %v", auth, err)
	}
	for _, auth := range []*oauthlogin.Middleware{nil, {}} {
		for _, h := range []http.Handler{auth.RequireAuth(a), auth.Handler(a), auth.Silent(a), auth.Require(oauthlogin.Policy{})(a)} {
			if resp := a.raw(b, h, "GET /dashboard"); resp.StatusCode != http.StatusInternalServerError {
				t.Errorf("a middleware that nobody made: %d %s", resp.StatusCode, resp.body)
			}
		}
	}
}

// Every method, and bodies that are none, at every path of ours.
func oddRequests(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, path := range []string{"/login", "/auth/callback", "/dashboard", "/auth/callback?state=x&code=y"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "post", "get", "GE", "M-SEARCH"} {
			for _, body := range [][]string{
				{"Content-Length", "0"},
				{"Content-Length", "0", "Content-Type", ""},
				{"Content-Length", "0", "Content-Type", ";"},
				{"Content-Length", "0", "Content-Type", "multipart/form-data"},
				{"Content-Length", "0", "Content-Type", "application/x-www-form-urlencoded; charset=\x80"},
				{"Accept", "*/*"},
				{"Transfer-Encoding", "hostile"},
			} {
				resp := a.raw(b, nil, method+" "+path, body...)
				want := http.StatusMethodNotAllowed
				switch {
				case body[0] == "Transfer-Encoding":
					want = http.StatusNotImplemented // says net/http
				case path == "/login" && method == "HEAD":
					want = http.StatusOK
				case path == "/dashboard" && method == "HEAD":
					want = http.StatusFound
				case path == "/dashboard":
					want = http.StatusUnauthorized
				}
				if resp.StatusCode != want {
					t.Errorf("%s %s with %q: %d to %q; want %d", method, path, body, resp.StatusCode, resp.location(), want)
				}
				if resp.Header.Get("Access-Control-Allow-Origin")+resp.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s %s with %q: %v", method, path, body, resp.Header)
				}
			}
		}
	}
	// The one that takes a POST.
	for _, contentType := range []string{"", ";", "multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded; =", "text/xml", "\x80"} {
		a.expect(fmt.Sprintf("logout as %q", contentType), a.raw(b, nil, "POST /logout", "Content-Length", "0", "Content-Type", contentType), http.StatusSeeOther, "/")
	}
	a.expect("logout without a type", a.raw(b, nil, "POST /logout", "Content-Length", "0"), http.StatusSeeOther, "/")
	a.expect("logout without a length", a.raw(b, nil, "POST /logout"), http.StatusSeeOther, "/")
	a.leaves(b, aftermath{})
}

func replayedPost(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, path := range []string{"/dashboard", "/admin/", "/login", "/auth/callback"} {
		resp := b.post(path, url.Values{"hostile": {`"><script>hostile()</script>`}, "return_to": {"//hostile.test"}}, "Origin", "https://app.test", "Sec-Fetch-Mode", "navigate")
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusMethodNotAllowed || resp.location() != "" || len(resp.Cookies()) > 0 {
			t.Errorf("POST %s: %d to %q", path, resp.StatusCode, resp.location())
		}
	}
	a.leaves(b, aftermath{})
}

// mallorysAnswer is a callback URL with her code, of a login that she began.
func (a *attackedApp) mallorysAnswer() string {
	a.t.Helper()
	a.provider.AutoApprove("mallory")
	defer a.provider.AutoApprove("alice")
	return a.browser(a.t).callbackURL("/login?return_to=/mallory")
}

func (a *attackedApp) with(cb string, nameValue ...string) string {
	a.t.Helper()
	return edited(a.t, cb, func(q url.Values) {
		for i := 0; i < len(nameValue); i += 2 {
			if q.Set(nameValue[i], nameValue[i+1]); nameValue[i+1] == "" {
				q.Del(nameValue[i])
			}
		}
	})
}

func noState(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	own := b.callbackURL("/login?return_to=//hostile.test")
	code := queryOf(a.mallorysAnswer()).Get("code")
	for _, cb := range []string{a.with(own, "state", ""), a.with(own, "state", "", "code", code), a.with(own, "state", "hostile", "code", code), "/auth/callback?code=" + code, own + "&state="} {
		a.expect(cb, b.get(cb), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{})
}

func droppedFlowCookies(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	own := b.callbackURL("/login?return_to=/dashboard")
	name := b.cookieNames(flowPrefix)[0]
	flow := b.cookies()[name]
	for what, value := range map[string]string{"dropped": "", "empty": " ", "cut short": flow[:len(flow)-1], "of another login": a.flowOfMallory()} {
		b.setCookie(name, strings.TrimSpace(value))
		a.expect(what, b.get(own), http.StatusBadRequest, "")
		a.expect(what+", and no state", b.get(a.with(own, "state", "")), http.StatusBadRequest, "")
		a.expect(what+", and no issuer", b.get(a.with(own, "iss", "", "state", "")), http.StatusBadRequest, "")
		b.setCookie(name, "")
	}
	a.leaves(b, aftermath{})
}

// flowOfMallory is the value of a flow cookie of hers.
func (a *attackedApp) flowOfMallory() string {
	hers := a.browser(a.t)
	hers.startLogin("/login")
	return hers.cookies()[hers.cookieNames(flowPrefix)[0]]
}

func flowAsSession(t *testing.T) {
	a := newAttackedApp(t, offline{})
	flow := a.flowOfMallory()
	b := a.browser(t)
	for _, value := range []string{flow, "1" + flow, "1" + hash(flow)[:6] + flow, "1AAAAAA" + flow} {
		b.setCookie(sessionCookie, value)
		a.expect("flow as session", b.get("/dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
		b.setCookie(sessionCookie+".rounds", value)
	}
	hers := a.browser(t)
	hers.login("/")
	session := hers.cookies()[sessionCookie]
	state := queryOf(b.get("/login").location()).Get("state")
	for _, value := range []string{session, session[1:], session[7:], hers.cookies()[sessionCookie+".rounds"]} {
		b.setCookie(b.cookieNames(flowPrefix)[0], value)
		a.expect("session as flow", b.get("/auth/callback?code=x&state="+state), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{codes: 1}) // of her own login
}

func fixedState(t *testing.T) {
	a := newAttackedApp(t, offline{})
	victim := a.browser(t)
	_, params := victim.startLogin("/login?state=hostile&nonce=hostile&code_challenge=hostile&code_verifier=hostile&return_to=/dashboard")
	if len(params.Get("state")) < 43 || len(params.Get("nonce")) < 43 || len(params.Get("code_challenge")) != 43 || len(params["state"]) != 1 {
		t.Errorf("authorization request %v", params)
	}
	// Mallory knows the state that she gave, and has a code of hers.
	cb := a.with(a.mallorysAnswer(), "state", "hostile")
	a.expect("the state that was given", victim.get(cb), http.StatusBadRequest, "")
	a.leaves(victim, aftermath{})
}

func injectedParameters(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	_, clean := a.browser(t).startLogin("/login")
	queries := []string{
		"return_to=/x&scope=hostile", "return_to=/x%26state%3Dhostile", "return_to=/x%3Fa%26redirect_uri%3Dhttps%3A%2F%2Fhostile.test", "return_to=/x%23%26nonce%3Dhostile", "return_to=/x&prompt=none&max_age=0&acr_values=hostile",
		"return_to=/x&client_id=hostile&response_type=token&response_mode=form_post", "return_to=/x&request=hostile&request_uri=https://hostile.test", "return_to=/x&code_challenge_method=plain&code_challenge=hostile",
		"return_to=/x&login_hint=hostile&id_token_hint=hostile&claims=hostile", "return_to=/x&redirect_uri=https://hostile.test&iss=https://hostile.test",
	}
	for _, query := range queries {
		login, params := b.startLogin("/login?" + query)
		for name := range params {
			if random := name == "state" || name == "nonce" || name == "code_challenge"; len(params[name]) != 1 || !random && params.Get(name) != clean.Get(name) {
				t.Errorf("%s: %s is %q", query, name, params[name])
			}
		}
		if len(params) != len(clean) {
			t.Errorf("%s: %v", query, params)
		}
		a.mayLead(query, b.get(b.get(login.location()).location()))
	}
	for _, query := range []string{"step_up=hostile", "step_up=" + a.flowOfMallory(), "step_up="} {
		a.expect(query, b.get("/login?"+query), http.StatusBadRequest, "")
	}
	a.leaves(b, aftermath{user: "alice", codes: len(queries)})
}

func crossSiteLogin(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	b.login("/")
	session := b.cookies()[sessionCookie]
	a.provider.AutoApprove("mallory") // if the provider asked nothing
	for _, header := range [][]string{
		{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, {"Sec-Purpose", "prefetch"},
	} {
		resp := b.get("/login?return_to=/link-account", append(header, "Sec-Fetch-Site", "cross-site", "Referer", "https://hostile.test/")...)
		if origin := browserOrigin(resp.location()); resp.location() != "" && origin != "https://provider.test" {
			t.Errorf("%q: %d to %s", header, resp.StatusCode, origin)
		}
		if b.get("/").body != "home of alice" || b.cookies()[sessionCookie] != session {
			t.Errorf("%q: the session has changed", header)
		}
	}
	a.expect("a form", b.post("/login", nil, "Sec-Fetch-Site", "cross-site"), http.StatusMethodNotAllowed, "")
	a.expect("her answer", b.get(a.mallorysAnswer()), http.StatusSeeOther, "/") // alice goes on
	a.leaves(b, aftermath{user: "alice", codes: 1})

	// A login that was completed is of one user, with nothing of the one before.
	a.provider.AutoApprove("bob")
	if body := b.login("/dashboard").body; !strings.Contains(body, `"Subject":"bob"`) || strings.Contains(strings.ToLower(body), "alice") {
		t.Errorf("bob is %s", body)
	}
}

func loginCSRF(t *testing.T) {
	a := newAttackedApp(t, offline{})
	for name, prepare := range map[string]func(b *browser){
		"a clean browser": func(*browser) {},
		"a browser with a login pending": func(b *browser) {
			b.startLogin("/login?return_to=/dashboard")
		},
		"a browser with cookies that are none": func(b *browser) {
			b.setCookie(flowPrefix+"AAAAAAAAAAAAAAAA", a.flowOfMallory())
			b.setCookie(sessionCookie, "1hostile")
		},
	} {
		b := a.browser(t)
		prepare(b)
		a.expect(name, b.get(a.mallorysAnswer(), "Sec-Fetch-Site", "cross-site"), http.StatusBadRequest, "")
	}
	// Her code, that the victim's browser refused, is not spent: nobody asked.
	b := a.browser(t)
	a.expect("later", b.get(a.mallorysAnswer()), http.StatusBadRequest, "")
	a.leaves(b, aftermath{})
}

func codeInjection(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	code := queryOf(a.mallorysAnswer()).Get("code")
	// The code was of another verifier: the provider says no, once.
	a.expect("her code", b.get(a.with(b.callbackURL("/login"), "code", code)), http.StatusBadRequest, "")
	a.leaves(b, aftermath{codes: 1})

	// The victim's code in her browser, where her own login is pending.
	a = newAttackedApp(t, offline{})
	hers := a.browser(t)
	stolen := queryOf(a.browser(t).callbackURL("/login")).Get("code")
	a.expect("the stolen code", hers.get(a.with(hers.callbackURL("/login"), "code", stolen)), http.StatusBadRequest, "")
	a.leaves(hers, aftermath{codes: 1})

	// A provider that does not check the verifier: the nonce is what is left.
	a = newAttackedApp(t, offline{})
	b = a.browser(t)
	var hersNonce string
	a.provider.MapIDToken(func(_, claims object) { hersNonce, _ = claims["nonce"].(string) })
	hers = a.browser(t)
	a.provider.AutoApprove("mallory")
	hers.login("/")
	asked := a.provider.Count(oauthlogintest.UserInfo)
	a.provider.MapIDToken(func(_, claims object) { claims["nonce"] = hersNonce })
	a.expect("her ID token", b.get(b.callbackURL("/login")), http.StatusBadGateway, "")
	if n := a.provider.Count(oauthlogintest.UserInfo); n > asked { // RFC 9700 section 4.5.3.2
		t.Errorf("%d user info requests", n-asked)
	}
	a.leaves(b, aftermath{codes: 2})
}

// Mallory is one of the providers, two.test.
func mixUp(t *testing.T) {
	for _, sendsISS := range []bool{true, false} {
		a, two := newTwoProviderApp(t, nil)
		b := a.browser(t)
		strip := func(cb string) string {
			if sendsISS {
				return cb
			}
			return edited(t, cb, func(q url.Values) { q.Del("iss") })
		}
		for _, p := range []*oauthlogintest.Provider{a.provider, two} {
			p.MapDiscovery(func(doc map[string]any) {
				if !sendsISS {
					delete(doc, "authorization_response_iss_parameter_supported")
				}
			})
		}
		// She sends alice on to provider one with the state of the login at two,
		// and waits for alice's code at her token endpoint.
		_, atTwo := b.startLogin("/login?provider=two&return_to=/dashboard")
		fromOne := edited(t, b.callbackURL("/login?provider=one&return_to=/dashboard"), func(q url.Values) { q.Set("state", atTwo.Get("state")) })
		a.wantRefused(b, b.get(strip(fromOne)), http.StatusBadRequest)
		// And answers with her own where one's answer is expected.
		fromTwo := strings.Replace(b.callbackURL("/login?provider=two&return_to=/dashboard"), "/auth/callback/two?", "/auth/callback?", 1)
		a.wantRefused(b, b.get(strip(fromTwo)), http.StatusBadRequest)
		if n := two.Count(oauthlogintest.Token); n > 0 {
			t.Errorf("iss sent: %t: %d token requests at two", sendsISS, n)
		}
		if resp := b.follow("/login?provider=one&return_to=/dashboard"); !strings.Contains(resp.body, `"Subject":"alice"`) {
			t.Errorf("a clean login afterwards: %s", resp.body)
		}
	}
}

func interleavedLogins(t *testing.T) {
	a := newAttackedApp(t, offline{})
	const n = 6
	var browsers [n]*browser
	var callbacks [n]string
	for i := range browsers {
		browsers[i] = a.browser(t)
		a.provider.AutoApprove(fmt.Sprint("user", i))
		callbacks[i] = browsers[i].callbackURL(fmt.Sprint("/login?return_to=/page", i))
	}
	var wg sync.WaitGroup
	for i, b := range browsers {
		wg.Go(func() {
			if i%2 == 0 { // in disorder as well as at the same time
				time.Sleep(time.Duration(n-i) * time.Second)
			}
			a.expect(callbacks[i], b.get(callbacks[i]), http.StatusSeeOther, fmt.Sprint("/page", i))
			if body := b.get("/").body; body != fmt.Sprint("home of user", i) {
				t.Errorf("user%d is in the %s", i, body)
			}
		})
	}
	wg.Wait()
	a.leaves(browsers[0], aftermath{user: "user0", codes: n})
}

func usersAtOnce(t *testing.T) {
	var users []oauthlogintest.User
	const n = 8
	for i := range n {
		users = append(users, oauthlogintest.User{Subject: fmt.Sprint("user", i), Name: "Same Name", Email: "same@example.com"})
	}
	a := newAttackedApp(t, offline{provider: oauthlogintest.Config{Users: users}})
	a.more = func(mux *http.ServeMux) {
		// The session, and whose the token is that its client sends.
		mux.Handle("/both", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			resp, err := a.auth.Client(r.Context()).Get("https://provider.test/userinfo")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			var claims struct{ Sub string }
			json.NewDecoder(resp.Body).Decode(&claims)
			fmt.Fprint(w, s.User.Subject, " ", claims.Sub)
		})))
	}
	var browsers [n]*browser
	for i := range browsers {
		browsers[i] = a.browser(t)
		a.provider.AutoApprove(users[i].Subject)
		browsers[i].login("/")
	}
	for range 3 { // the second and the third time with a refresh for each
		var wg sync.WaitGroup
		for i, b := range browsers {
			for range 3 {
				wg.Go(func() {
					if body := b.get("/both").body; body != fmt.Sprintf("user%d user%d", i, i) {
						t.Errorf("user%d got %s", i, body)
					}
				})
			}
		}
		wg.Wait()
		time.Sleep(time.Hour)
	}
	a.leaves(browsers[0], aftermath{user: "user0", codes: n + 2*n})
}

// injections are what must not come out as anything but text.
var injections = []string{
	`<script>hostile()</script>`, `"><img src=x onerror=hostile()>`, `'-hostile()-'`, "javascript:hostile()", "{{.hostile}}", "hostile\r\nSet-Cookie: hostile=1", "hostile\r\n\r\n<html>",
	"hostile\ntime=2026-01-01 level=ERROR msg=hostile", "\x1b]0;hostile\x07\x1b[2J", "\u202ehostile\u2028hostile\u0085", "%s%n%x%d%v hostile", "${jndi:ldap://hostile.test}", "hostile\x00", "\xff\xfehostile",
}

// requestsWith puts a value wherever a request has room for one.
func (a *attackedApp) requestsWith(b *browser, value string) (answers []*response) {
	query := url.QueryEscape(value)
	for _, target := range []string{
		"/login?provider=", "/login?return_to=", "/login?step_up=", "/login?x=", "/login?return_to=/&provider=%zz&x=", "/?state=", "/auth/callback?code=x&state=", "/auth/callback?state=x&iss=", "/auth/callback?x=", "/auth/callback?state=x&error_description=",
	} {
		answers = append(answers, b.get(target+query))
	}
	for _, name := range []string{"code", "iss", "error_description", "error_uri", "x", "scope", "session_state"} {
		cb := a.with(b.callbackURL("/login"), name, value)
		if name != "iss" {
			cb = a.with(cb, "error", "access_denied")
		}
		answers = append(answers, b.get(cb))
	}
	return append(answers, b.post("/logout?return_to="+query, url.Values{"return_to": {value}, value: {value}}),
		b.post("/logout", nil, "Origin", "https://"+strings.Map(func(c rune) rune {
			if c < 0x20 || c > 0x7e {
				return -1
			}
			return c
		}, value)))
}

func reflectedErrors(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, value := range injections {
		for _, resp := range a.requestsWith(b, value) {
			if resp.StatusCode >= 500 || strings.Contains(resp.body, "<script") || strings.Contains(resp.body, "onerror") {
				t.Errorf("%q: %d %s", value, resp.StatusCode, resp.body)
			}
			if policy := resp.Header.Get("Content-Security-Policy"); resp.StatusCode >= 400 && !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("%q: page of %s with policy %q", value, resp.Request.URL, policy)
			}
		}
		// An error code is the one thing that is logged, and nowhere shown.
		own := a.with(b.callbackURL("/login"), "code", "", "error", strings.ReplaceAll(value, "hostile", "attack"))
		if resp := b.get(own); resp.StatusCode != http.StatusBadRequest || strings.Contains(resp.body, "attack") || strings.Contains(fmt.Sprint(resp.Header), "attack") {
			t.Errorf("error %q: %d %s", value, resp.StatusCode, resp.body)
		}
	}
	a.leaves(b, aftermath{})
}

// What the log was given is checked by printableOnly.
func logInjection(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, value := range injections {
		a.requestsWith(b, value)
		attack := strings.ReplaceAll(value, "hostile", "attack")
		b.get(a.with(b.callbackURL("/login"), "code", "", "error", attack))
		method := strings.Map(func(c rune) rune { // what net/http takes for one
			if strings.ContainsRune("!#$%&'*+-.^_`|~", c) || unicode.IsLetter(c) && c < 0x80 {
				return c
			}
			return -1
		}, attack)
		a.raw(b, nil, method+" /auth/callback", "User-Agent", "x", "Cookie", sessionCookie+"="+url.PathEscape(value))
		// And what a provider says that is not one any more.
		answers := map[oauthlogintest.Endpoint][]string{
			oauthlogintest.Token:    {jsonOf("error", attack), jsonOf("access_token", "x", "token_type", attack), jsonOf("access_token", value), jsonOf("access_token", "x", "id_token", value), value},
			oauthlogintest.JWKS:     {value, jsonOf("keys", value)},
			oauthlogintest.UserInfo: {value, jsonOf("sub", value)},
		}
		a.provider.MapIDToken(without("name"))
		for endpoint, bodies := range answers {
			for _, body := range bodies {
				a.provider.RotateKeys() // so that keys are asked for
				a.provider.Intercept(endpoint, answerWith(http.StatusOK, body))
				time.Sleep(time.Minute)
				if resp := b.get(b.callbackURL("/login")); resp.StatusCode < 400 {
					t.Errorf("%s answers %q: %d", endpoint, body, resp.StatusCode)
				}
			}
			a.provider.Intercept(endpoint, nil)
		}
	}
	for line := range strings.Lines(a.log.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("log has the line %q", line)
		}
	}
	a.leaves(b, aftermath{codes: a.provider.Count(oauthlogintest.Token)})
}

// jsonOf is a JSON object of strings.
func jsonOf(nameValue ...string) string {
	o := object{}
	for i := 0; i < len(nameValue); i += 2 {
		o[nameValue[i]] = nameValue[i+1]
	}
	b, _ := json.Marshal(o)
	return string(b)
}

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
	a.provider.MapTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(3000) })
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
	a.provider.MapTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(3000) })
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

	a.provider.MapTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(2600) })
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
	a.provider.MapTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(5000) })
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

// refusesTokens fails the test unless a login ends in an error page when the
// provider issues ID tokens like this, and name and e-mail are not asked for.
func (a *attackedApp) refusesTokens(what string, edit func(header, claims object), sign func(a *wiredApp, header, claims object) string) {
	a.t.Helper()
	a.provider.MapIDToken(func(header, claims object) {
		delete(claims, "name")
		if edit != nil {
			edit(header, claims)
		}
	})
	a.provider.SignWith(nil)
	if sign != nil {
		a.provider.SignWith(func(header, claims object) string { return sign(a.wiredApp, header, claims) })
	}
	b := a.browser(a.t)
	a.expect(what, b.get(b.callbackURL("/login?return_to=/dashboard")), http.StatusBadGateway, "")
	if b.signedIn() || a.provider.Count(oauthlogintest.UserInfo) > 0 {
		a.t.Errorf("%s: signed in: %t, %d user info requests", what, b.signedIn(), a.provider.Count(oauthlogintest.UserInfo))
	}
}

func errorWithStatusOK(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	answers := []string{
		`{"error":"access_denied"}`, `{"error":"attack","error_description":"hostile","access_token":"hostile","token_type":"Bearer"}`, `{"error":{"code":"hostile"}}`, `{"errors":["hostile"]}`,
		`{"message":"hostile"}`, `{}`, `[]`, `null`, `"hostile"`, ``, `{"ACCESS_TOKEN":"hostile"}`, `{"access_token":""}`, `{"access_token":null,"id_token":null}`, `{"access_token":{"hostile":1}}`,
	}
	for _, answer := range answers {
		a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusOK, answer))
		a.expect(answer, b.get(b.callbackURL("/login?return_to=/dashboard")), http.StatusBadGateway, "")
	}
	// Not even with tokens that are good: and neither in a form.
	a.provider.Intercept(oauthlogintest.Token, nil)
	a.provider.MapTokenResponse(func(resp map[string]any) { resp["error"] = "invalid_grant" })
	a.expect("good tokens with an error", b.get(b.callbackURL("/login")), http.StatusBadRequest, "")
	a.provider.Intercept(oauthlogintest.Token, answerWith(http.StatusOK, "error=attack&access_token=hostile", "Content-Type", "application/x-www-form-urlencoded"))
	a.expect("a form", b.get(b.callbackURL("/login")), http.StatusBadGateway, "")
	a.leaves(b, aftermath{codes: len(answers) + 2})
}

func keyConfusion(t *testing.T) {
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := newAttackedApp(t, offline{})
	a.provider.SetKeyAlg("RS256") // whose public key makes a long secret
	tries := 0
	try := func(what string, edit func(header, claims object), sign func(a *wiredApp, header, claims object) string) {
		t.Helper()
		tries++
		a.refusesTokens(what, edit, sign)
	}
	pemKey := a.provider.PublicKeyPEM()
	block, _ := pem.Decode(pemKey)
	for what, key := range map[string][]byte{"the public key as PEM": pemKey, "the public key as PEM, trimmed": bytes.TrimSpace(pemKey), "the public key as DER": block.Bytes, "the client secret": []byte("s3cret-of-the-app"), "nothing": nil} {
		for _, alg := range []string{"HS256", "RS256", "none"} {
			try("HMAC by "+what+" as "+alg, nil, func(_ *wiredApp, header, claims object) string {
				header["alg"] = alg
				return compact(header, claims, hs256(key))
			})
		}
	}
	sum := base64.RawURLEncoding.EncodeToString([]byte("hostile"))
	for name, value := range map[string]any{
		"jwk": ecJWK(attacker, "k"), "jku": "https://hostile.test/jwks", "x5u": "https://hostile.test/jwks", "x5c": []string{base64.StdEncoding.EncodeToString(block.Bytes)}, "x5t": sum, "x5t#S256": sum, "b64": false, "zip": "DEF", "cty": "JWT",
	} {
		for _, kid := range []any{nil, "k"} {
			try(fmt.Sprint(name, " with kid ", kid), nil, func(_ *wiredApp, header, claims object) string {
				if header["alg"], header[name] = "ES256", value; kid != nil {
					header["kid"] = kid
				}
				return compact(header, claims, es256(attacker))
			})
		}
	}
	// RFC 7515 section 7.2: the same token, and the attacker's signature beside.
	for _, layout := range []string{
		`{"payload":"%[2]s","protected":"%[1]s","signature":"%[3]s"}`, `{"payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"%[3]s"}]}`,
		`{"payload":"%[2]s","signatures":[{"protected":"%[1]s","signature":"AAAA"},{"protected":"%[1]s","signature":"%[3]s"}]}`, `{"payload":"%[2]s","signatures":[{}]}`, `{"payload":"%[2]s","signatures":[null]}`,
		`{"payload":"%[2]s"}`, `{"signature":""}`, `{"a":"..","payload":"%[2]s","protected":"%[1]s","signature":"%[3]s"}`, `{"payload":"%[2]s","header":{"alg":"none"},"signature":""}`, "%[1]s.%[2]s.%[3]s.", "%[1]s.%[2]s.%[3]s.%[3]s", "%[1]s. %[2]s.%[3]s", "%[1]s..%[3]s", "%[1]s.%[2]s.",
	} {
		try(layout, nil, func(a *wiredApp, header, claims object) string {
			key, _ := a.provider.SigningKey()
			part := strings.Split(compact(header, claims, rs256(key)), ".")
			if layout == "%[1]s.%[2]s." {
				return part[0] + "." + part[1] + "."
			}
			return strings.ReplaceAll(fmt.Sprintf(layout, part[0], part[1], part[2]), "%!(EXTRA", "")
		})
	}
	// A secret among the provider's public keys.
	a.provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		json.NewEncoder(w).Encode(object{"keys": []object{{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte("public secret")), "kid": "oct", "alg": "HS256"}}})
	})
	time.Sleep(time.Minute)
	try("HMAC by a key of the set", nil, func(_ *wiredApp, header, claims object) string {
		header["alg"], header["kid"] = "HS256", "oct"
		return compact(header, claims, hs256([]byte("public secret")))
	})
	a.leaves(a.browser(t), aftermath{codes: tries})
}

func encryptedTokens(t *testing.T) {
	a := newAttackedApp(t, offline{})
	jwe := func(header object, parts ...string) func(*wiredApp, object, object) string {
		return func(*wiredApp, object, object) string { return segment(header) + "." + strings.Join(parts, ".") }
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	zipped := base64.RawURLEncoding.EncodeToString(bomb.Bytes())
	tries := 0
	for what, sign := range map[string]func(*wiredApp, object, object) string{
		"a zip bomb":                        jwe(object{"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, "", "AAAAAAAAAAAAAAAA", zipped, "AAAAAAAAAAAAAAAAAAAAAA"),
		"2 billion rounds of PBES2":         jwe(object{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA", "AAAA", "AAAA", "AAAA"),
		"PBES2 in three parts":              jwe(object{"alg": "PBES2-HS512+A256KW", "p2c": 2147483647, "p2s": "AAAA"}, "AAAA", "AAAA"),
		"a key wrap of nothing":             jwe(object{"alg": "A128KW", "enc": "A128GCM"}, "", "AAAA", "AAAA", "AAAA"),
		"an ephemeral key off the curve":    jwe(object{"alg": "ECDH-ES", "enc": "A128GCM", "epk": object{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, "", "AAAA", "AAAA", "AAAA"),
		"RSA1_5":                            jwe(object{"alg": "RSA1_5", "enc": "A128CBC-HS256"}, strings.Repeat("A", 342), "AAAA", "AAAA", "AAAA"),
		"four parts":                        jwe(object{"alg": "ES256"}, "AAAA", "AAAA", "AAAA"),
		"JSON with recipients":              func(*wiredApp, object, object) string { return `{"ciphertext":"AAAA","recipients":[{}],"tag":"AAAA"}` },
		"JSON, 10,000 deep":                 func(*wiredApp, object, object) string { return strings.Repeat("[", 10_000) },
		"a header 10,000 deep":              jwe(object{"alg": "ES256", "x": json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))}, "AAAA", "AAAA"),
		"a JWS in the payload, and in that": nestedTokens,
		"a header that is a number":         func(*wiredApp, object, object) string { return "MQ.AAAA.AAAA" },
		"an empty header":                   func(*wiredApp, object, object) string { return ".AAAA.AAAA" },
		"a p2c that is no number in a JWS": func(_ *wiredApp, header, claims object) string {
			header["p2c"] = -1
			return compact(header, claims, unsigned)
		},
		"a critical header of a million":       jwe(object{"alg": "ES256", "crit": strings.Split(strings.Repeat("x ", 20_000), " ")}, "AAAA", "AAAA"),
		"an ID token that is the access token": func(*wiredApp, object, object) string { return "opaque-as-an-access-token" },
	} {
		tries++
		a.refusesTokens(what, nil, sign)
	}
	a.leaves(a.browser(t), aftermath{codes: tries})
}

// nestedTokens signs a token whose payload is a signed token.
func nestedTokens(a *wiredApp, header, claims object) string {
	key, _ := a.provider.SigningKey()
	signer, _ := key.(*ecdsa.PrivateKey)
	token := compact(header, claims, es256(signer))
	for range 3 {
		input := segment(object{"alg": "ES256", "cty": "JWT", "kid": header["kid"]}) + "." + base64.RawURLEncoding.EncodeToString([]byte(token))
		token = input + "." + base64.RawURLEncoding.EncodeToString(es256(signer)(input))
	}
	return token
}

func noAudience(t *testing.T) {
	opts := validOptions()
	opts.Providers[0].OAuth2.ClientID = ""
	if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
		t.Error("no client ID, and no error")
	}
	a := newAttackedApp(t, offline{})
	tries := 0
	for _, aud := range []any{nil, "", "hostile", []any{}, []any{""}, []any{"hostile", "app"}, "app ", "APP", []any{[]any{"app"}}, object{"app": true}, true, "*", "https://app.test"} {
		tries++
		a.refusesTokens(fmt.Sprint("aud ", aud), claim("aud", aud), nil)
	}
	a.refusesTokens("no aud", without("aud"), nil)
	a.refusesTokens("no aud, and azp", without("aud", "azp"), nil)
	a.refusesTokens("azp of another client", claim("azp", "hostile"), nil)
	a.leaves(a.browser(t), aftermath{codes: tries + 3})
}

func coercedClaims(t *testing.T) {
	a := newAttackedApp(t, offline{})
	logins := 0
	for _, verified := range []any{"true", "false", 1, "1", nil, []any{true}, object{}, "yes", false} {
		logins++
		a.provider.MapIDToken(claim("email_verified", verified))
		if user := userOf(t, a.browser(t).login("/dashboard")); user.EmailVerified || user.Email != "alice@example.com" {
			t.Errorf("email_verified %#v: %+v", verified, user)
		}
	}
	logins++
	a.provider.MapIDToken(without("email_verified"))
	if user := userOf(t, a.browser(t).login("/dashboard")); user.EmailVerified {
		t.Error("no email_verified, and verified")
	}
	for what, edit := range map[string]func(header, claims object){
		"no sub": without("sub"), "empty sub": claim("sub", ""), "a sub of 256": claim("sub", strings.Repeat("x", 256)), "sub 0": claim("sub", 0), "sub null": claim("sub", nil), "no claims": func(_, claims object) { clear(claims) },
		"no claims but iss and aud": without("sub", "exp", "iat", "nonce"), "sub of spaces and more": claim("sub", "alice\x00"),
	} {
		logins++
		a.refusesTokens(what, edit, nil)
	}
	// The same address, verified, at the same provider: another user.
	a.provider.MapIDToken(func(_, claims object) { claims["email"], claims["email_verified"] = "alice@example.com", true })
	a.provider.SignWith(nil)
	a.provider.AutoApprove("mallory")
	b := a.browser(t)
	if user := userOf(t, b.login("/dashboard")); user.Subject != "mallory" || user.Issuer != "https://provider.test" {
		t.Errorf("mallory with alice's address is %+v", user)
	}
	runs := a.called("/dashboard")
	a.leaves(b, aftermath{user: "mallory", codes: logins + 1, runs: runs})
}

// The address is for the application to compare; claims are compared whole.
func emailAddresses(t *testing.T) {
	a := newAttackedApp(t, offline{})
	gate := a.recorded(a.auth.Require(oauthlogin.Policy{Claims: map[string][]string{"email": {"alice@example.com", "@example.com", "*"}}})(a.gate()))
	var b *browser
	addresses := []string{
		"mallory@evil.test@example.com", "mallory@evil.test\uff20example.com", "alice@example.com@evil.test", "alice@example.com.evil.test", "Alice@example.com", "alice@EXAMPLE.com", " alice@example.com", "alice@example.com ", "alice@example.com\x00", "alice@example.com,mallory@evil.test",
		"alic\u0435@example.com", "alice+x@example.com", "*@example.com", "\"alice@example.com\"@evil.test", "alice@\uff45xample.com",
	}
	a.provider.AutoApprove("mallory")
	for _, address := range addresses {
		a.provider.MapIDToken(func(_, claims object) { claims["email"], claims["email_verified"] = address, true })
		b = a.browser(t)
		if user := userOf(t, b.login("/dashboard")); user.Email != address || user.Subject != "mallory" {
			t.Errorf("%q became %+v", address, user)
		}
		if resp := a.raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %d", address, resp.StatusCode)
		}
	}
	a.leaves(b, aftermath{user: "mallory", codes: len(addresses), runs: len(addresses)})
	if resp := a.raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusOK {
		t.Errorf("alice: %d", resp.StatusCode)
	}
}

func sessionsOutliveTokens(t *testing.T) {
	a := newAttackedApp(t, offline{provider: oauthlogintest.Config{NoRefreshTokens: true}})
	b := a.browser(t)
	b.login("/")
	time.Sleep(59 * time.Minute)
	if body := b.get("/").body; body != "home of alice" {
		t.Errorf("within the hour: %s", body)
	}
	time.Sleep(time.Minute)
	a.expect("after it", a.closed(b, "GET /dashboard"), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.leaves(b, aftermath{codes: 1})
}

func tokensInPages(t *testing.T) {
	a := newAttackedApp(t, offline{provider: oauthlogintest.Config{JWTAccessTokens: true, Users: []oauthlogintest.User{
		{Subject: "alice", Name: "Alice", Email: "alice@example.com", Claims: map[string]any{"groups": []string{"admin"}}},
	}}})
	gate := a.recorded(a.auth.Require(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})(a.gate()))
	b := a.browser(t)
	login := b.get("/login?return_to=/dashboard")
	callback := b.get(login.location()).location()
	for _, target := range []string{callback, "/dashboard", "/", callback, "/login", "/api/me", "/userinfo", "/oauth2/userinfo", "/.pomerium/user", "/auth/callback", "/logout", "/token"} {
		b.get(target)
	}
	if resp := a.raw(b, gate, "GET /admin/"); resp.StatusCode != http.StatusOK {
		t.Errorf("an admin: %d", resp.StatusCode)
	}
	// What the provider says is no more goes with the next refresh.
	a.provider.MapIDToken(without("groups"))
	time.Sleep(time.Hour)
	if resp := a.raw(b, gate, "GET /admin/", "Accept", "text/html"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("an admin no more: %d", resp.StatusCode)
	}
	// In no URL either, but the ID token that the provider's logout asks for.
	out := b.post("/logout?return_to=https://hostile.test", nil)
	secrets := slices.DeleteFunc(a.secrets(), func(s string) bool {
		return strings.Contains(login.location(), s) || strings.Contains(callback, s) || s == queryOf(out.location()).Get("id_token_hint")
	})
	if len(secrets) < 7 { // of the client two, a verifier, an ID token, two access and two refresh tokens
		t.Fatalf("%d secrets to look for", len(secrets))
	}
	a.eachLocation(func(location string) {
		for _, secret := range secrets {
			if strings.Contains(location, secret) {
				t.Errorf("%s has %.30s in it", location, secret)
			}
		}
	})
	a.leaves(b, aftermath{codes: 2, runs: 3}) // and pages, of all that was said
}

// eachLocation calls f with every Location so far.
func (a *attackedApp) eachLocation(f func(location string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, location := range a.told {
		f(location)
	}
}

func escapedPages(t *testing.T) {
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	const markup = `/x"><script>alert()</script>'&{{.}}` // a path that is local
	resp := b.get(a.with(b.callbackURL("/login?return_to="+url.QueryEscape(markup)), "code", "", "error", "access_denied"))
	if strings.Contains(resp.body, "<script") || len(resp.links()) != 1 {
		t.Errorf("page %s", resp.body)
	}
	a.mayLead(markup, b.get(b.callbackURL(resp.links()[0])))
	thief := b.sameCookies(a.app)
	b.post("/logout", nil)
	for _, header := range forwarded {
		a.expect("after the logout", a.closed(thief, "GET /dashboard", header...), http.StatusFound, "/login?return_to=%2Fdashboard")
	}
	a.leaves(thief, aftermath{codes: 1})
}

// RFC 6749 section 10.10: what nobody guesses. Each bit is set half the time.
func randomness(t *testing.T) {
	a := newAttackedApp(t, offline{})
	const n = 600
	names := [...]string{"state", "nonce", "code_challenge"}
	seen := map[string]bool{}
	var ones [len(names)][256]int
	for range n {
		params := queryOf(a.serve(http.MethodGet, "/login").Header().Get("Location"))
		for i, name := range names {
			value, err := base64.RawURLEncoding.DecodeString(params.Get(name))
			if err != nil || len(value) != 32 || seen[string(value)] {
				t.Fatalf("%s %x, %v", name, value, err)
			}
			seen[string(value)] = true
			for bit := range ones[i] {
				ones[i][bit] += int(value[bit/8] >> (bit % 8) & 1)
			}
		}
	}
	for i, name := range names {
		for bit, count := range ones[i] {
			if count < n/3 || count > n*2/3 { // eight standard deviations away
				t.Errorf("%s: bit %d is set %d times in %d", name, bit, count, n)
			}
		}
	}
	a.leaves(a.browser(t), aftermath{})
}

// A provider whose certificate nobody signed gets no request, with the client
// that there is by default; and over plain http there is none but on loopback.
func unverifiedTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the provider was asked") }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	a := newAttackedApp(t, offline{change: func(opts *oauthlogin.Options) {
		opts.HTTPClient = nil
		opts.Providers[0].Issuer = server.URL
	}})
	a.expect("a certificate of nobody", a.browser(t).get("/login"), http.StatusBadGateway, "")
	if log := a.log.String(); !strings.Contains(log, "certificate") {
		t.Errorf("log %s", log)
	}
	for _, change := range []func(p *oauthlogin.Provider){
		func(p *oauthlogin.Provider) { p.Issuer = "http://provider.test" },
		func(p *oauthlogin.Provider) { p.Issuer = "http://127.0.0.1.hostile.test" },
		func(p *oauthlogin.Provider) { p.Issuer = "http://localhost.hostile.test" },
		func(p *oauthlogin.Provider) { p.OAuth2.RedirectURL = "http://app.test/auth/callback" },
		func(p *oauthlogin.Provider) { p.PostLogoutRedirectURL = "http://app.test/" },
		func(p *oauthlogin.Provider) {
			*p = plainProvider("x", "https://app.test/auth/callback")
			p.OAuth2.Endpoint = oauth2.Endpoint{AuthURL: "https://provider.test/a", TokenURL: "http://provider.test/t"}
		},
	} {
		opts := validOptions()
		if change(&opts.Providers[0]); opts.Providers[0].OAuth2 != nil {
			if auth, err := oauthlogin.New(opts); err == nil || auth != nil {
				t.Errorf("plain http: %+v", opts.Providers[0])
			}
		}
	}
}

func serverSideRequests(t *testing.T) {
	a := newAttackedApp(t, offline{})
	a.provider.MapIDToken(without("name")) // so that user info is asked for
	codes := 0
	for _, row := range []struct {
		endpoint oauthlogintest.Endpoint
		path     string
		codes    int
	}{
		{oauthlogintest.Discovery, "/.well-known/openid-configuration", 0},
		{oauthlogintest.JWKS, "/jwks", 1},
		{oauthlogintest.Token, "/token", 1},
		{oauthlogintest.UserInfo, "/userinfo", 1},
	} {
		for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
			for _, header := range []string{"Location", "Refresh", "Content-Location", "Link"} {
				target := "https://hostile.test" + row.path
				a.provider.Intercept(row.endpoint, answerWith(status, "", header, target))
				time.Sleep(time.Minute)
				b := a.browser(t)
				if resp := b.follow("/login?return_to=/dashboard"); resp.StatusCode != http.StatusBadGateway || resp.Request.URL.Host != "app.test" {
					t.Errorf("%s redirects with %d and %s: %d at %s", row.endpoint, status, header, resp.StatusCode, resp.Request.URL)
				}
				codes += row.codes
			}
		}
		a.provider.Intercept(row.endpoint, nil)
	}
	a.provider.Intercept(oauthlogintest.Revocation, answerWith(http.StatusTemporaryRedirect, "", "Location", "https://hostile.test/revoke"))

	// OpenID Connect Core sections 5.1, 5.6.2: what has a URL in it.
	edit := func(claims object) {
		const target = "https://hostile.test/jwks"
		for _, name := range []string{"picture", "profile", "website", "jwks_uri", "jku", "x5u", "userinfo_endpoint", "sub_jwk", "icon"} {
			claims[name] = target
		}
		claims["_claim_names"] = object{"name": "a", "groups": "a", "email": "a"}
		claims["_claim_sources"] = object{"a": object{"endpoint": target, "access_token": "x"}, "b": object{"JWT": "e30.e30.e30"}}
	}
	a.provider.MapIDToken(func(header, claims object) {
		delete(claims, "name")
		edit(claims)
		header["jku"], header["x5u"] = "https://hostile.test/jwks", "https://hostile.test/jwks"
	})
	a.provider.MapUserInfo(edit)
	a.provider.MapTokenResponse(func(resp object) { resp["userinfo_endpoint"] = "https://hostile.test/userinfo" })
	time.Sleep(time.Minute)
	b := a.browser(t)
	b.login("/")
	b.post("/logout", nil) // which revokes, and is not held up
	a.leaves(b, aftermath{codes: codes + 1})
}

func credentialsOnRedirects(t *testing.T) {
	a := newAttackedApp(t, offline{})
	var atAPI []string
	a.net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atAPI = append(atAPI, r.URL.Path+" "+strings.Split(r.Header.Get("Authorization")+" ", " ")[0])
		if r.URL.Path == "/first" {
			http.Redirect(w, r, "https://hostile.test/away", http.StatusTemporaryRedirect)
		}
	})
	a.net["hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.reached = append(a.reached, r)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "https://sub.hostile.test/", http.StatusFound)
		}
	})
	a.net["sub.hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.net["hostile.test"].ServeHTTP(w, r)
		http.Redirect(w, r, "https://api.test/back", http.StatusFound)
	})
	more := a.more
	a.more = func(mux *http.ServeMux) {
		more(mux)
		mux.Handle("/call", a.auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			resp, err := a.auth.Client(r.Context()).Post("https://api.test/first", "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})))
	}
	b := a.browser(t)
	b.login("/")
	b.get("/call")
	if !slices.Equal(atAPI, []string{"/first Bearer", "/back "}) {
		t.Errorf("the API got %q", atAPI)
	}
	for _, r := range a.reached {
		for _, name := range []string{"Authorization", "Cookie", "Www-Authenticate", "Proxy-Authorization"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s%s got %s", r.Host, r.URL.Path, name)
			}
		}
	}
	a.leaves(b, aftermath{user: "alice", codes: 1, asked: 2})
}

// The floor is where the last of them was fixed; and what the fixes bound.
func standardLibrary(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var floor string
	for line := range strings.Lines(string(mod)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			floor = "go" + v
		}
	}
	for _, v := range []string{floor, strings.Fields(runtime.Version())[0]} {
		if version.Compare(v, "go1.25.6") < 0 { // CVE-2025-61726; the others were earlier
			t.Errorf("%q is too old", v)
		}
	}
	a := newAttackedApp(t, offline{})
	b := a.browser(t)
	for _, target := range []string{"/login?", "/auth/callback?state=x&code=y&"} {
		a.expect("too many parameters", b.get(target+strings.Repeat("a&", 10_001)), http.StatusBadRequest, "")
	}
	a.expect("too many cookies", a.raw(b, nil, "GET /dashboard", "Cookie", strings.Repeat("a=b;", 4000)), http.StatusFound, "/login?return_to=%2Fdashboard")
	a.expect("and a logout", a.raw(b, nil, "POST /logout", "Content-Length", "0", "Cookie", strings.Repeat("a=b;", 4000)), http.StatusSeeOther, "/")
	a.leaves(b, aftermath{})
}

// allocates returns how many bytes f allocates, in all.
func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func manyDots(t *testing.T) {
	a := newAttackedApp(t, offline{})
	a.browser(t).login("/") // with all that is made once
	dots := strings.Repeat(".", 1_000_000)
	for token, status := range map[string]int{"id_token": http.StatusBadGateway, "access_token": http.StatusSeeOther, "refresh_token": http.StatusSeeOther} {
		a.provider.MapIDToken(without("at_hash")) // of another access token
		a.provider.MapTokenResponse(func(resp map[string]any) { resp[token] = dots })
		b := a.browser(t)
		cb := b.callbackURL("/login")
		var resp *response
		// The provider and the network of the test are in it; a slice of a
		// million strings would be 16 MB more.
		if n := allocates(func() { resp = b.get(cb) }); resp.StatusCode != status || n > 26<<20 {
			t.Errorf("%s: %d, %d bytes allocated", token, resp.StatusCode, n)
		}
	}
	b := a.browser(t)
	for _, header := range []string{sessionCookie + "=1" + dots, flowPrefix + "x=" + dots, flowPrefix + dots + "=x"} {
		r := httptest.NewRequest(http.MethodGet, "/dashboard", nil)
		r.Header.Set("Cookie", header)
		w := httptest.NewRecorder()
		if n := allocates(func() { a.auth.RequireAuth(a).ServeHTTP(w, r) }); w.Code != http.StatusFound || n > 4<<20 {
			t.Errorf("%.40s: %d, %d bytes allocated", header, w.Code, n)
		}
	}
	a.leaves(b, aftermath{codes: 4})
}

// Answers that are good but for their length, which net/http hides: 8 MiB in
// 36 KiB.
func inflatedAnswers(t *testing.T) {
	var a *attackedApp
	a = newAttackedApp(t, offline{change: func(opts *oauthlogin.Options) {
		provider := func(w http.ResponseWriter, r *http.Request) { a.provider.ServeHTTP(w, r) }
		opts.HTTPClient = &http.Client{Transport: servePipes(t, http.HandlerFunc(provider))}
	}})
	a.provider.MapIDToken(without("name")) // so that user info is asked for
	padding := bytes.Repeat([]byte(" "), 8<<20)
	var b *browser
	codes := 0
	for _, row := range []struct {
		endpoint oauthlogintest.Endpoint
		codes    int
	}{{oauthlogintest.Discovery, 0}, {oauthlogintest.JWKS, 1}, {oauthlogintest.Token, 1}, {oauthlogintest.UserInfo, 1}} {
		inflated := 0
		a.provider.Intercept(row.endpoint, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			rec := httptest.NewRecorder()
			next(rec, r)
			w.Header().Set("Content-Type", "application/json")
			if r.Header.Get("Accept-Encoding") == "gzip" {
				w.Header().Set("Content-Encoding", "gzip")
				inflated++
			}
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			z.Write(padding)
			z.Write(rec.Body.Bytes())
			z.Close()
		})
		time.Sleep(time.Minute)
		b = a.browser(t)
		var resp *response
		if n := allocates(func() { resp = b.follow("/login?return_to=/dashboard") }); resp.StatusCode != http.StatusBadGateway || inflated != 1 || n > 8<<20 {
			t.Errorf("%s: %d with %d bytes allocated, %d times inflated", row.endpoint, resp.StatusCode, n, inflated)
		}
		a.provider.Intercept(row.endpoint, nil)
		codes += row.codes
	}
	a.leaves(b, aftermath{codes: codes})
}

func manyLogins(t *testing.T) {
	a := newAttackedApp(t, offline{})
	login := func(n int) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n / 8 {
					w := httptest.NewRecorder()
					if a.auth.Login(w, httptest.NewRequest(http.MethodGet, "/login?return_to=/x", nil)); w.Code != http.StatusSeeOther {
						t.Errorf("%d", w.Code)
					}
				}
			})
		}
		wg.Wait()
	}
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC() // sync.Pool lets go after two
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	login(80)
	before := heap()
	login(2000)
	if after := heap(); after > before+2000*64 { // a flow, or no more than its state
		t.Errorf("heap grew from %d to %d bytes", before, after)
	}
	a.leaves(a.browser(t), aftermath{})
}
