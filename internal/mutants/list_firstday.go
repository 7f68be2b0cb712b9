package main

// firstDayMutants break what scripts and applications are told about sessions and logins.
var firstDayMutants = []mutant{
	{
		name: "the page that htmx names does not count", file: "internal/weburl/paths.go",
		old: "if page := p.local(r.Header.Get(\"HX-Current-URL\")); page != \"\" {", new: "if page := p.local(r.Header.Get(\"HX-Current-URL\")); page != \"\" && r.Referer() == \"\" {",
		tests: "TestHTMX",
	},
	{
		name: "the login after SessionInfo leads to its JSON", file: "sessioninfo.go",
		old: "page == \"\" || path == own", new: "page == \"\" || path == own && page == \"\"",
		tests: "TestSessionInfoSignedOut",
	},
	{
		name: "SilentLogin goes on with a grant that has ended", file: "silent.go",
		old: "m.refreshOrEnd(w, r, s); ended {", new: "m.refreshOrEnd(w, r, s); ended && w == nil {",
		tests: "TestSilentLoginRefreshes",
	},
	{
		name: "Handler seals sessions anew for scripts", file: "middleware.go",
		old: "return browser.IsNavigation(r) && browser.PrefersHTML(r)", new: "return browser.IsNavigation(r) || true",
		tests: "TestSessionInfoPolledByOldBrowsers|TestFilesSetNoCookie",
	},
}
