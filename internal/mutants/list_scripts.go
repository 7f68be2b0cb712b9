package main

// scriptMutants break what scripts are told about sessions, and what they do to them.
var scriptMutants = []mutant{
	{
		name: "the page that htmx names does not count", file: "internal/weburl/paths.go",
		old: "if page := p.ofPage(r.Header.Get(\"HX-Current-URL\")); page != \"\" {", new: "if page := p.ofPage(r.Header.Get(\"HX-Current-URL\")); page != \"\" && r.Referer() == \"\" {",
		tests: "TestHTMX",
	},
	{
		name: "the login after SessionInfo leads to its JSON", file: "sessioninfo.go",
		old: "asking == \"\" || path == own", new: "asking == \"\" || path == own && asking == \"\"",
		tests: "TestSessionInfoSignedOut",
	},
	{
		name: "Handler seals sessions anew for scripts", file: "middleware.go",
		old: "return browser.IsNavigation(r) && browser.PrefersHTML(r)", new: "return browser.IsNavigation(r) || true",
		tests: "TestSessionInfoPolledByOldBrowsers|TestFilesSetNoCookie",
	},
}
