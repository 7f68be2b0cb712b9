package main

// homePathMutants break what an application below a prefix depends on.
var homePathMutants = []mutant{
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
}
