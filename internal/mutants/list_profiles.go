package main

// profileMutants weaken what careful providers ask of a client.
var profileMutants = []mutant{
	{
		name: "an assertion is signed for the token endpoint of the metadata", file: "internal/protocol/clientauth.go",
		old: "	return c.Issuer\n", new: "	return md.TokenURL\n",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestAssertionAudience|TestAssertionForAnotherProvider",
	},
	{
		name: "assertions of one client have one jti", file: "internal/protocol/assertion.go",
		old: "audience, rand.Text(),", new: "audience, rand.Text()[:0],",
		packages: "./internal/protocol .", tests: "TestPrivateKeyJWT",
	},
	{
		name: "an assertion goes beside a secret", file: "provider.go",
		old: `if p.OAuth2.ClientSecret != "" && p.ClientAssertion != nil {`, new: "if false {",
		tests: "TestNewRefusesTwoClientCredentials",
	},
	{
		name: "a function that fails passes for a refusal of the grant", file: "internal/protocol/clientauth.go",
		old: `return credential{}, credentialFault(ctx, "assertion", err)`, new: "return credential{}, err",
		packages: "./internal/protocol", tests: "TestCredentialFaults",
	},
	{
		name: "a function that hangs is waited for", file: "internal/protocol/clientauth.go",
		old: "	case <-ctx.Done():\n		return \"\", ctx.Err()\n	case result := <-done:", new: "	case result := <-done:",
		packages: "./internal/protocol", tests: "TestCredentialFaults",
	},
	{
		name: "an assertion is logged", file: "internal/protocol/clientauth.go",
		old: `"client_secret", "client_assertion",`, new: `"client_secret",`,
		packages: "./internal/protocol", tests: "TestAssertionsAreNotLogged",
	},
	{
		name: "ECDSA signatures are DER", file: "internal/jwt/jwt.go",
		old: "return fixedWidth(signature, alg.half)", new: "return signature, nil",
		packages: "./internal/jwt", tests: "TestSign",
	},
	{
		name: "short RSA keys sign", file: "internal/jwt/jwt.go",
		old: "bits < minRSABits", new: "bits < minRSABits/4",
		packages: "./internal/jwt", tests: "TestKeysThatCannotSign",
	},
	{
		name: "anything in a file is an assertion", file: "internal/protocol/assertion.go",
		old: "case strings.ContainsFunc(text, notInJWT):", new: "case false:",
		packages: "./internal/protocol", tests: "TestAssertionFile",
	},
	{
		name: "aliases are not used", file: "internal/protocol/metadata.go",
		old: "c.transport.hasCertificate || ", new: "",
		packages: "./internal/protocol .", tests: "TestMutualTLSAliases|TestMutualTLS",
	},
	{
		name: "a push that fails goes through the front channel", file: "internal/protocol/authorize.go",
		old: "		if err != nil {\n			return nil, fmt.Errorf(\"push authorization request: %w\", err)\n		}\n", new: "		if err != nil {\n			break\n		}\n",
		packages: "./internal/protocol .", tests: "TestPushRefused|TestPushFails",
	},
	{
		name: "a provider that requires pushing gets the front channel", file: "internal/protocol/authorize.go",
		old: "	case md.MustPush:\n", new: "	case false:\n",
		packages: "./internal/protocol .", tests: "TestPushRequired|TestPushRequiredWithoutAnEndpoint",
	},
	{
		name: "the browser carries what was pushed", file: "internal/protocol/authorize.go",
		old: `own = append(flat(fromEndpoint), "client_id"`, new: `own = append(own, "client_id"`,
		packages: "./internal/protocol .", tests: "TestPush|TestPushedLogin",
	},
	{
		name: "any status is a success of a push", file: "internal/protocol/push.go",
		old: "case status != http.StatusCreated && status != http.StatusOK:", new: "case status >= 500:",
		packages: "./internal/protocol", tests: "TestPushRefused",
	},
	{
		name: "a request_uri may have control characters", file: "internal/protocol/push.go",
		old: "strings.ContainsFunc(requestURI, unicode.IsControl)", new: "strings.ContainsFunc(requestURI, unicode.IsMark)",
		packages: "./internal/protocol", tests: "TestPushRefused",
	},
	{
		name: "prefetching pushes through StartLogin", file: "login.go",
		old: "if r.Method == http.MethodHead || browser.IsPrefetch(r) {", new: "if r.Method == http.MethodTrace {",
		tests: "TestLookingAheadPushesNothing",
	},
	{
		name: "a push is waited for twice as long", file: "internal/protocol/clientauth.go",
		old: "context.WithTimeout(ctx, t.timeout)", new: "context.WithTimeout(ctx, 2*t.timeout)",
		packages: "./internal/protocol", tests: "TestPushIsBounded|TestNonceIsBounded",
	},
	{
		name: "a bearer token is as good as a bound one", file: "internal/protocol/token.go",
		old: `if !strings.EqualFold(t.Type, "dpop") {`, new: `if !strings.EqualFold(t.Type, "dpop") && raw != "" {`,
		packages: "./internal/protocol .", tests: "TestBoundTokenType|TestDPoPTokenType",
	},
	{
		name: "a bound token is sent as a bearer token", file: "internal/record/record.go",
		old: "return dpop.KeyOf(rec.Extra.DPoPKey)", new: "return dpop.KeyOf(rec.Extra.DPoPKey[:0])",
		packages: ". ./internal/adversarial", tests: "TestDPoP|TestBoundTokensAreNotDowngraded",
	},
	{
		name: "the key is not kept in the session", file: "callback.go",
		old: "	rec.Extra.DPoPKey = f.DPoPKey\n", new: "",
		tests: "TestDPoP",
	},
	{
		name: "a nonce that is wanted causes a refresh", file: "internal/tokens/calls.go",
		old: "	case len(token.rec.Extra.DPoPKey) != 0 && aboutProof(resp):\n		return false\n", new: "",
		tests: "TestProofsThatAnAPIRefuses",
	},
	{
		name: "nonces of all servers are one", file: "internal/dpop/proof.go",
		old: "return weburl.Origin(&url.URL{Scheme: strings.ToLower(r.URL.Scheme), Host: host})", new: "return weburl.Origin(&url.URL{Scheme: strings.ToLower(r.URL.Scheme), Host: host[:0]})",
		packages: "./internal/dpop", tests: "TestNoncesByOrigin",
	},
	{
		name: "anything is a nonce", file: "internal/dpop/nonces.go",
		old: "return c < 0x21 || c > 0x7e", new: "return false && c > 0x7e",
		packages: "./internal/dpop ./internal/adversarial", tests: "TestNonceSyntax|TestHostileNonces",
	},
	{
		name: "nonces are kept without end", file: "internal/dpop/nonces.go",
		old: "len(n.recent) >= maxOrigins {", new: "len(n.recent) >= maxOrigins<<20 {",
		packages: "./internal/dpop", tests: "TestNoncesAreBounded",
	},
	{
		name: "a proof has the query in htu", file: "internal/dpop/proof.go",
		old: "return origin(r) + path\n", new: "return origin(r) + path + r.URL.RawQuery\n",
		packages: "./internal/dpop", tests: "TestProof|TestTarget",
	},
	{
		name: "a proof is not for the access token", file: "internal/dpop/proof.go",
		old: `if accessToken != "" {`, new: `if accessToken == "none" {`,
		packages: "./internal/dpop .", tests: "TestProof|TestDPoP",
	},
	{
		name: "a code is sent again for whatever error", file: "internal/protocol/clientauth.go",
		old: "return err == nil && o.String(\"error\") == dpop.UseNonce", new: "return err == nil && o != nil",
		packages: "./internal/protocol", tests: "TestNonceOnce",
	},
	{
		name: "an assertion is used for both requests", file: "internal/protocol/clientauth.go",
		old: "	credential, err := c.authenticate(ctx, t.timeout, md)\n	if err != nil {\n		return nil, \"\", err\n	}\n", new: "	credential, err := c.authenticate(ctx, t.timeout, md)\n	if err != nil {\n		return nil, \"\", err\n	}\n	if c.ClientAssertion != nil {\n		first := credential.params[3]\n		c.ClientAssertion = func(context.Context, string) (string, error) { return first, nil }\n	}\n",
		packages: "./internal/protocol", tests: "TestNonceOfTheProvider",
	},
	{
		name: "a code is not bound to the key", file: "internal/protocol/authorize.go",
		old: `own = append(own, "dpop_jkt", thumbprint)`, new: "_ = thumbprint",
		packages: "./internal/protocol .", tests: "TestBoundAuthorizationRequest|TestDPoP",
	},
	{
		name: "a request is sent whatever the fence says", file: "internal/protocol/clientauth.go",
		old: "	if err := passFence(ctx); err != nil {", new: "	if err := passFence(ctx); err != nil && nonce != \"\" {",
		packages: "./internal/protocol", tests: "TestFenceBeforeEachRequest",
	},
	{
		name: "a wanted nonce is looked up again", file: "internal/protocol/clientauth.go",
		old: "cmp.Or(nonce, t.Nonces.Of(req))", new: "cmp.Or(t.Nonces.Of(req), nonce)",
		packages: "./internal/protocol", tests: "TestNonceOfTheRefusal",
	},
	{
		name: "a pushed request with an error that is not a string counts", file: "internal/protocol/push.go",
		old: `case o.Has("error"):`, new: `case o.Has("no error"):`,
		packages: "./internal/protocol", tests: "TestPushRefused",
	},
	{
		name: "a password in a file is an assertion", file: "internal/protocol/assertion.go",
		old: "case !isCompact(text):", new: "case text == path:",
		packages: "./internal/protocol", tests: "TestAssertionFile",
	},
	{
		name: "a prefetch redeems a code", file: "internal/browser/browser.go",
		old: "	if IsPrefetch(r) {\n		return false\n	}\n	mode", new: "	mode",
		packages: "./internal/browser .", tests: "TestMayBeResponse|TestCallbackIsANavigation",
	},
	{
		name: "a field of any size is posted again", file: "formpost.go",
		old: `p.apple != nil && apple.Name(field) != ""`, new: `p.apple != nil && (apple.Name(field) != "" || field != "")`,
		tests: "TestAppleFormIsHostile",
	},
}
