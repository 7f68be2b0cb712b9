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
		{"CVE-2026-40574 GHSA-c5c4-8r6x-56w3 oauth2-proxy, GHSA-7rqj-j65f-68wh next-auth, CVE-2024-27918 Coder: half of an e-mail address was compared", emailAddresses},
		{"CVE-2025-64484 GHSA-vjrc-mh2v-45x6 oauth2-proxy: X_Forwarded_User passed for X-Forwarded-User", identityHeaders},
		{"CVE-2017-1000069 CVE-2017-1000070 bitly/oauth2_proxy: no state, and a redirect anywhere", noState},
		{"CVE-2022-24794 GHSA-7p99-3798-f85c express-openid-connect: GET //evil on a catch-all was stored as the return path", requestTargets},
		{"CVE-2021-43812 GHSA-2mqv-4j3r-vjvp nextjs-auth0: returnTo with a host, and again after a rewrite", returnToWithHost},
		{"CVE-2021-32702 GHSA-954c-jjx6-cxv7 nextjs-auth0, CVE-2026-33758 OpenBao, CVE-2026-40302 zrok, CVE-2021-45325 Gitea: the error page repeated the error", reflectedErrors},
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
		{"CVE-2021-32792 mod_auth_openidc: a POST was replayed into a page", replayedPost},
		{"CVE-2021-32785 mod_auth_openidc: input as a format string", logInjection},
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
		{"CVE-2026-53523 Nezha, GHSA-vrw8-fxc6-2r93 chi: the Host header made redirect_uri and Location", hostHeader},
		{"GHSA-mqqf-5wvp-8fh8 chi, CVE-2022-40083 echo, CVE-2022-28923 Caddy, CVE-2026-44427 MCP registry, CVE-2025-67713 CVE-2026-55185 miniflux, CVE-2026-55252 OpenRun, CVE-2026-49820 Probo, " +
			"CVE-2026-25779 Gitea, CVE-2026-52802 Gogs, CVE-2026-49826 Concourse, GHSA-wcx9-ccpj-hx3c Coder, GHSA-grh9-37g7-53mj wg-portal: a path was cleaned after it was checked", cleanedPaths},
		{"CVE-2026-49478 Fulcio, CVE-2025-52477 Octo STS, CVE-2026-23603 Gitea: discovery followed redirects, and picture was fetched", serverSideRequests},
		{"CVE-2025-47910 CVE-2025-58186 net/http, CVE-2025-61726 net/url: a standard library that is too old", standardLibrary},
		{"CVE-2023-45289 CVE-2024-45336 CVE-2025-4673 net/http: credentials followed a redirect", credentialsOnRedirects},
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
	} {
		t.Run(advisory.name, func(t *testing.T) { synctest.Test(t, advisory.attack) })
	}
}

// No such thing here: lists of allowed redirect or e-mail domains, paths that
// skip the gate, identity headers for upstreams, Redis, stored POST bodies,
// decryption of tokens, a userinfo endpoint of our own. Their rows attack what
// comes nearest.
