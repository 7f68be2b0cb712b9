package interop_test

import "testing"

// A provider is a real OpenID provider on loopback that knows one application. It can be stopped and started again at the
// same issuer, with new keys and nothing of what it knew.
type provider interface {
	start(t *testing.T)
	stop(t *testing.T)

	issuer() string
	shortTokens()                 // makes access tokens last five seconds, from the next start on
	tokenCalls(t *testing.T) int  // requests to the token endpoint since the start
	revocations(t *testing.T) int // requests to the revocation endpoint since the start

	// What follows leads from the provider's first page to where the browser ends up.
	signIn(first *page) *page
	cancel(first *page) *page
	signOut(first *page) *page

	wants() identity // who signIn signs in
}

// An identity is what /api/me says.
type identity struct {
	Provider string `json:"provider"`
	Subject  string `json:"sub"`
	Name     string `json:"name"`
	Email    string `json:"email"`
}

// providers makes one of each kind, not yet started, for the application at the origin app.
var providers = map[string]func(t *testing.T, app string) provider{
	"panva":   newPanva,
	"zitadel": newZitadel,
}
