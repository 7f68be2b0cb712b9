package oauthlogin_test

import (
	"testing"
	"testing/synctest"
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
		{"CVE-2021-41230 CVE-2021-29651 CVE-2021-29652 CVE-2024-39315 Pomerium: stale claims, and tokens in pages and URLs", tokensInPages},
		{"CVE-2024-21492 to CVE-2024-21500 caddy-security: logged out and still in; X-Forwarded-For, X-Forwarded-Proto, XSS", escapedPages},
		{"CVE-2026-48058 nebula-mesh, CVE-2022-4683 memos: cookies without Secure", insecureCookies},
		{"CVE-2026-30224 OliveTin, CVE-2025-53826 File Browser: the cookie went on working after the logout", replayAfterLogout},
		{"CVE-2024-52801 SFTPGo: guessable session ids", sessionIDs},
		{"CVE-2024-6535 Skupper: the cookie secret was a constant", staticKeys},
		{"CVE-2026-53523 Nezha, GHSA-vrw8-fxc6-2r93 chi: the Host header made redirect_uri and Location", hostHeader},
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
