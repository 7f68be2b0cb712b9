// Package adversarial attacks the middleware as a whole. Its tests come from outside,
// through HTTP, and say what has to be true after the attack. Tests of what one source
// file does stand beside that file.
//
// What is attacked decides the file, not where the idea came from:
//
//	browsers        requests that other sites cause in the browser of a user
//	siblings        sibling domains and ports that plant, replace or push out cookies
//	cookies         cookies that are read, changed, mixed or malformed
//	sessions        fixed, stolen and replayed sessions, and IDs of store entries
//	logins          forged, injected, replayed and mixed-up authorization responses
//	redirects       return paths and request targets that lead to another origin
//	logout          logouts by others, and where a logout leads
//	policy          sessions that are not as strong as a policy asks
//	gate            requests that claim to be something else, and refusals
//	provider        a provider that is down or hostile: metadata, issuers, user info
//	tokenendpoint   a token endpoint that refuses, redirects, breaks or says too much
//	dpop            stolen tokens and proofs, and nonces
//	pushed          responses to pushed authorization requests
//	clientauth      client assertions that are misused, and where they end up
//	tokens          forged ID tokens, algorithms, and claims that are coerced
//	keys            keys that rotate, disappear or cannot be read
//	refreshes       a provider that responds to a refresh with something else
//	network         certificates, redirects of credentials, server-side requests, transports
//	notoffered      parts of the specifications that the package does not have
//	output          pages, headers and log lines with injected text, and caches
//	leaks           secrets in logs, pages, URLs and prints
//	leak_echoes     responses and errors that repeat the request, for leaks
//	bounds          memory and counts that grow
//	responsebounds  responses that cost memory
//	hangs           providers that hang, and clients that hang up
//	streaming       long responses and hijacked connections
//	races           requests that overlap or arrive late
//	soak            an hour of everything at once
//	fuzz            what browsers send
//	fuzz_logouttoken  logout tokens
//	fuzz_provider   what providers send
//	index           the list of advisories below, and this list
//
// # Adding an attack
//
// An attack is a test of its own, or a row of a table if it differs from others by its
// input alone. apptest.Attack gives it an application whose responses and log are
// recorded, and the browser of a victim, alice. The attacker is mallory, and whatever
// she controls has "hostile" in it. The attack ends with Leaves, which compares what
// it has left behind with an apptest.Aftermath, finds "hostile" or a secret where it
// does not belong, and sees whether alice can still sign in. Break the code once to
// see the attack succeed.
//
// # Advisories
//
// The tests cover what went wrong in comparable software. Each advisory is named
// beside its test: search for the identifier. What the package does not have is
// attacked at what comes nearest: lists of allowed redirects or e-mail domains, paths
// that skip the gate, identity headers for upstream servers, Redis, stored POST
// bodies, decryption of tokens, a userinfo endpoint.
//
//	Authlib: CVE-2025-68158 GHSA-fg6f-75jq-6523 GHSA-g7f3-828f-7h7m CVE-2026-27962
//	Coder: CVE-2024-27918 CVE-2026-55076 CVE-2026-55075 GHSA-3rw9-wmc8-8948
//	  GHSA-wcx9-ccpj-hx3c
//	express-openid-connect: CVE-2022-24794 GHSA-7p99-3798-f85c CVE-2021-41246
//	  GHSA-7rg2-qxmf-hhx9
//	Gitea: CVE-2021-45325 CVE-2026-25779 CVE-2026-23603
//	go-jose: CVE-2024-28180 GHSA-2c7c-3mj9-8fqh CVE-2026-34986 CVE-2025-27144
//	jwx: CVE-2024-28122 CVE-2023-49290 CVE-2024-21664
//	mod_auth_openidc: CVE-2025-31492 GHSA-59jp-rwph-878r CVE-2019-14857 CVE-2019-20479
//	  CVE-2021-32786 CVE-2021-39191 CVE-2022-23527 CVE-2021-32791 GHSA-px3c-6x7j-3r9r
//	  CVE-2021-32792 CVE-2021-32785 CVE-2024-24814 CVE-2023-28625 CVE-2025-3891
//	net/http: CVE-2025-47910 CVE-2025-58186 CVE-2023-45289 CVE-2024-45336 CVE-2025-4673
//	next-auth: GHSA-7rqj-j65f-68wh CVE-2023-27490 GHSA-7r7x-4c4q-c4qf CVE-2023-48309
//	  GHSA-v64w-49xw-qq89 CVE-2022-24858 CVE-2022-29214 CVE-2022-31093
//	  GHSA-8fpg-xm3f-6cx3
//	nextjs-auth0: CVE-2021-43812 GHSA-2mqv-4j3r-vjvp CVE-2021-32702 GHSA-954c-jjx6-cxv7
//	  CVE-2025-48947 CVE-2025-67716 GHSA-mr6f-h57v-rpj5 CVE-2025-67490
//	  GHSA-wcgj-f865-c7j7
//	oauth2-proxy: CVE-2020-5233 GHSA-qqxw-m5fj-f7gv CVE-2020-11053 GHSA-j7px-6hwj-hpjg
//	  CVE-2020-4037 GHSA-5m6c-jp6f-2vcv CVE-2021-21291 GHSA-4mf2-f3wh-gvf2
//	  CVE-2025-54576 GHSA-7rh7-c77v-6434 CVE-2026-41059 GHSA-pxq7-h93f-9jrg
//	  CVE-2026-40575 GHSA-7x63-xv5r-3p2x CVE-2026-34457 GHSA-5hvv-m4w4-gf6v
//	  CVE-2026-34454 GHSA-f24x-5g9q-753f CVE-2026-40574 GHSA-c5c4-8r6x-56w3
//	  CVE-2025-64484 GHSA-vjrc-mh2v-45x6
//	OliveTin: CVE-2026-30224 CVE-2026-67437 CVE-2026-28789
//	Pomerium: CVE-2021-41230 CVE-2021-29651 CVE-2021-29652 CVE-2024-39315
//	zrok: CVE-2026-40302 CVE-2026-40303 GHSA-cpf9-ph2j-ccr9
//	others: Argo CD CVE-2022-31034 CVE-2022-31105; authkit-nextjs CVE-2025-64762;
//	  bitly/oauth2_proxy CVE-2017-1000069 CVE-2017-1000070; Caddy CVE-2022-28923;
//	  caddy-security CVE-2024-21492 to CVE-2024-21500; chi GHSA-vrw8-fxc6-2r93
//	  GHSA-mqqf-5wvp-8fh8; Concourse CVE-2026-49826; echo CVE-2022-40083; File Browser
//	  CVE-2025-53826; Flux CVE-2026-23990; Fulcio CVE-2026-49478; Gogs CVE-2026-52802;
//	  golang-jwt CVE-2025-30204; gorilla/csrf CVE-2025-24358 CVE-2025-47909;
//	  gorilla/sessions GO-2024-2730; Mattermost CVE-2025-12419; MCP registry
//	  CVE-2026-44428 CVE-2026-44427; memos CVE-2022-4683; miniflux CVE-2025-67713
//	  CVE-2026-55185; MinIO CVE-2026-33322; nebula-mesh CVE-2026-48058 CVE-2026-55512;
//	  net/url CVE-2025-61726; NeuVector CVE-2025-66001; Nezha CVE-2026-53523; Nhost
//	  CVE-2026-41574; nosurf CVE-2025-46721; Octo STS CVE-2025-52477; OmniAuth
//	  CVE-2015-9284; OAuth 2.0 and OpenID Connect CVE-2025-27370 CVE-2025-27371;
//	  OpenBao CVE-2026-33758; OpenFGA CVE-2026-55689; OpenRun
//	  CVE-2026-55252; Oxia CVE-2026-40946; passport-oauth2 CVE-2021-41580
//	  GHSA-f794-r6xc-hf3v; PocketBase CVE-2024-38351; Probo CVE-2026-49820; SFTPGo
//	  CVE-2024-52801; Skupper CVE-2024-6535; Spring Security CVE-2021-22119;
//	  square/go-jose CVE-2016-9122; tinyauth CVE-2026-33544 GHSA-9q5m-jfc4-wc92;
//	  wg-portal GHSA-grh9-37g7-53mj; x/oauth2 CVE-2025-22868 GO-2025-3488
package adversarial
