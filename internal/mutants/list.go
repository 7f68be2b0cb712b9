package main

// mutants are the breakages that matter most: each takes away something that
// SECURITY.md or the documentation promises.
var mutants = []mutant{
	{
		name: "state need not be this browser's", file: "callback.go",
		old:   "	f := m.findFlow(r, name, answer.state)\n",
		new:   "	f := m.findFlow(r, name, answer.state)\n	if f == nil {\n		f = &flow{provider: m.providers[0].tag, state: answer.state, verifier: randomToken(), nonce: randomToken(), started: time.Now(), returnPath: \"/\", maxAge: -1}\n	}\n",
		tests: "TestCallbackRefuses|TestAnswerOfAnotherBrowser|TestNoCookiesNoLoop",
	},
	{
		name: "a flow is good twice", file: "callback.go",
		old: "case !m.finished.add(f.state, shortPath(f.returnPath)):", new: "case m.finished.add(f.state, \"\") && false:",
		tests: "TestCallbackAgain|TestCallbackRefuses",
	},
	{
		name: "a flow never expires", file: "callback.go",
		old: "case f.expired(time.Now()):", new: "case false:",
		tests: "TestFlowExpires",
	},
	{
		name: "PKCE is plain", file: "login.go",
		old: `"code_challenge", oauth2.S256ChallengeFromVerifier(f.verifier),`, new: `"code_challenge", oauth2.S256ChallengeFromVerifier(f.verifier)[:0] + f.verifier,`,
		tests: "TestAuthorizationRequest|TestLogin",
	},
	{
		name: "no PKCE", file: "token.go",
		old: "		\"code_verifier\", verifier,\n", new: "",
		tests: "TestAuthorizationRequest|TestLogin",
	},
	{
		name: "the nonce is not compared", file: "idtoken.go",
		old: "subtle.ConstantTimeCompare([]byte(claims.str(\"nonce\")), []byte(nonce)) != 1 {", new: "subtle.ConstantTimeCompare(nil, nil) != 1 {",
		tests: "TestIDTokenRefused",
	},
	{
		name: "a login without a nonce is one with an empty nonce", file: "idtoken.go",
		old: "if nonce == \"\" || subtle", new: "if subtle",
		tests: "TestProviderOfAnotherKind",
	},
	{
		name: "iss of the answer is not compared", file: "callback.go",
		old: "case subtle.ConstantTimeCompare([]byte(answer.iss), []byte(p.Issuer)) != 1:", new: "case subtle.ConstantTimeCompare(nil, nil) != 1:",
		tests: "TestCallbackRefuses|TestMixUp",
	},
	{
		name: "iss of the answer may be missing", file: "callback.go",
		old: "	case !answer.hasISS && !md.IssInResponse:\n", new: "	case !answer.hasISS:\n",
		tests: "TestCallbackRefuses|TestMixUp",
	},
	{
		name: "another provider's redirect URI will do", file: "callback.go",
		old: "if path != p.callbackPath && len(m.providers) > 1 {", new: "if false {",
		tests: "TestMixUp",
	},
	{
		name: "parameters may repeat", file: "callback.go",
		old: "case len(values) > 1:", new: "case false:",
		tests: "TestCallbackRefuses",
	},
	{
		name: "HEAD redeems the code", file: "callback.go",
		old: "if r.Method != http.MethodGet {", new: "if r.Method != http.MethodGet && r.Method != http.MethodHead {",
		tests: "TestCallbackAnswersGetAlone",
	},
	{
		name: "// is a return path", file: "returnpath.go",
		old: ` || strings.HasPrefix(p, "//")`, new: "",
		tests: "TestReturnPath|TestOddRequestTargets|FuzzReturnPath",
	},
	{
		name: "a backslash is fine in a return path", file: "returnpath.go",
		old: ` || p[i] == '\\' {`, new: " {",
		tests: "TestReturnPath|FuzzReturnPath",
	},
	{
		name: "a return path may be the login path", file: "returnpath.go",
		old: "if u, err := url.ParseRequestURI(p); err != nil || m.isOwnPath(u.Path) {", new: "if false {",
		tests: "TestReturnPath|TestReturnPathGuardsConfiguredPaths",
	},
	{
		name: "redirects from the provider are followed", file: "httpclient.go",
		old: "	resp.Header.Del(\"Location\")\n", new: "",
		tests: "TestIdentifyClient|TestGitHubUser",
	},
	{
		name: "answers are not bounded", file: "httpclient.go",
		old: "if b.left -= int64(n); b.left < 0 {", new: "if b.left += 0; b.left < 0 {",
		tests: "TestTokenEndpointRefuses|TestDiscoveryRefused|TestUserInfoRefused|TestTokenEndpointBreaks|TestKeysUnavailable",
	},
	{
		name: "every signing algorithm will do", file: "idtoken.go",
		old: "SupportedSigningAlgs: md.SigningAlgs,", new: `SupportedSigningAlgs: append([]string{"HS256", "none"}, asymmetricAlgs...),`,
		tests: "TestIDTokenRefused|TestSigningAlgorithms",
	},
	{
		name: "HS256 is used when advertised", file: "discovery.go",
		old: "return !slices.Contains(asymmetricAlgs, alg)", new: "return false",
		tests: "TestSymmetricAlgorithmsAdvertised|TestDiscoveryRefused",
	},
	{
		name: "exp is not checked", file: "idtoken.go",
		old: "case !hasExp || !now.Before(exp.Add(clockLeeway)):", new: "case !hasExp && exp.IsZero() && false:",
		tests: "TestIDTokenRefused",
	},
	{
		name: "iat may be missing", file: "idtoken.go",
		old: "	case !hasIAT:\n", new: "	case !hasIAT && false:\n",
		tests: "TestIDTokenRefused",
	},
	{
		name: "sub may be missing", file: "idtoken.go",
		old: `if sub == "" || len(sub) > 255`, new: `if len(sub) > 255`,
		tests: "TestIDTokenRefused|TestSubjects",
	},
	{
		name: "any further audience is trusted", file: "idtoken.go",
		old: "case len(extra) > 0:", new: "case len(extra) > 1<<20:",
		tests: "TestIDTokenRefused|TestTrustedAudiences",
	},
	{
		name: "azp is not checked", file: "idtoken.go",
		old: `case hasAZP && claims.str("azp") != p.OAuth2.ClientID:`, new: "case false:",
		tests: "TestIDTokenRefused|TestTrustedAudiences",
	},
	{
		name: "at_hash is not checked", file: "idtoken.go",
		old: `if _, ok := claims["at_hash"]; ok {`, new: `if false {`,
		tests: "TestIDTokenRefused",
	},
	{
		name: "user info of another subject is used", file: "userinfo.go",
		old: `if info != nil && info.str("sub") != claims.str("sub") {`, new: "if false {",
		tests: "TestUserInfoRefused",
	},
	{
		name: `email_verified may be the string "true"`, file: "json.go",
		old: `return string(o[name]) == "true"`, new: "return string(o[name]) == \"true\" || o.str(name) == \"true\"",
		tests: "TestUserInfoClaims",
	},
	{
		name: "tokens of any type are used", file: "token.go",
		old: `if !strings.EqualFold(o.str("token_type"), "bearer") {`, new: "if false {",
		tests: "TestTokenAnswer|TestTokenEndpointRefuses",
	},
	{
		name: "expires_in that is no number means for ever", file: "token.go",
		old: "	case err != nil, !(n > 0):\n		return 0\n", new: "	case err != nil, !(n > 0):\n		return maxExpiresIn\n",
		tests: "TestExpiresIn|TestExpiresInOfRefresh",
	},
	{
		name: "the session cookie is readable by scripts", file: "cookie.go",
		old: `"; HttpOnly; SameSite=Lax"`, new: `"; SameSite=Lax"`,
		tests: "TestCookieAttributes",
	},
	{
		name: "the cookie of a store is readable by scripts", file: "cookie.go",
		old: "HttpOnly: true, ", new: "",
		tests: "TestStoreSessionsBeginAndEnd",
	},
	{
		name: "cookies go to other sites", file: "cookie.go",
		old: `"; HttpOnly; SameSite=Lax"`, new: `"; HttpOnly; SameSite=None"`,
		tests: "TestCookieAttributes",
	},
	{
		name: "the cookie of a store goes to other sites", file: "cookie.go",
		old: "SameSite: http.SameSiteLaxMode", new: "SameSite: http.SameSiteNoneMode",
		tests: "TestStoreSessionsBeginAndEnd",
	},
	{
		name: "no __Host- prefix", file: "cookie.go",
		old: "	if secure {\n		stem = \"__Host-\" + stem\n	}\n", new: "",
		tests: "TestCookieAttributes|TestLogin",
	},
	{
		name: "responses that set cookies may be cached", file: "cookie.go",
		old: "	w.Header().Add(\"Set-Cookie\", line)\n	noStore(w)\n", new: "	w.Header().Add(\"Set-Cookie\", line)\n	w.Header().Del(\"Cache-Control\")\n",
		tests: "TestCaching|TestCookieAttributes|TestFlowCookie",
	},
	{
		name: "planted duplicates of a cookie: the last one counts", file: "cookiestore.go",
		old: "if seen[i] && v.parts[i] != value {", new: "if false {",
		tests: "TestBrokenSessionCookies",
	},
	{
		name: "flow and session cookies have the same keys", file: "middleware.go",
		old: `newSealer(opts.Keys, "flow")`, new: `newSealer(opts.Keys, "session")`,
		tests: "TestCookiesOfOnePurposeAreNothingToAnother|TestSealersOfTwoPurposes",
	},
	{
		name: "cookies of another client are accepted", file: "provider.go",
		old: `config.Name, p.issuer, config.OAuth2.ClientID)`, new: `config.Name, p.issuer, "")`,
		tests: "TestCookieOfAnotherApplication",
	},
	{
		name: "no idle limit", file: "store.go",
		old: "idle >= m.opts.IdleTimeout || ", new: "",
		tests: "TestSessionLimits",
	},
	{
		name: "no absolute limit", file: "record.go",
		old: "if !now.Before(rec.created.Add(opts.MaxLifetime)) {", new: "if false {",
		tests: "TestSessionLimits",
	},
	{
		name: "decompression is not bounded", file: "pack.go",
		old: "if n <= 0 || size > maxUnpackedBytes {", new: "if n <= 0 {",
		tests: "TestDecompressionBomb|TestMalformedValuesDoNotUnpack",
	},
	{
		name: "a store keeps the session id at login", file: "store.go",
		old: "m.write(w, r, sessions.NewSession(m.store, m.cookies.session), rec)", new: "func() error { s, _ := m.store.New(r, m.cookies.session); return m.write(w, r, s, rec) }()",
		tests: "TestNewSessionAtLogin|TestStoreSessionsBeginAndEnd",
	},
	{
		name: "the gate is open", file: "require_auth.go",
		old: "			m.unauthenticated(w, r)\n			return\n		}\n		switch err", new: "			next.ServeHTTP(w, r)\n			return\n		}\n		switch err",
		tests: "TestRequireAuthAnswers|TestLogin",
	},
	{
		name: "a zero Middleware lets everybody through", file: "middleware.go",
		old: "	if !m.ready(w) {\n		return true\n	}\n", new: "	if m == nil || m.providers == nil {\n		return false\n	}\n",
		tests: "TestUnmadeMiddlewareIsClosed|TestRequireOfAZeroMiddleware",
	},
	{
		name: "scripts are redirected", file: "require_auth.go",
		old: `return mode == "navigate"`, new: "return true",
		tests: "TestRequireAuthAnswers",
	},
	{
		name: "other sites may log users out", file: "logout.go",
		old: "if err := m.checkOrigin(r); err != nil {", new: "if err := m.checkOrigin(r); false {",
		tests: "TestLogoutRefused",
	},
	{
		name: "other sites may send forms", file: "require_auth.go",
		old: "if m.serveOwn(w, r) || !m.admit(w, r) {", new: "if m.serveOwn(w, r) {",
		tests: "TestCrossOriginRequests",
	},
	{
		name: "the Host header is the application's origin", file: "crossorigin.go",
		old: "public.Host = m.paths.PublicHost()", new: "",
		tests: "TestCrossOriginRequests|TestPublicOriginBehindAProxy",
	},
	{
		name: "the scheme of Origin does not matter", file: "crossorigin.go",
		old: "origin != \"\" && origin != m.paths.Origin {", new: "false && origin != \"\" {",
		tests: "TestCrossOriginRequests",
	},
	{
		name: "trusted origins may log users out", file: "logout.go",
		old: "if err := m.checkOrigin(r); err != nil {", new: "if err := m.checkOrigin(r); err != nil && !m.isTrusted(r) {",
		tests: "TestCrossOriginOwnPaths",
	},
	{
		name: "a logout by GET", file: "logout.go",
		old: "if r.Method != http.MethodPost {", new: "if false {",
		tests: "TestLogoutRefused",
	},
	{
		name: "the token follows redirects to other hosts", file: "httpclient.go",
		old: "		if originOf(r.URL) != origin {\n			return false\n		}\n", new: "		if originOf(r.URL) != origin {\n			return true\n		}\n",
		tests: "TestClientSendsTokenToTheHostAsked",
	},
	{
		name: "every request refreshes for itself", file: "refresh.go",
		old: "flight := string(old.id[:]) + strconv.FormatUint(old.generation, 36)", new: "flight := string(old.id[:]) + strconv.FormatUint(old.generation, 36) + randomToken()",
		tests: "TestOneRefresh",
	},
	{
		name: "refreshed tokens are not kept for late requests", file: "refresh.go",
		old: "if !m.memory.refreshed(fresh, time.Now()) {", new: "if false {",
		tests: "TestLostResponses|TestLateRequests|TestOneRefresh",
	},
	{
		name: "a refresh stops when its client hangs up", file: "refresh.go",
		old: "m.refreshOnce(context.WithoutCancel(ctx), old)", new: "m.refreshOnce(ctx, old)",
		tests: "TestHangUpDuringRefresh|TestOneRefresh|TestLostResponses",
	},
	{
		name: "a provider that is down ends sessions", file: "refresh.go",
		old: "	case err != nil:\n		m.memory.failed(", new: "	case err != nil:\n		m.memory.end(old)\n		m.memory.failed(",
		tests: "TestFailedRefreshKeepsTheSession|TestBackOff",
	},
	{
		name: "invalid_grant does not end the session", file: "refresh.go",
		old: "		m.memory.end(old)\n		m.event(", new: "		m.event(",
		tests: "TestRefusedRefreshEndsTheSession",
	},
	{
		name: "a refreshed ID token may be another user's", file: "refresh.go",
		old: `if claims.str("sub") != old.user.Subject {`, new: "if false {",
		tests: "TestIDTokenOfRefresh",
	},
	{
		name: "a session in cookies survives its logout here", file: "logout.go",
		old: "		rec = m.memory.end(rec)\n", new: "",
		tests: "TestLogoutDuringRefresh|TestLogoutDuringARefresh|TestRPInitiatedLogout|TestLogoutEndsOneSession",
	},
	{
		name: "auth_time is asked for and not verified", file: "idtoken.go",
		old: "if !ok || now.Sub(authTime) > f.maxAge+clockLeeway {", new: "if !ok && now.Sub(authTime) < 0 {",
		tests: "TestMaxAgeAndACRAreVerified|TestStepUpIsVerified",
	},
	{
		name: "a claim that is missing is granted", file: "policy.go",
		old: `return forbidden, "claim " + strconv.Quote(name)`, new: `return allowed, ""`,
		tests: "TestPolicyClaims",
	},
	{
		name: "keys are printed", file: "options.go",
		old: `"oauthlogin.Options{Providers:%q Keys:[redacted]}", names)`, new: `"oauthlogin.Options{Providers:%q Keys:%q}", names, o.Keys)`,
		tests: "TestNoSecrets",
	},
	{
		name: "the token is logged", file: "callback.go",
		old: "	m.event(r.Context(), Event{Kind: EventLogin, Provider: rec.user.Provider, Subject: rec.user.Subject})\n", new: "	m.event(r.Context(), Event{Kind: EventLogin, Provider: rec.user.Provider, Subject: rec.user.Subject})\n	m.log.Debug(\"signed in\", \"token\", rec.tokens.access)\n",
		tests: "TestNoSecrets",
	},
	{
		name: "cached sessions are found by their first part alone", file: "cache.go",
		old: "if o.record == nil || !v.is(o.sealed) {", new: "if o.record == nil {",
		tests: "TestBrokenSessionCookies|TestFlippedBits|TestChunksOfCachedSessions",
	},
	{
		name: "handlers share the claims of cached sessions", file: "record.go",
		old: "	user.RawClaims = bytes.Clone(user.RawClaims)\n", new: "	_ = bytes.Clone(user.RawClaims)\n",
		tests: "TestHandlersGrantThemselvesNothing|TestHandlersCannotChangeCachedSessions",
	},
	{
		name: "an error code is shown as it is", file: "token.go",
		old: `return "unknown"`, new: "return code",
		tests: "TestNoSecrets|TestCallbackReflectsNothing",
	},
	{
		name: "errors of transports are shown whole", file: "httpclient.go",
		old: `return "call failed: " + beforeQuote(e.err)`, new: `return "call failed: " + e.err.Error()`,
		tests: "TestNoSecrets",
	},
	{
		name: "a store takes the first of two session cookies", file: "store.go",
		old: "if m.cookies.sentTwice(r) {", new: "if false {",
		tests: "TestSessionThatIsThereTwice",
	},
	{
		name: "cookie names of any length are sent back", file: "cookie.go",
		old: "strings.HasPrefix(name, c.flowPrefix) && len(name) <= len(c.flowPrefix)+64", new: "strings.HasPrefix(name, c.flowPrefix)",
		tests: "TestAdvisories",
	},
	{
		name: "user info overrides signed claims in other letters", file: "userinfo.go",
		old: "names[folded(name)] = true", new: "names[name] = true",
		tests: "FuzzUserInfo",
	},
	{
		name: "calls to the provider wait for ever", file: "httpclient.go",
		old: "context.WithTimeout(r.Context(), t.timeout)", new: "context.WithCancel(r.Context())",
		tests: "TestTransportsOfTheApplication",
	},
	{
		name: "keys hold on to the first request", file: "discovery.go",
		old: "oidc.ClientContext(context.Background(), &http", new: "oidc.ClientContext(ctx, &http",
		tests: "TestDiscoveryKeepsNoRequest",
	},
	{
		name: "logins are kept until they come back", file: "login.go",
		old: "	redirect(w, location)\n}\n\n// authorizationRequest", new: "	m.signedIn.add(f.state, strings.Repeat(\"x\", 1<<14))\n	redirect(w, location)\n}\n\n// authorizationRequest",
		tests: "TestLoginKeepsNothing",
	},
}
