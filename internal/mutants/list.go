package main

// mutants are the breakages that matter most: each takes away something that
// SECURITY.md or the documentation promises.
var mutants = []mutant{
	{
		"state need not be this browser's", "callback.go",
		"	f := m.findFlow(r, name, answer.state)\n",
		"	f := m.findFlow(r, name, answer.state)\n	if f == nil {\n		f = &flow{provider: m.providers[0].tag, state: answer.state, verifier: randomToken(), nonce: randomToken(), started: time.Now(), returnPath: \"/\", maxAge: -1}\n	}\n",
		"TestCallbackRefuses|TestAnswerOfAnotherBrowser|TestNoCookiesNoLoop",
	},
	{
		"a flow is good twice", "callback.go",
		"case !m.finished.add(f.state, shortPath(f.returnPath)):", "case m.finished.add(f.state, \"\") && false:",
		"TestCallbackAgain|TestCallbackRefuses",
	},
	{
		"a flow never expires", "callback.go",
		"case f.expired(time.Now()):", "case false:",
		"TestFlowExpires",
	},
	{
		"PKCE is plain", "login.go",
		`"code_challenge", oauth2.S256ChallengeFromVerifier(f.verifier),`, `"code_challenge", oauth2.S256ChallengeFromVerifier(f.verifier)[:0] + f.verifier,`,
		"TestAuthorizationRequest|TestLogin",
	},
	{
		"no PKCE", "token.go",
		"		\"code_verifier\", verifier,\n", "",
		"TestAuthorizationRequest|TestLogin",
	},
	{
		"the nonce is not compared", "idtoken.go",
		"subtle.ConstantTimeCompare([]byte(claims.str(\"nonce\")), []byte(nonce)) != 1 {", "subtle.ConstantTimeCompare(nil, nil) != 1 {",
		"TestIDTokenRefused",
	},
	{
		"a login without a nonce is one with an empty nonce", "idtoken.go",
		"if nonce == \"\" || subtle", "if subtle",
		"TestProviderOfAnotherKind",
	},
	{
		"iss of the answer is not compared", "callback.go",
		"case subtle.ConstantTimeCompare([]byte(answer.iss), []byte(p.Issuer)) != 1:", "case subtle.ConstantTimeCompare(nil, nil) != 1:",
		"TestCallbackRefuses|TestMixUp",
	},
	{
		"iss of the answer may be missing", "callback.go",
		"	case !answer.hasISS && !md.IssInResponse:\n", "	case !answer.hasISS:\n",
		"TestCallbackRefuses|TestMixUp",
	},
	{
		"another provider's redirect URI will do", "callback.go",
		"if path != p.callbackPath && len(m.providers) > 1 {", "if false {",
		"TestMixUp",
	},
	{
		"parameters may repeat", "callback.go",
		"case len(values) > 1:", "case false:",
		"TestCallbackRefuses",
	},
	{
		"HEAD redeems the code", "callback.go",
		"if r.Method != http.MethodGet {", "if r.Method != http.MethodGet && r.Method != http.MethodHead {",
		"TestCallbackAnswersGetAlone",
	},
	{
		"// is a return path", "returnpath.go",
		` || strings.HasPrefix(p, "//")`, "",
		"TestReturnPath|TestOddRequestTargets|FuzzReturnPath",
	},
	{
		"a backslash is fine in a return path", "returnpath.go",
		` || p[i] == '\\' {`, " {",
		"TestReturnPath|FuzzReturnPath",
	},
	{
		"a return path may be the login path", "returnpath.go",
		"if u, err := url.ParseRequestURI(p); err != nil || m.isOwnPath(u.Path) {", "if false {",
		"TestReturnPath|TestReturnPathGuardsConfiguredPaths",
	},
	{
		"redirects from the provider are followed", "httpclient.go",
		"	resp.Header.Del(\"Location\")\n", "",
		"TestIdentifyClient|TestGitHubUser",
	},
	{
		"answers are not bounded", "httpclient.go",
		"if b.left -= int64(n); b.left < 0 {", "if b.left += 0; b.left < 0 {",
		"TestTokenEndpointRefuses|TestDiscoveryRefused|TestUserInfoRefused|TestTokenEndpointBreaks|TestKeysUnavailable",
	},
	{
		"every signing algorithm will do", "idtoken.go",
		"SupportedSigningAlgs: md.SigningAlgs,", `SupportedSigningAlgs: append([]string{"HS256", "none"}, asymmetricAlgs...),`,
		"TestIDTokenRefused|TestSigningAlgorithms",
	},
	{
		"HS256 is used when advertised", "discovery.go",
		"return !slices.Contains(asymmetricAlgs, alg)", "return false",
		"TestSymmetricAlgorithmsAdvertised|TestDiscoveryRefused",
	},
	{
		"exp is not checked", "idtoken.go",
		"case !hasExp || !now.Before(exp.Add(clockLeeway)):", "case !hasExp && exp.IsZero() && false:",
		"TestIDTokenRefused",
	},
	{
		"iat may be missing", "idtoken.go",
		"	case !hasIAT:\n", "	case !hasIAT && false:\n",
		"TestIDTokenRefused",
	},
	{
		"sub may be missing", "idtoken.go",
		`if sub == "" || len(sub) > 255`, `if len(sub) > 255`,
		"TestIDTokenRefused|TestSubjects",
	},
	{
		"any further audience is trusted", "idtoken.go",
		"case len(extra) > 0:", "case len(extra) > 1<<20:",
		"TestIDTokenRefused|TestTrustedAudiences",
	},
	{
		"azp is not checked", "idtoken.go",
		`case hasAZP && claims.str("azp") != p.OAuth2.ClientID:`, "case false:",
		"TestIDTokenRefused|TestTrustedAudiences",
	},
	{
		"at_hash is not checked", "idtoken.go",
		`if _, ok := claims["at_hash"]; ok {`, `if false {`,
		"TestIDTokenRefused",
	},
	{
		"user info of another subject is used", "userinfo.go",
		`if info != nil && info.str("sub") != claims.str("sub") {`, "if false {",
		"TestUserInfoRefused",
	},
	{
		`email_verified may be the string "true"`, "json.go",
		`return string(o[name]) == "true"`, "return string(o[name]) == \"true\" || o.str(name) == \"true\"",
		"TestUserInfoClaims",
	},
	{
		"tokens of any type are used", "token.go",
		`if !strings.EqualFold(o.str("token_type"), "bearer") {`, "if false {",
		"TestTokenAnswer|TestTokenEndpointRefuses",
	},
	{
		"expires_in that is no number means for ever", "token.go",
		"	case err != nil, !(n > 0):\n		return 0\n", "	case err != nil, !(n > 0):\n		return maxExpiresIn\n",
		"TestExpiresIn|TestExpiresInOfRefresh",
	},
	{
		"the session cookie is readable by scripts", "cookie.go",
		`"; HttpOnly; SameSite=Lax"`, `"; SameSite=Lax"`,
		"TestCookieAttributes",
	},
	{
		"the cookie of a store is readable by scripts", "cookie.go",
		"HttpOnly: true, ", "",
		"TestStoreSessionsBeginAndEnd",
	},
	{
		"cookies go to other sites", "cookie.go",
		`"; HttpOnly; SameSite=Lax"`, `"; HttpOnly; SameSite=None"`,
		"TestCookieAttributes",
	},
	{
		"the cookie of a store goes to other sites", "cookie.go",
		"SameSite: http.SameSiteLaxMode", "SameSite: http.SameSiteNoneMode",
		"TestStoreSessionsBeginAndEnd",
	},
	{
		"no __Host- prefix", "cookie.go",
		"	if secure {\n		stem = \"__Host-\" + stem\n	}\n", "",
		"TestCookieAttributes|TestLogin",
	},
	{
		"responses that set cookies may be cached", "cookie.go",
		"	w.Header().Add(\"Set-Cookie\", line)\n	noStore(w)\n", "	w.Header().Add(\"Set-Cookie\", line)\n	w.Header().Del(\"Cache-Control\")\n",
		"TestCaching|TestCookieAttributes|TestFlowCookie",
	},
	{
		"planted duplicates of a cookie: the last one counts", "cookiestore.go",
		"if seen[i] && v.parts[i] != value {", "if false {",
		"TestBrokenSessionCookies",
	},
	{
		"flow and session cookies have the same keys", "middleware.go",
		`newSealer(opts.Keys, "flow")`, `newSealer(opts.Keys, "session")`,
		"TestCookiesOfOnePurposeAreNothingToAnother|TestSealersOfTwoPurposes",
	},
	{
		"cookies of another client are accepted", "provider.go",
		`config.Name, p.issuer, config.OAuth2.ClientID)`, `config.Name, p.issuer, "")`,
		"TestCookieOfAnotherApplication",
	},
	{
		"no idle limit", "store.go",
		"idle >= m.opts.IdleTimeout || ", "",
		"TestSessionLimits",
	},
	{
		"no absolute limit", "record.go",
		"if !now.Before(rec.created.Add(opts.MaxLifetime)) {", "if false {",
		"TestSessionLimits",
	},
	{
		"decompression is not bounded", "pack.go",
		"if n <= 0 || size > maxUnpackedBytes {", "if n <= 0 {",
		"TestDecompressionBomb|TestMalformedValuesDoNotUnpack",
	},
	{
		"a store keeps the session id at login", "store.go",
		"m.write(w, r, sessions.NewSession(m.store, m.cookies.session), rec)", "func() error { s, _ := m.store.New(r, m.cookies.session); return m.write(w, r, s, rec) }()",
		"TestNewSessionAtLogin|TestStoreSessionsBeginAndEnd",
	},
	{
		"the gate is open", "require_auth.go",
		"			m.unauthenticated(w, r)\n			return\n		}\n		switch err", "			next.ServeHTTP(w, r)\n			return\n		}\n		switch err",
		"TestRequireAuthAnswers|TestLogin",
	},
	{
		"a zero Middleware lets everybody through", "middleware.go",
		"	if !m.ready(w) {\n		return true\n	}\n", "	if m == nil || m.providers == nil {\n		return false\n	}\n",
		"TestUnmadeMiddlewareIsClosed|TestRequireOfAZeroMiddleware",
	},
	{
		"scripts are redirected", "require_auth.go",
		`return mode == "navigate"`, "return true",
		"TestRequireAuthAnswers",
	},
	{
		"other sites may log users out", "logout.go",
		"if err := m.crossOrigin.Check(r); err != nil {", "if err := m.crossOrigin.Check(r); false {",
		"TestLogoutRefused",
	},
	{
		"a logout by GET", "logout.go",
		"if r.Method != http.MethodPost {", "if false {",
		"TestLogoutRefused",
	},
	{
		"the token follows redirects to other hosts", "httpclient.go",
		"		if originOf(r.URL) != origin {\n			return false\n		}\n", "		if originOf(r.URL) != origin {\n			return true\n		}\n",
		"TestClientSendsTokenToTheHostAsked",
	},
	{
		"every request refreshes for itself", "refresh.go",
		"flight := string(old.id[:]) + strconv.FormatUint(old.generation, 36)", "flight := string(old.id[:]) + strconv.FormatUint(old.generation, 36) + randomToken()",
		"TestOneRefresh",
	},
	{
		"refreshed tokens are not kept for late requests", "refresh.go",
		"if !m.memory.refreshed(fresh, time.Now()) {", "if false {",
		"TestLostResponses|TestLateRequests|TestOneRefresh",
	},
	{
		"a refresh stops when its client hangs up", "refresh.go",
		"m.refreshOnce(context.WithoutCancel(ctx), old)", "m.refreshOnce(ctx, old)",
		"TestHangUpDuringRefresh|TestOneRefresh|TestLostResponses",
	},
	{
		"a provider that is down ends sessions", "refresh.go",
		"	case err != nil:\n		m.memory.failed(", "	case err != nil:\n		m.memory.end(old)\n		m.memory.failed(",
		"TestFailedRefreshKeepsTheSession|TestBackOff",
	},
	{
		"invalid_grant does not end the session", "refresh.go",
		"		m.memory.end(old)\n		m.event(", "		m.event(",
		"TestRefusedRefreshEndsTheSession",
	},
	{
		"a refreshed ID token may be another user's", "refresh.go",
		`if claims.str("sub") != old.user.Subject {`, "if false {",
		"TestIDTokenOfRefresh",
	},
	{
		"a session in cookies survives its logout here", "logout.go",
		"		rec = m.memory.end(rec)\n", "",
		"TestLogoutDuringRefresh|TestLogoutDuringARefresh|TestRPInitiatedLogout|TestLogoutEndsOneSession",
	},
	{
		"auth_time is asked for and not verified", "idtoken.go",
		"if !ok || now.Sub(authTime) > f.maxAge+clockLeeway {", "if !ok && now.Sub(authTime) < 0 {",
		"TestMaxAgeAndACRAreVerified|TestStepUpIsVerified",
	},
	{
		"a claim that is missing is granted", "policy.go",
		`return forbidden, "claim " + strconv.Quote(name)`, `return allowed, ""`,
		"TestPolicyClaims",
	},
	{
		"keys are printed", "options.go",
		`"oauthlogin.Options{Providers:%q Keys:[redacted]}", names)`, `"oauthlogin.Options{Providers:%q Keys:%q}", names, o.Keys)`,
		"TestNoSecrets",
	},
	{
		"the token is logged", "callback.go",
		"	m.event(r.Context(), Event{Kind: EventLogin, Provider: rec.user.Provider, Subject: rec.user.Subject})\n", "	m.event(r.Context(), Event{Kind: EventLogin, Provider: rec.user.Provider, Subject: rec.user.Subject})\n	m.log.Debug(\"signed in\", \"token\", rec.tokens.access)\n",
		"TestNoSecrets",
	},
	{
		"cached sessions are found by their first part alone", "cache.go",
		"if o.record == nil || !v.is(o.sealed) {", "if o.record == nil {",
		"TestBrokenSessionCookies|TestFlippedBits|TestChunksOfCachedSessions",
	},
	{
		"handlers share the claims of cached sessions", "record.go",
		"	user.RawClaims = bytes.Clone(user.RawClaims)\n", "	_ = bytes.Clone(user.RawClaims)\n",
		"TestHandlersGrantThemselvesNothing|TestHandlersCannotChangeCachedSessions",
	},
	{
		"an error code is shown as it is", "token.go",
		`return "unknown"`, "return code",
		"TestNoSecrets|TestCallbackReflectsNothing",
	},
	{
		"errors of transports are shown whole", "httpclient.go",
		`return "call failed: " + beforeQuote(e.err)`, `return "call failed: " + e.err.Error()`,
		"TestNoSecrets",
	},
	{
		"a store takes the first of two session cookies", "store.go",
		"if m.cookies.sentTwice(r) {", "if false {",
		"TestSessionThatIsThereTwice",
	},
	{
		"cookie names of any length are sent back", "cookie.go",
		"strings.HasPrefix(name, c.flowPrefix) && len(name) <= len(c.flowPrefix)+64", "strings.HasPrefix(name, c.flowPrefix)",
		"TestAdvisories",
	},
	{
		"user info overrides signed claims in other letters", "userinfo.go",
		"names[folded(name)] = true", "names[name] = true",
		"FuzzUserInfo",
	},
	{
		"calls to the provider wait for ever", "httpclient.go",
		"context.WithTimeout(r.Context(), t.timeout)", "context.WithCancel(r.Context())",
		"TestTransportsOfTheApplication",
	},
	{
		"keys hold on to the first request", "discovery.go",
		"oidc.ClientContext(context.Background(), &http", "oidc.ClientContext(ctx, &http",
		"TestDiscoveryKeepsNoRequest",
	},
	{
		"logins are kept until they come back", "login.go",
		"	redirect(w, location)\n}\n\n// authorizationRequest", "	m.signedIn.add(f.state, strings.Repeat(\"x\", 1<<14))\n	redirect(w, location)\n}\n\n// authorizationRequest",
		"TestLoginKeepsNothing",
	},
}
