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
		{"CVE-2025-54576 GHSA-7rh7-c77v-6434 oauth2-proxy: a public path in the query opened a guarded one", publicPathInQuery},
		{"CVE-2026-41059 GHSA-pxq7-h93f-9jrg oauth2-proxy: a public path behind # opened a guarded one", publicPathInFragment},
		{"CVE-2026-40575 GHSA-7x63-xv5r-3p2x oauth2-proxy: X-Forwarded-Uri decided what is guarded", forwardedHeaders},
		{"CVE-2026-34457 GHSA-5hvv-m4w4-gf6v oauth2-proxy: the User-Agent of a health check opened everything", healthChecks},
		{"CVE-2026-34454 GHSA-f24x-5g9q-753f oauth2-proxy: a session cookie that stayed", cookiesThatStay},
		{"CVE-2026-40574 GHSA-c5c4-8r6x-56w3 oauth2-proxy, GHSA-7rqj-j65f-68wh next-auth, CVE-2024-27918 Coder: half of an e-mail address was compared", emailAddresses},
		{"CVE-2025-64484 GHSA-vjrc-mh2v-45x6 oauth2-proxy: X_Forwarded_User passed for X-Forwarded-User", identityHeaders},
		{"CVE-2022-24794 GHSA-7p99-3798-f85c express-openid-connect: GET //evil on a catch-all was stored as the return path", requestTargets},
		{"CVE-2021-41246 GHSA-7rg2-qxmf-hhx9 express-openid-connect, mod_auth_openidc: the login went into the session that was there", sessionFixation},
		{"CVE-2021-32702 GHSA-954c-jjx6-cxv7 nextjs-auth0, CVE-2026-33758 OpenBao, CVE-2026-40302 zrok, CVE-2021-45325 Gitea: the error page repeated the error", reflectedErrors},
		{"CVE-2025-48947 nextjs-auth0, CVE-2025-64762 authkit-nextjs: a shared cache kept a session", sharedCaches},
		{"GHSA-8fpg-xm3f-6cx3 next-auth: a broken provider let everybody in", brokenProvider},
		{"CVE-2025-31492 GHSA-59jp-rwph-878r mod_auth_openidc: the protected page followed the login page", pageAfterRefusal},
		{"CVE-2021-32791 GHSA-px3c-6x7j-3r9r mod_auth_openidc: a static IV", sealedTwice},
		{"CVE-2021-32792 mod_auth_openidc: a POST was replayed into a page", replayedPost},
		{"CVE-2021-32785 mod_auth_openidc: input as a format string", logInjection},
		{"CVE-2024-24814 mod_auth_openidc, CVE-2026-40303 GHSA-cpf9-ph2j-ccr9 zrok: the client said how many chunks there are", chunkCounts},
		{"CVE-2023-28625 mod_auth_openidc: a Cookie header crashed the server", cookieHeaders},
		{"CVE-2025-3891 mod_auth_openidc: a POST without Content-Type crashed the server", oddRequests},
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
		{"CVE-2026-49478 Fulcio, CVE-2025-52477 Octo STS, CVE-2026-23603 Gitea: discovery followed redirects, and picture was fetched", serverSideRequests},
		{"CVE-2025-24358 CVE-2025-47909 gorilla/csrf, CVE-2025-46721 nosurf: checks of the origin that did not check", crossSiteLogout},
		{"CVE-2025-47910 CVE-2025-58186 net/http, CVE-2025-61726 net/url: a standard library that is too old", standardLibrary},
		{"CVE-2023-45289 CVE-2024-45336 CVE-2025-4673 net/http: credentials followed a redirect", credentialsOnRedirects},
		{"GO-2024-2730 gorilla/sessions: a session id that is a path", sessionIDAsPath},
		{"gorilla/securecookie, no advisory: every bit of every cookie counts", everyBit},
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
