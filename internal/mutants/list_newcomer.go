package main

// newcomerMutants break what an application below a prefix, and one that refuses users,
// depend on.
var newcomerMutants = []mutant{
	{
		name: "a return path that is dropped leaves the prefix", file: "internal/weburl/paths.go",
		old: "	if !ok {\n		return p.Home\n", new: "	if !ok {\n		return \"/\"\n",
		packages: "./internal/weburl .", tests: "TestHome|TestHomePath",
	},
	{
		name: "a script's login leaves the prefix", file: "internal/weburl/paths.go",
		old: "		return p.Request(r)\n	}\n	return p.Home\n", new: "		return p.Request(r)\n	}\n	return \"/\"\n",
		packages: "./internal/weburl .", tests: "TestHome|TestHomePathOfRequests",
	},
	{
		name: "a return path that fits no cookie leaves the prefix", file: "internal/flow/flows.go",
		old: "short.ReturnPath = fs.home", new: "short.ReturnPath = \"/\"",
		tests: "TestHomePath",
	},
	{
		name: "the logout leaves the prefix", file: "providers.go",
		old: "weburl.Origin(redirect) + homePath", new: "weburl.Origin(redirect) + \"/\"",
		tests: "TestHomePath",
	},
	{
		name: "links home leave the prefix", file: "errors.go",
		old: "HomeURL: p.paths.Home", new: "HomeURL: \"/\"",
		tests: "TestHomePathOfRequests",
	},
	{
		name: "HomePath may lead off the origin", file: "options.go",
		old: "case weburl.ReturnPath(o.HomePath) != o.HomePath:", new: "case false:",
		tests: "TestNewRefuses",
	},
	{
		name: "HomePath may be a path of the package", file: "options.go",
		old: "case paths.ReturnPath(o.HomePath) == \"\":", new: "case false:",
		tests: "TestNewRefuses",
	},
	{
		name: "an Error of OnSignIn traps the user", file: "signin.go",
		old: "		case own.RetryURL != \"\":\n", new: "		case true:\n",
		tests: "TestOnSignInRefuses",
	},
	{
		name: "an Error of OnSignIn cannot name its link", file: "signin.go",
		old: "own.Title, own.Text, own.RetryLabel", new: "own.Title, own.Text, \"\"",
		tests: "TestOnSignInChoosesWords",
	},
	{
		name: "the log does not say who was refused", file: "signin.go",
		old: "refused: true, subject: subject}", new: "refused: true}",
		tests: "TestOnSignInRefuses",
	},
	{
		name: "a port is taken for another host", file: "internal/hints/hints.go",
		old: "(&url.URL{Host: host}).Hostname()", new: "(&url.URL{Host: host}).Host",
		packages: "./internal/hints", tests: "TestLoginUnderAnotherOriginIsNamed",
	},
}
