package main

// outputMutants show what has to stay secret.
var outputMutants = []mutant{
	{
		name: "keys are printed", file: "options.go",
		old: `"oauthlogin.Options{Providers:%q Keys:[redacted]}", names)`, new: `"oauthlogin.Options{Providers:%q Keys:%q}", names, o.Keys)`,
		packages: "./internal/adversarial", tests: "TestNoSecrets",
	},
	{
		name: "the token is logged", file: "callback.go",
		old:      "	m.events.report(r.Context(), Event{Kind: EventLogin, Provider: rec.User.Provider, Subject: rec.User.Subject, Duration: since(f.Started)})\n",
		new:      "	m.events.report(r.Context(), Event{Kind: EventLogin, Provider: rec.User.Provider, Subject: rec.User.Subject, Duration: since(f.Started)})\n	m.log.Debug(\"signed in\", \"token\", rec.Tokens.Access)\n",
		packages: "./internal/adversarial", tests: "TestNoSecrets",
	},
	{
		name: "an error code is shown as it is", file: "internal/protocol/errors.go",
		old: `return "unknown"`, new: "return code",
		packages: "./internal/protocol .", tests: "TestTokenErrors|TestCallbackReflectsNothing",
	},
	{
		name: "errors of transports are shown whole", file: "internal/protocol/errors.go",
		old: `return "call failed: " + beforeQuote(e.err)`, new: `return "call failed: " + e.err.Error()`,
		packages: "./internal/protocol", tests: "TestCallErrors",
	},
	{
		name: "a challenge may repeat the access token in the log", file: "internal/protocol/description.go",
		old: `asked.Param("error"), description, sent...)`, new: `asked.Param("error"), description)`,
		packages: "./internal/protocol", tests: "TestUserInfoChallengeIsLogged",
	},
}
