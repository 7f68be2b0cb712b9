package main

// userInfoMutants break the reading of user info for a policy.
var userInfoMutants = []mutant{
	{
		name: "user info is read for a policy beside a rotation", file: "internal/tokens/userinfo.go",
		old: "latest, ended := turn.Keep(ctx, fresh, func(context.Context) {})", new: "turn.Leave()\n	defer turn.GiveUp(ctx)\n	latest, ended := fresh, !f.sessions.Grants.Refreshed(fresh, fresh.Written)",
		tests: "TestCoordinatorPolicyReadsUserInfoDuringRotation",
	},
	{
		name: "claims for which cookies have no room are kept", file: "internal/tokens/userinfo.go",
		old: "err = f.sessions.CheckSize(fresh)", new: "err = nil",
		tests: "TestPolicyReadsTooMuchUserInfo",
	},
	{
		name: "refreshes read claims for which cookies have no room", file: "internal/tokens/userinfo.go",
		old: "fresh.Extra.UserInfo, fresh.Extra.Settled = false, true", new: "fresh.Extra.UserInfo, fresh.Extra.Settled = true, false",
		tests: "TestPolicyReadsTooMuchUserInfo",
	},
	{
		name: "claims that are too large for a login end the session at its refresh", file: "internal/tokens/userinfo.go",
		old: "|| errors.Is(err, record.ErrClaimsTooLarge)", new: "",
		tests: "TestPolicyReadsTooMuchUserInfo",
	},
	{
		name: "a user is denied what user info has not said yet", file: "policy.go",
		old: "		return r, s, err\n", new: "		return r, s, nil\n",
		tests: "TestPolicyWaitsForUserInfo|TestCoordinatorAwayForPolicyThatReadsUserInfo",
	},
}
