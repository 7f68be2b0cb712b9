package main

// firstDayMutants break what scripts and applications are told about sessions and logins.
var firstDayMutants = []mutant{
	{
		name: "the page that htmx names does not count", file: "internal/weburl/paths.go",
		old: "if page := p.ofPage(r.Header.Get(\"HX-Current-URL\")); page != \"\" {", new: "if page := p.ofPage(r.Header.Get(\"HX-Current-URL\")); page != \"\" && r.Referer() == \"\" {",
		tests: "TestHTMX",
	},
	{
		name: "the login after SessionInfo leads to its JSON", file: "sessioninfo.go",
		old: "page == \"\" || path == own", new: "page == \"\" || path == own && page == \"\"",
		tests: "TestSessionInfoSignedOut",
	},
	{
		name: "SilentLogin goes on with a grant that has ended", file: "silent.go",
		old: "			case ended:\n", new: "			case ended && w == nil:\n",
		tests: "TestSilentLoginRefreshes",
	},
	{
		name: "Handler seals sessions anew for scripts", file: "middleware.go",
		old: "return browser.IsNavigation(r) && browser.PrefersHTML(r)", new: "return browser.IsNavigation(r) || true",
		tests: "TestSessionInfoPolledByOldBrowsers|TestFilesSetNoCookie",
	},
	{
		name: "a panic of OnSignIn in a silent login is not an error", file: "failedlogin.go",
		old: "|| failed.Status == http.StatusInternalServerError", new: "|| failed.Status == 0",
		tests: "TestOnSignInFailsSilently",
	},
	{
		name: "a login that starts anew forgets its parameters", file: "internal/flow/flow.go",
		old: "if kind != Silent && len(want.Params.Encode()) <= maxParams {", new: "if false {",
		tests: "TestLateLoginKeepsItsParameters|TestLateLoginWithAnotherAccount",
	},
	{
		name: "a flow keeps parameters of any length", file: "internal/flow/flow.go",
		old: "len(want.Params.Encode()) <= maxParams {", new: "len(want.Params.Encode()) <= 100*maxParams {",
		tests: "TestLateLoginKeepsItsParameters",
	},
	{
		name: "a policy loosens the provider's max_age", file: "policy.go",
		old: "maxAge = min(maxAge, own)", new: "_ = own",
		tests: "TestStepUpRequestsTheStricterAge",
	},
	{
		name: "a step-up is of any provider", file: "internal/flow/stepup.go",
		old: "EncodeToString(provider[:])", new: "EncodeToString(provider[:0])",
		tests: "TestStepUpURLIsOfOneProviderAndADay",
	},
	{
		name: "a step-up is good for a year", file: "internal/flow/stepup.go",
		old: "time.Since(at) > stepUpAge {", new: "time.Since(at) > 365*stepUpAge {",
		tests: "TestStepUpURLIsOfOneProviderAndADay",
	},
	{
		name: "a login that is refused leaves its refresh token", file: "callback.go",
		old: "m.revokeUnused(r, p, granted)", new: "m.revokeUnused(r, p, nil)",
		tests: "TestRefusedLoginIsRevoked",
	},
	{
		name: "a login that is refused revokes the grant of a session", file: "failedlogin.go",
		old: "m.sessions.OfSameUser(r, rec); err != nil || old != nil {", new: "m.sessions.OfSameUser(r, rec); err != nil {\n		_ = old",
		tests: "TestRefusedLoginIsRevoked",
	},
}
