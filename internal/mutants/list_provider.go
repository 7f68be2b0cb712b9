package main

// providerMutants believe the provider, or whoever speaks in its place, too easily.
var providerMutants = []mutant{
	{
		name: "the nonce is not compared", file: "internal/protocol/idtoken.go",
		old: `subtle.ConstantTimeCompare([]byte(o.String("nonce")), []byte(want.Nonce)) != 1 {`, new: "subtle.ConstantTimeCompare(nil, nil) != 1 {",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestCheckAuthentication|TestIDTokenRefused",
	},
	{
		name: "a login without a nonce is one with an empty nonce", file: "internal/protocol/idtoken.go",
		old: `if want.Nonce == "" || subtle`, new: "if subtle",
		packages: "./internal/protocol", tests: "TestCheckAuthentication",
	},
	{
		name: "redirects from the provider are followed", file: "internal/protocol/transport.go",
		old: "	resp.Header.Del(\"Location\")\n", new: "",
		packages: "./internal/protocol .", tests: "TestNoRedirects|TestIdentifyClient",
	},
	{
		name: "responses are not bounded", file: "internal/protocol/transport.go",
		old: "if b.left -= int64(n); b.left < 0 {", new: "if b.left += 0; b.left < 0 {",
		packages: "./internal/protocol", tests: "TestBodiesAreBounded",
	},
	{
		name: "calls to the provider wait for ever", file: "internal/protocol/transport.go",
		old: "context.WithTimeout(r.Context(), t.timeout)", new: "context.WithCancel(r.Context())",
		packages: "./internal/protocol", tests: "TestTimeouts",
	},
	{
		name: "every signing algorithm will do", file: "internal/protocol/jws.go",
		old: "if slices.Contains(md.value.SigningAlgs, string(alg)) {", new: "if slices.Contains(md.value.SigningAlgs, string(alg)) || true {",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestAdvertisedAlgorithms|TestSigningAlgorithms",
	},
	{
		name: "HS256 is used when advertised", file: "internal/protocol/metadata.go",
		old: "return !slices.Contains(asymmetricAlgs, jose.SignatureAlgorithm(alg))", new: "return false",
		packages: "./internal/protocol", tests: "TestMetadataRefused",
	},
	{
		name: "exp is not checked", file: "internal/protocol/issued.go",
		old:      "	case !hasExp:\n		return errors.New(what + \" has no valid exp\")\n	case !now.Before(exp.Add(claims.ClockLeeway)):\n",
		new:      "	case !hasExp && exp.IsZero() && false:\n",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestClaims|TestIDTokenRefused",
	},
	{
		name: "iat may be missing", file: "internal/protocol/issued.go",
		old: "	case !hasIAT:\n", new: "	case !hasIAT && false:\n",
		packages: "./internal/protocol", tests: "TestClaims",
	},
	{
		name: "sub may be missing", file: "internal/protocol/issued.go",
		old: `return sub != "" && len(sub) <= 255`, new: `return len(sub) <= 255`,
		packages: "./internal/protocol", tests: "TestClaims",
	},
	{
		name: "any further audience is trusted", file: "internal/protocol/issued.go",
		old: "case len(c.untrusted(aud)) > 0:", new: "case len(c.untrusted(aud)) > 1<<20:",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestClaims|TestTrustedAudiences",
	},
	{
		name: "azp is not checked", file: "internal/protocol/issued.go",
		old: `case hasAZP && o.String("azp") != c.OAuth2.ClientID:`, new: "case hasAZP && false:",
		packages: "./internal/protocol", tests: "TestClaims",
	},
	{
		name: "at_hash is not checked", file: "internal/protocol/idtoken.go",
		old: "ok && !hasATHash(o, token.alg, accessToken) {", new: "ok && !hasATHash(o, token.alg, accessToken) && false {",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestATHash|TestIDTokenRefused",
	},
	{
		name: "auth_time is asked for and not verified", file: "internal/protocol/idtoken.go",
		old: "if !ok || now.Sub(authTime) > want.MaxAge+claims.ClockLeeway {", new: "if !ok && now.Sub(authTime) < 0 {",
		packages: "./internal/protocol .", tests: "TestCheckAuthentication|TestMaxAgeAndACRAreVerified",
	},
	{
		name: "user info of another subject is used", file: "internal/protocol/userinfo.go",
		old: `if info.String("sub") != subject {`, new: "if false {",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestUserInfo|TestUserInfoRefused",
	},
	{
		name: "user info overrides signed claims in other letters", file: "internal/claims/merge.go",
		old: "maps.Keys(signed)) {\n		taken[folded(name)] = true", new: "maps.Keys(signed)) {\n		taken[name] = true",
		packages: "./internal/claims ./internal/adversarial", tests: "TestMerge|FuzzUserInfo",
	},
	{
		name: "user info stands in front of a path into signed claims", file: "internal/claims/merge.go",
		old: "dots > maxDots || names[name[:i]]", new: "dots > maxDots || false && names[name[:i]]",
		packages: "./internal/claims", tests: "TestMergeKeepsSignedPaths",
	},
	{
		name: `email_verified may be the string "true"`, file: "internal/claims/claims.go",
		old: `{ return string(o[name]) == "true" }`, new: `{ return string(o[name]) == "true" || o.String(name) == "true" }`,
		packages: "./internal/claims .", tests: "TestMembers|TestUserInfoClaims",
	},
	{
		name: "claims are not bounded", file: "internal/identity/login.go",
		old: "size > record.MaxClaims {", new: "size > record.MaxClaims<<20 {",
		tests: "TestClaimsAreBounded",
	},
	{
		name: "tokens of any type are used", file: "internal/protocol/token.go",
		old: `case !strings.EqualFold(t.Type, "bearer"):`, new: "case false:",
		packages: "./internal/protocol", tests: "TestTokenErrors",
	},
	{
		name: "expires_in that is not a number means for ever", file: "internal/protocol/token.go",
		old: "	case err != nil, !(n > 0):\n		return 0\n", new: "	case err != nil, !(n > 0):\n		return maxExpiresIn\n",
		packages: "./internal/protocol .", tests: "TestParseExpiresIn|TestExpiresInOfRefresh",
	},
	{
		name: "metadata holds on to the first request", file: "internal/protocol/metadata.go",
		old:      "	md, ignored, err := parseMetadata(c.Issuer, publishes, body)\n",
		new:      "	c.published.fetch = func(context.Context) (*metadata, time.Duration, error) { return c.fetchMetadata(ctx) }\n	md, ignored, err := parseMetadata(c.Issuer, publishes, body)\n",
		packages: "./internal/adversarial", tests: "TestDiscoveryKeepsNoRequest",
	},
}
