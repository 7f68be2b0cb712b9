// Package bench measures the cost of oauthlogin and compares it with other
// libraries that load a session for each request.
//
//	go test -run '^$' -bench .  # each benchmark on its own
//	go run ./cmd/compare        # the same, each paired with the floor, as a table
//	go run ./cmd/load           # complete servers and complete logins
package bench
