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
		old: `return credential{}, &CredentialError{"assertion", err}`, new: "return credential{}, err",
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
		name: "a push is waited for twice as long", file: "internal/protocol/push.go",
		old: "context.WithTimeout(ctx, c.transport.timeout)", new: "context.WithTimeout(ctx, 2*c.transport.timeout)",
		packages: "./internal/protocol", tests: "TestPushIsBounded",
	},
}
