package oauthlogin_test

import (
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

var (
	forwarded                      = apptest.ForwardedHeaders
	serveEvents, visitEvents       = apptest.ServeEvents, apptest.VisitEvents
	serveWebSocket, visitWebSocket = apptest.ServeWebSocket, apptest.VisitWebSocket
)

func closed(a *apptest.App, b *apptest.Browser, line string, header ...string) *apptest.Response {
	a.T.Helper()
	return a.Closed(b, line, header...)
}

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
		{"CVE-2026-34454 GHSA-f24x-5g9q-753f oauth2-proxy: a session cookie that stayed", cookiesThatStay},
		{"CVE-2017-1000069 CVE-2017-1000070 bitly/oauth2_proxy: no state, and a redirect anywhere", noState},
		{"CVE-2021-41246 GHSA-7rg2-qxmf-hhx9 express-openid-connect, mod_auth_openidc: the login went into the session that was there", sessionFixation},
		{"CVE-2021-43812 GHSA-2mqv-4j3r-vjvp nextjs-auth0: returnTo with a host, and again after a rewrite", returnToWithHost},
		{"CVE-2025-48947 nextjs-auth0, CVE-2025-64762 authkit-nextjs: a shared cache kept a session", sharedCaches},
		{"CVE-2025-67716 GHSA-mr6f-h57v-rpj5 nextjs-auth0: the return path brought parameters of its own", injectedParameters},
		{"CVE-2025-67490 GHSA-wcgj-f865-c7j7 nextjs-auth0: users at the same time got each other's tokens", usersAtOnce},
		{"CVE-2026-33544 GHSA-9q5m-jfc4-wc92 tinyauth: two logins shared a verifier", interleavedLogins},
		{"CVE-2023-27490 GHSA-7r7x-4c4q-c4qf next-auth: without its cookies a callback was not checked", droppedFlowCookies},
		{"CVE-2023-48309 GHSA-v64w-49xw-qq89 next-auth: a pending login passed for a session", flowAsSession},
		{"CVE-2022-24858 CVE-2022-29214 next-auth: callbackUrl led anywhere", otherNamesOfReturnTo},
		{"CVE-2022-31093 next-auth: a malformed callbackUrl hung the request", malformedReturnTo},
		{"CVE-2019-14857 CVE-2019-20479 CVE-2021-32786 CVE-2021-39191 CVE-2022-23527 mod_auth_openidc: redirects by backslash, tab and target_link_uri", thirdPartyInitiated},
		{"CVE-2021-32791 GHSA-px3c-6x7j-3r9r mod_auth_openidc: a static IV", sealedTwice},
		{"CVE-2024-24814 mod_auth_openidc, CVE-2026-40303 GHSA-cpf9-ph2j-ccr9 zrok: the client said how many chunks there are", chunkCounts},
		{"CVE-2023-28625 mod_auth_openidc: a Cookie header crashed the server", cookieHeaders},
		{"goth/gothic: /login?state= fixed the state", fixedState},
		{"CVE-2015-9284 OmniAuth: another site started a login that changed the account", crossSiteLogin},
		{"CVE-2025-68158 GHSA-fg6f-75jq-6523 Authlib, CVE-2025-12419 Mattermost, fastapi-sso: any browser could complete a login", loginCSRF},
		{"RFC 9700 section 4.5: the attacker's code with the victim's state", codeInjection},
		{"RFC 9700 section 4.4: one provider answered for another", mixUp},
		{"CVE-2026-48058 nebula-mesh, CVE-2022-4683 memos: cookies without Secure", insecureCookies},
		{"CVE-2026-30224 OliveTin, CVE-2025-53826 File Browser: the cookie went on working after the logout", replayAfterLogout},
		{"CVE-2024-52801 SFTPGo: guessable session ids", sessionIDs},
		{"CVE-2024-6535 Skupper: the cookie secret was a constant", staticKeys},
		{"GHSA-mqqf-5wvp-8fh8 chi, CVE-2022-40083 echo, CVE-2022-28923 Caddy, CVE-2026-44427 MCP registry, CVE-2025-67713 CVE-2026-55185 miniflux, CVE-2026-55252 OpenRun, CVE-2026-49820 Probo, " +
			"CVE-2026-25779 Gitea, CVE-2026-52802 Gogs, CVE-2026-49826 Concourse, GHSA-wcx9-ccpj-hx3c Coder, GHSA-grh9-37g7-53mj wg-portal: a path was cleaned after it was checked", cleanedPaths},
		{"CVE-2025-24358 CVE-2025-47909 gorilla/csrf, CVE-2025-46721 nosurf: checks of the origin that did not check", crossSiteLogout},
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
		{"CVE-2021-22119 Spring Security: many authorization requests filled the session", manyFlows},
	} {
		t.Run(advisory.name, func(t *testing.T) { synctest.Test(t, advisory.attack) })
	}
}

// No such thing here: lists of allowed redirect or e-mail domains, paths that
// skip the gate, identity headers for upstreams, Redis, stored POST bodies,
// decryption of tokens, a userinfo endpoint of our own. Their rows attack what
// comes nearest.

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

const statusLine = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

func again(w io.Writer, text string, pause time.Duration) error {
	for range 1 << 10 {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}
