// Package bench measures what oauthlogin costs, next to other libraries that
// keep a session for a request.
//
//	go test -run '^$' -bench .  # every benchmark, one by one
//	go run ./cmd/compare        # the same in pairs with the floor, as a table
//	go run ./cmd/load           # whole servers, and whole logins
package bench
