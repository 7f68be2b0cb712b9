package main

// secondDayMutants break what a refused user, and a test of an application below a prefix,
// depend on.
var secondDayMutants = []mutant{
	{
		name: "a refused user has no way home", file: "errors.go",
		old: "Refused: e.refused}", new: "Refused: false}",
		tests: "TestOnSignInRefuses",
	},
	{
		name: "a page without a way to repeat leads home twice", file: "internal/page/page.go",
		old: "{{if and .RetryURL (or .Refused .SignOut)}}", new: "{{if or .Refused .SignOut}}",
		packages: "./internal/page", tests: "TestErrorPage",
	},
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
