package main

// releaseMutants break what docs/compatibility.md promises to instances of the version before.
var releaseMutants = []mutant{
	{
		name: "instances find no keys of the version before", file: "internal/instances/keys.go",
		old: `"oauthlogin v1 "`, new: `"oauthlogin v2 "`,
		tests: "TestReleases",
	},
	{
		name: "an end that the version before has written is unknown", file: "internal/instances/sessions.go",
		old: `[]byte("E")`, new: `[]byte("X")`,
		tests: "TestReleases",
	},
	{
		name: "a pause that the version before has written is unknown", file: "internal/instances/turn.go",
		old: "failedTag = 'F'", new: "failedTag = 'G'",
		tests: "TestReleases",
	},
	{
		name: "a session has a new field between the others", file: "internal/record/pack.go",
		old: "	rec.Tokens.Scope = u.String()\n", new: "	rec.Tokens.Scope = u.String()\n	_ = u.Uint()\n",
		tests: "TestReleases",
	},
}
