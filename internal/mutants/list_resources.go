package main

// resourceMutants weaken what is promised of tokens for APIs, and of what APIs ask for.
var resourceMutants = []mutant{
	{
		name: "calls of one instance do not wait for their turns", file: "internal/instances/lines.go",
		old: "	if first := l.first[id]; first != nil {\n		return first\n	}\n", new: "",
		packages: ". ./internal/instances", tests: "TestResourceTokensAtOnce|TestTurnsOfOneInstance",
	},
	{
		name: "a refresh behind a token of an API is taken for done", file: "internal/tokens/refresh.go",
		old: "err != nil || latest.HasNewerToken(old) || !latest.Tokens.Issued.Before(start)", new: "true || !latest.Tokens.Issued.Before(start)",
		tests: "TestRefreshBehindAResource|TestResourceTokensAtOnce",
	},
	{
		name: "the token of an API becomes the session's own", file: "internal/tokens/resources.go",
		old: "	fresh.Tokens.Refresh = seal.NewToken(t.Refresh)\n", new: "	fresh.Tokens.Refresh, fresh.Tokens.Access = seal.NewToken(t.Refresh), t.Access\n",
		tests: "TestClientFor",
	},
	{
		name: "a rotated refresh token is lost", file: "internal/tokens/resources.go",
		old: `if t.Refresh == "" || t.Refresh == rec.Tokens.Refresh.Text() {`, new: "if true {",
		tests: "TestClientFor",
	},
	{
		name: "the token of an API goes out after the logout", file: "internal/tokens/resources.go",
		old: "	case ended:\n		return nil,", new: "	case ended && err != nil:\n		return nil,",
		tests: "TestLateResourceToken",
	},
	{
		name: "a refusal of an API's token ends the session", file: "internal/tokens/resources.go",
		old: "case refusal == protocol.GrantEnded || errors.As(err, &other):", new: "case refusal != protocol.NotRefused || errors.As(err, &other):",
		tests: "TestResourceRefused",
	},
	{
		name: "a refusal of an API's token pauses the refresh of the session's own", file: "internal/tokens/resources.go",
		old: "case refusal == protocol.Refused || protocol.Misconfigured(err): // the resource", new: "case refusal == protocol.Refused:",
		tests: "TestResourceRefused",
	},
	{
		name: "a refused resource is asked for all the time", file: "internal/tokens/resources.go",
		old: "		x.pause(to, rejected, err)\n", new: "",
		tests: "TestResourceRefused",
	},
	{
		name: "the end of the grant goes unnoticed", file: "internal/tokens/resources.go",
		old: "case refusal == protocol.GrantEnded || errors.As(err, &other):", new: "case errors.As(err, &other):",
		tests: "TestResourceRefused",
	},
	{
		name: "tokens of another user are taken", file: "internal/tokens/resources.go",
		old: "		err = identity.CheckUser(rec, t)\n", new: "",
		tests: "TestResourceTokenOfAnotherUser",
	},
	{
		name: "other instances do not get the token of an API", file: "internal/tokens/resources.go",
		old: "		x.refreshes.sessions.Grants.Put(ctx, to.key, old, []byte(sealed), until.Sub(now))\n", new: "		_ = sealed\n",
		tests: "TestCoordinatorSharesResourceTokens",
	},
	{
		name: "the token of an API is not sealed under its key", file: "internal/tokens/resources.go",
		old: "sealed, err := x.sealer.Seal(to.key, token.pack())", new: "sealed, err := string(token.pack()), error(nil)",
		tests: "TestCoordinatorSharesResourceTokens",
	},
	{
		name: "an instance that waited for its turn asks again", file: "internal/tokens/resources.go",
		old: "	shared, old := x.ofInstances(ctx, to, rejected)\n	failed :=", new: "	_, old := x.ofInstances(ctx, to, rejected)\n	var shared *resourceToken\n	failed :=",
		tests: "TestCoordinatorResourceWithoutRotation",
	},
	{
		name: "a token that comes after the end is used", file: "internal/tokens/resources.go",
		old: "	if ended {\n		revoke(ctx)\n		return instances.ErrEnded\n	}\n", new: "	_ = ended\n",
		tests: "TestClientForAfterTheEnd",
	},
	{
		name: "a rejected token is sent again", file: "internal/tokens/resource.go",
		old: "	return other != nil && t.access == other.access\n", new: "	return false\n",
		tests: "TestResourceTokenRejected",
	},
	{
		name: "an API that rejects every token gets new ones without end", file: "internal/tokens/resource.go",
		old: "return time.Since(t.issued) >= rejectedPause || t.accepted.Load()", new: "return true",
		tests: "TestResourceTokenRejected",
	},
	{
		name: "the token of an API goes to any origin", file: "internal/tokens/target.go",
		old: "if t.origin != \"\" && weburl", new: "if false && weburl",
		tests: "TestResourceFaults",
	},
	{
		name: "all APIs share a token", file: "internal/tokens/target.go",
		old: "string(rec.ID[:])+weburl.Encode(t.params...))", new: "string(rec.ID[:]))",
		tests: "TestClientFor",
	},
	{
		name: "all sessions share a token", file: "internal/tokens/target.go",
		old: "string(rec.ID[:])+weburl.Encode(t.params...))", new: "weburl.Encode(t.params...))",
		tests: "TestResourceTokensOfTwoUsers",
	},
	{
		name: "memory of tokens grows without bounds", file: "internal/memory/lasting.go",
		old: "(l.bytes > maxLastingBytes || !now.Before(e.Value.(*lasting[V]).until))", new: "!now.Before(e.Value.(*lasting[V]).until)",
		packages: "./internal/memory", tests: "TestLastingIsBounded",
	},
	{
		name: "a token outlives its time in memory", file: "internal/memory/lasting.go",
		old: "	if !now.Before(found.until) {\n		l.remove(e)\n		return value, false\n	}\n", new: "",
		packages: "./internal/memory", tests: "TestLasting",
	},
	{
		name: "each call of a request waits for a late token", file: "internal/tokens/resources.go",
		old: "	if err == errLate {\n		s.waitsNoMore(time.Now().Add(waitAgain))\n	}\n", new: "",
		tests: "TestLateResourceTokenIsWaitedForOnce",
	},
	{
		name: "a token that lives is not used while the next is late", file: "internal/tokens/resources.go",
		old: "	case !s.mayWait(now) && usable:\n		return kept, nil\n", new: "",
		tests: "TestLateResourceTokenIsWaitedForOnce",
	},
	{
		name: "an API that wants another sign-in causes a refresh", file: "internal/tokens/calls.go",
		old: "	if _, ok := protocol.NeedsOf(resp); ok {\n		return false\n	}\n", new: "	if _, ok := protocol.NeedsOf(resp); ok {\n		return true\n	}\n",
		tests: "TestAPIWantsAnotherSignIn|TestAPIChallengesWithoutAWay",
	},
	{
		name: "what an API asks for has no bounds", file: "internal/protocol/needs.go",
		old: "	if len(list) > maxNeeds {\n		return nil\n	}\n", new: "",
		packages: "./internal/protocol", tests: "TestNeedsOf",
	},
	{
		name: "what an API asks for has any characters", file: "internal/protocol/needs.go",
		old: "		case NoScopeToken(word):\n			return nil\n", new: "",
		packages: "./internal/protocol", tests: "TestNeedsOf",
	},
	{
		name: "an API sends the user round for scopes", file: "apichallenge.go",
		old: "	case denied:\n", new: "	case denied && false:\n",
		tests: "TestAPIWantsScopesInVain",
	},
	{
		name: "an API sends the user round for scopes that were granted", file: "apichallenge.go",
		old: "	case len(missing) == 0 || ", new: "	case ",
		tests: "TestAPIWantsScopes|TestAPIChallengesWithoutAWay",
	},
	{
		name: "an API sends the user round to sign in", file: "apichallenge.go",
		old: "now.Sub(authTime) > p.MaxAge && !recent", new: "now.Sub(authTime) > p.MaxAge && !(recent && false)",
		tests: "TestAPIWantsASignInNow",
	},
	{
		name: "an API's challenge leads to any provider", file: "policy.go",
		old: "		Provider: rec.User.Provider, AuthParams: params,\n", new: "		AuthParams: params,\n",
		tests: "TestAPIChallengeOfOneProvider",
	},
	{
		name: "tokens of resources are kept longer than their session", file: "internal/tokens/resources.go",
		old: "end.Before(until)", new: "end.IsZero()",
		tests: "TestCoordinatorKeepsNoResourceTokenOfOverSessions",
	},
}
