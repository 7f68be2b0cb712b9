package main

// sessionMutants break when sessions begin, go on and end.
var sessionMutants = []mutant{
	{
		name: "a request that a refresh overtakes is forbidden", file: "internal/tokens/refresh.go",
		old: "	return latest.HasNewerToken(rec) || f.Due(&rec.Tokens, time.Now())\n", new: "	return latest.HasNewerToken(rec)\n",
		tests: "TestClientWhoseTokenIsReplacedMeanwhile",
	},
	{
		name: "a request that an early refresh overtakes is forbidden", file: "internal/tokens/refresh.go",
		old: "	return latest.HasNewerToken(rec) || f.Due", new: "	return latest == nil || f.Due",
		tests: "TestClientWhoseTokenIsReplacedMeanwhile",
	},
	{
		name: "any 403 is a reason to refresh", file: "internal/tokens/refresh.go",
		old: "	return latest.HasNewerToken(rec) || f.Due(&rec.Tokens, time.Now())\n", new: "	return latest != nil\n",
		tests: "TestClientWhoseTokenIsReplacedMeanwhile",
	},
	{
		name: "user info brings back a claim that a refresh took away", file: "policy.go",
		old: "rec.Extra.UserInfo || rec.Extra.Settled ||", new: "rec.Extra.UserInfo ||",
		packages: ". ./internal/adversarial", tests: "TestPolicyReadsNoUserInfoAfterLosingClaims|TestRemovedGroupIsGoneAfterRefresh",
	},
	{
		name: "users are not signed out everywhere", file: "internal/memory/owners.go",
		old: "return ok && latest.mark != mark", new: "return false && ok && latest.mark != mark",
		packages: "./internal/memory .", tests: "TestEndAll|TestSignOutUser",
	},
	{
		name: "no idle limit", file: "internal/active/sessions.go",
		old: "idle >= s.Idle || ", new: "",
		tests: "TestSessionLimits",
	},
	{
		name: "no absolute limit", file: "internal/record/limits.go",
		old: "age >= l.Lifetime || ", new: "",
		tests: "TestSessionLimits",
	},
	{
		name: "a store keeps the session id at login", file: "internal/vault/store.go",
		old:   "	return v.write(w, r, sessions.NewSession(v.store, v.cookies.Session), sealed, maxAge)\n",
		new:   "	stored, _ := v.store.New(r, v.cookies.Session)\n	return v.write(w, r, stored, sealed, maxAge)\n",
		tests: "TestStoreSessionsBeginAndEnd",
	},
	{
		name: "a slower refresh takes a request back to older tokens", file: "internal/tokens/held.go",
		old: "rec.Generation() <= old.Generation() || ", new: "",
		packages: "./internal/tokens", tests: "TestHeldKeepsTheLatest",
	},
	{
		name: "refreshed tokens are not kept for late requests", file: "internal/instances/outcome.go",
		old: "	if !t.s.Grants.Refreshed(fresh, time.Now()) {", new: "	if false {",
		tests: "TestLostResponses|TestLateRequests",
	},
	{
		name: "a refresh stops when its client hangs up", file: "internal/flight/flight.go",
		old: "detached := context.WithoutCancel(ctx)", new: "detached := ctx",
		packages: "./internal/flight ./internal/adversarial", tests: "TestCallOutlivesCaller|TestHangUpDuringRefresh",
	},
	{
		name: "a provider that is down ends sessions", file: "internal/tokens/refresh.go",
		old: "	case err != nil:\n		turn.Failed(", new: "	case err != nil:\n		grants.End(ctx, old, time.Now())\n		turn.Failed(",
		tests: "TestOutageOfADay|TestUnseenTokensOutliveAnOutage",
	},
	{
		name: "an outage of a day changes nothing", file: "internal/record/limits.go",
		old: "time.Since(t.Expiry) < maxOutage", new: "time.Since(t.Expiry) < 1000*maxOutage",
		tests: "TestOutageOfADay",
	},
	{
		name: "invalid_grant does not end the session", file: "internal/protocol/errors.go",
		old: "		return GrantEnded\n", new: "		return NotRefused\n",
		packages: "./internal/protocol .", tests: "TestRefusals|TestRefusedRefreshes",
	},
	{
		name: "a refusal in other words does not end the session", file: "internal/protocol/errors.go",
		old: "	return Refused\n}", new: "	return NotRefused\n}",
		packages: "./internal/protocol .", tests: "TestRefusals|TestRefusedRefreshes",
	},
	{
		name: "a refusal does not end the session with its access token", file: "internal/tokens/refresh.go",
		old: "return rejected || rec.Tokens.Expiry.IsZero() || !rec.Tokens.Valid(time.Now())", new: "return rejected",
		tests: "TestRefusedRefreshes",
	},
	{
		name: "a refreshed ID token may be another user's", file: "internal/protocol/idtoken.go",
		old: `case fresh.String("sub") != subject:`, new: "case false:",
		packages: "./internal/protocol ./internal/adversarial", tests: "TestCheckRefreshed|TestIDTokenOfRefresh",
	},
	{
		name: "a refreshed ID token of another user does not end the session", file: "internal/identity/refresh.go",
		old: "	case err != nil:\n		return nil, &Error{err}\n", new: "	case err != nil:\n		return nil, err\n",
		packages: "./internal/adversarial", tests: "TestIDTokenOfRefresh",
	},
	{
		name: "a refreshed ID token may be another user's while there are no keys", file: "internal/identity/refresh.go",
		old: "(sub != old.User.Subject || iss != old.User.Issuer)", new: `(sub == "" || iss != old.User.Issuer)`,
		tests: "TestRefreshWithoutKeys",
	},
	{
		name: "a session in cookies survives its logout here", file: "logout.go",
		old: "	return m.sessions.Grants.End(r.Context(), rec, time.Now())\n", new: "	return []*record.Record{rec}\n",
		tests: "TestLogoutDuringARefresh|TestLogoutEndsOneSession",
	},
	{
		name: "a replaced session survives the logout of its successor", file: "callback.go",
		old: "		rec.Extra.Lineage = old.Lineage()\n", new: "",
		tests: "TestReplacedSessionEndsWithItsSuccessor",
	},
	{
		name: "a session does not end with its lineage", file: "internal/memory/ended.go",
		old: "return id != lineage && e.upTo[lineage] == allGenerations", new: "return id != lineage && false",
		packages: "./internal/memory", tests: "TestLineage",
	},
}
