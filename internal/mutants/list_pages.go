package main

// pageMutants show what pages say, and how they can be seen.
var pageMutants = []mutant{
	{
		name: "the focus ring is pale", file: "internal/page/style.css",
		old: "--accent: #2a4fc4;", new: "--accent: #a9b8e8;",
		packages: "./internal/page", tests: "TestContrast",
	},
	{
		name: "soft text is pale in the dark", file: "internal/page/style.css",
		old: "--soft: #a8b3c7;", new: "--soft: #5a6478;",
		packages: "./internal/page", tests: "TestContrast",
	},
	{
		name: "a page mixes languages", file: "internal/page/texts.go",
		old: "			return EnglishTexts().all(keys...)\n", new: "			text = english[key]\n",
		packages: "./internal/page .", tests: "TestDescribe|TestMissingTexts",
	},
	{
		name: "texts can be HTML", file: "internal/page/page.go",
		old: "	\"html/template\"\n", new: "	\"text/template\"\n",
		packages: "./internal/page", tests: "TestTranslatedPages",
	},
	{
		name: "New accepts keys that no page has", file: "internal/page/checktexts.go",
		old: `		case english[key] == "":
			wrong = "is not a key of EnglishTexts"
`, new: "",
		packages: "./internal/page .", tests: "TestCheckTexts|TestTextsFaults",
	},
	{
		name: "texts are not copied", file: "internal/page/texts.go",
		old: "	maps.Copy(texts.byKey, byKey)\n", new: "	texts.byKey = byKey\n",
		tests: "TestTextsAreCopied",
	},
	{
		name: "the browser's second language goes first", file: "internal/browser/language.go",
		old: "q > best", new: "q >= best",
		packages: "./internal/browser", tests: "TestLanguage",
	},
	{
		name: "half a page of a Chooser is sent", file: "chooser.go",
		old: "	response := page.NewBuffer(w)\n", new: "	response := page.NewBuffer(w)\n	defer response.Send(w)\n",
		tests: "TestChooserPanics",
	},
	{
		name: "a Chooser's page can be cached", file: "internal/page/buffer.go",
		old: "	NoStore(w)\n", new: "",
		packages: "./internal/page .", tests: "TestBuffer|TestOwnChooser",
	},
	{
		name: "a form that was sent gets the choice itself", file: "chooser.go",
		old: "r.Method != http.MethodGet", new: "r.Method == http.MethodHead",
		tests: "TestChoiceAfterForm",
	},
	{
		name: "the reference is not that of the log", file: "errors.go",
		old: `"reference", e.Reference}`, new: `"reference", newReference()}`,
		tests: "TestErrorPages|TestErrorHandlerHasReference",
	},
	{
		name: "an error is written to after the event", file: "errors.go",
		old: "		p.handler(w, r, e)\n", new: "		*failed = *e\n		p.handler(w, r, e)\n",
		tests: "TestErrorHandlerHasReference",
	},
}
