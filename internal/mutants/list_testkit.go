package main

// testKitMutants break what tests of applications depend on.
var testKitMutants = []mutant{
	{
		name: "a test registers the application at its origin first", file: "oauthlogintest/site.go",
		old: "	app := newApp(siteURL, p)\n", new: "	p.clientAt(siteURL)\n	app := newApp(siteURL, p)\n",
		packages: "./oauthlogintest", tests: "TestRegistrationBelowAPrefix",
	},
	{
		name: "a test does not register the application", file: "oauthlogintest/site.go",
		old: "	p.clientAt(siteURL) // for", new: "	// for",
		packages: "./oauthlogintest", tests: "TestRegistrationWrittenOut",
	},
}
