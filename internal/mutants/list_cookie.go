package main

// cookieMutants break how cookies are written, sealed and read.
var cookieMutants = []mutant{
	{
		name: "the session cookie is readable by scripts", file: "internal/cookies/scheme.go",
		old: `"; HttpOnly; SameSite=Lax"`, new: `"; SameSite=Lax"`,
		packages: "./internal/cookies .", tests: "TestAttributes|TestCookieAttributes",
	},
	{
		name: "the cookie of a store is readable by scripts", file: "internal/vault/store.go",
		old: "HttpOnly: true, ", new: "",
		tests: "TestStoreSessionsBeginAndEnd",
	},
	{
		name: "cookies go to other sites", file: "internal/cookies/scheme.go",
		old: `"; HttpOnly; SameSite=Lax"`, new: `"; HttpOnly; SameSite=None"`,
		packages: "./internal/cookies .", tests: "TestAttributes|TestCookieAttributes",
	},
	{
		name: "the cookie of a store goes to other sites", file: "internal/vault/store.go",
		old: "SameSite: http.SameSiteLaxMode", new: "SameSite: http.SameSiteNoneMode",
		tests: "TestStoreSessionsBeginAndEnd",
	},
	{
		name: "no __Host- prefix", file: "internal/cookies/scheme.go",
		old: "	if secure {\n		stem = \"__Host-\" + stem\n	}\n", new: "",
		packages: "./internal/cookies .", tests: "TestNames|TestCookieAttributes",
	},
	{
		name: "responses that set cookies may be cached", file: "internal/cookies/scheme.go",
		old: "	w.Header().Add(\"Set-Cookie\", line)\n	page.NoStore(w)\n", new: "	w.Header().Add(\"Set-Cookie\", line)\n	page.NoStore(w)\n	w.Header().Del(\"Cache-Control\")\n",
		tests: "TestCaching",
	},
	{
		name: "a file sets a cookie", file: "require_auth.go",
		old: "{ return !browser.IsFile(r) }", new: "{ return true }",
		tests: "TestFilesSetNoCookie",
	},
	{
		name: "cookie names of any length are sent back", file: "internal/cookies/scheme.go",
		old: "strings.HasPrefix(name, s.FlowPrefix) && len(name) <= len(s.FlowPrefix)+64", new: "strings.HasPrefix(name, s.FlowPrefix)",
		packages: "./internal/cookies ./internal/adversarial", tests: "TestNames|TestCookieHeaders",
	},
	{
		name: "planted duplicates of a cookie: the last one counts", file: "internal/cookies/chunks.go",
		old: "if seen[i] && v.parts[i] != value {", new: "if false {",
		packages: "./internal/cookies .", tests: "TestTheOneThatOpensCounts|TestTwoCookiesOfOneName",
	},
	{
		name: "of two sessions on loopback the last one counts", file: "internal/cookies/chunks.go",
		old: "		if !found.IsZero() {\n			return Value{}\n		}\n", new: "",
		packages: "./internal/cookies .", tests: "TestTheOneThatOpensCounts|TestTwoCookiesOfOneName",
	},
	{
		name: "garbage of another port on loopback signs the user out", file: "internal/cookies/chunks.go",
		old: "if s.Secure || s.Opens == nil {", new: "if true {",
		packages: "./internal/cookies .", tests: "TestTheOneThatOpensCounts|TestTwoCookiesOfOneName",
	},
	{
		name: "a store takes the first of two session cookies", file: "internal/vault/store.go",
		old: "if v.cookies.SentTwice(r) {", new: "if false {",
		packages: "./internal/adversarial", tests: "TestSessionThatIsThereTwice",
	},
	{
		name: "flow and session cookies have the same keys", file: "middleware.go",
		old: `seal.New(opts.Keys, "flow", maxShortLived)`, new: `seal.New(opts.Keys, "session", maxShortLived)`,
		tests: "TestSessionsAndFlowsHaveKeysOfTheirOwn",
	},
	{
		name: "cookies of another client are accepted", file: "internal/identity/source.go",
		old: `config.Name, config.Issuer, config.ClientID)`, new: `config.Name, config.Issuer, "")`,
		packages: "./internal/adversarial", tests: "TestCookieOfAnotherApplication",
	},
	{
		name: "decompression is not bounded", file: "internal/seal/unpack.go",
		old: "if n <= 0 || size > maxUnpackedBytes {", new: "if n <= 0 {",
		packages: "./internal/seal", tests: "TestDecompressionBomb",
	},
	{
		name: "cached sessions are found by their last part alone", file: "internal/memory/cache.go",
		old: "if !ok || !isText(parts, found.text) {", new: "if !ok {",
		packages: "./internal/memory", tests: "TestCacheComparesAll",
	},
}
