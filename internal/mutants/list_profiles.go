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
		old: `"client_secret", "client_assertion"}`, new: `"client_secret"}`,
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
}
