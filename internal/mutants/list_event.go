package main

// eventMutants show what metrics and audit logs are made of.
var eventMutants = []mutant{
	{
		name: "a login has no duration", file: "callback.go",
		old:      "Subject: rec.user.Subject, Duration: since(f.started)})",
		new:      "Subject: rec.user.Subject})",
		packages: ".", tests: "TestEventDetails",
	},
	{
		name: "a refresh that ends a session does not say so", file: "refresh.go",
		old: "Err: err, Ended: true, Duration: since(began)}", new: "Err: err, Duration: since(began)}",
		packages: ".", tests: "TestEventDetails",
	},
	{
		name: "a failed refresh has no duration", file: "refresh.go",
		old: "Err: err, Duration: since(began)}", new: "Err: err}",
		packages: ".", tests: "TestEventDetails",
	},
	{
		name: "an invalid request counts as an ended grant", file: "event.go",
		old: `return "provider_rejected"`, new: "return code",
		packages: ".", tests: "TestEventDetails",
	},
}
