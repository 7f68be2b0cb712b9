package interop_test

import "testing"

// A provider is a real OpenID provider on loopback with one registered client. It can be stopped and restarted at the same
// issuer; it then has new keys and no sessions or tokens.
type provider interface {
	start(t *testing.T)
	stop(t *testing.T)

	issuer() string
	shortTokens()                 // sets the lifetime of access tokens to five seconds from the next start on
	tokenCalls(t *testing.T) int  // requests to the token endpoint since the start
	revocations(t *testing.T) int // requests to the revocation endpoint since the start

	// These methods go from the provider's first page to the page where the browser ends up.
	signIn(first *page) *page
	cancel(first *page) *page
	signOut(first *page) *page

	wants() identity // the user that signIn signs in
}

// An identity is the response of /api/me.
type identity struct {
	Provider string `json:"provider"`
	Subject  string `json:"sub"`
	Name     string `json:"name"`
	Email    string `json:"email"`
}

// providers holds a constructor for each kind of provider. It returns a provider that is not started, for the application
// at the origin app.
var providers = map[string]func(t *testing.T, app string) provider{
	"panva":   newPanva,
	"zitadel": newZitadel,
}
