package main

// providersMutants break what single providers need: responses by POST.
var providersMutants = []mutant{
	{
		name: "the first form is taken at once", file: "formpost.go",
		old: "case form.Has(postedHere):", new: "default:",
		tests: "TestFormPost|TestFormPostPage",
	},
	{
		name: "a page posts for ever", file: "formpost.go",
		old: "case form.Has(postedHere):", new: "case false:",
		tests: "TestFormPost|TestFormPostWithoutCookies",
	},
	{
		name: "every body is a form", file: "formpost.go",
		old: `case err != nil || mediaType != "application/x-www-form-urlencoded":`, new: `case err != nil && mediaType == "":`,
		tests: "TestFormPostRefused",
	},
	{
		name: "a form is read without a bound", file: "formpost.go",
		old: "io.ReadAll(http.MaxBytesReader(w, r.Body, maxPosted))", new: "io.ReadAll(r.Body)",
		tests: "TestFormPostRefused",
	},
	{
		name: "fields of a form may occur twice", file: "formpost.go",
		old: "case len(form[postedHere]) > 1:", new: "case false:",
		tests: "TestFormPostRefused",
	},
	{
		name: "every provider may post", file: "formpost.go",
		old: "if i < 0 || !ps[i].FormPost {", new: "if i < 0 {",
		tests: "TestCallbackAnswersGetAlone|TestFormPostIsAnOption",
	},
	{
		name: "every field goes on", file: "formpost.go",
		old: "	for _, name := range postedFields {\n", new: "	for name := range form {\n",
		tests: "TestFormPostPage",
	},
	{
		name: "the page posts to any site", file: "internal/page/formpost.go",
		old: `policyFor("'self'")`, new: `policyFor("https:")`,
		packages: "./internal/page .", tests: "TestPostPage|TestFormPostPage",
	},
	{
		name: "the redirects after a form lead to the provider", file: "formpost.go",
		old: "	if m.cameFromForm(r) {\n", new: "	if m.cameFromForm(r) && false {\n",
		tests: "TestFormPostTookTooLong",
	},
}
