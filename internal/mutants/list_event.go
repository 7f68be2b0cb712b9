package main

// eventMutants show what metrics and audit logs are made of.
var eventMutants = []mutant{
	{
		name: "a login has no duration", file: "callback.go",
		old:      "Subject: rec.User.Subject, Duration: since(f.Started)})",
		new:      "Subject: rec.User.Subject})",
		packages: ".", tests: "TestEventDetails",
	},
	{
		name: "a refresh that ends a session does not say so", file: "internal/tokens/refresh.go",
		old: "f.events.RefreshFailed(ctx, old, err, true, ", new: "f.events.RefreshFailed(ctx, old, err, false, ",
		packages: ".", tests: "TestEventDetails",
	},
	{
		name: "a failed refresh has no duration", file: "event.go",
		old: "Err: err, Ended: ended, Duration: took}", new: "Err: err, Ended: ended}",
		packages: ".", tests: "TestEventDetails",
	},
	{
		name: "an invalid request counts as an ended grant", file: "event.go",
		old: `return "provider_rejected"`, new: "return code",
		packages: ".", tests: "TestEventDetails",
	},
}
