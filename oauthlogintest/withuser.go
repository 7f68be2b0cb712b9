package oauthlogintest

import (
	"net/http"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/testdoor"
)

// WithUser returns a copy of r with a session of user for auth, as if auth had found
// it in the cookies of r: the gates of auth, [oauthlogin.FromContext] and
// [oauthlogin.Middleware.Session] see it. No provider is asked. The session is new,
// has the scopes of the provider's configuration and no access token, so calls
// through [oauthlogin.Middleware.Client] fail with [oauthlogin.ErrNoToken].
//
// Only user.Subject is required. Without user.Provider, the provider is the first of
// Options.Providers, and user.Issuer is its issuer by default. Without
// user.RawClaims, the claims are sub and, where user has them, name, email and
// email_verified. A policy with MaxAge or ACR needs the claims auth_time or acr.
//
// A session of another Middleware that r has stays; [oauthlogin.FromContext] returns
// the new one outside the handlers of that Middleware.
//
// WithUser fails the test if auth does not have the provider or if user is not
// complete. It panics outside of tests.
func WithUser(t testing.TB, auth *oauthlogin.Middleware, r *http.Request, user oauthlogin.User) *http.Request {
	mustBeTest(testing.Testing())
	t.Helper()
	r, err := testdoor.WithUser(auth, r, user)
	if err != nil {
		t.Fatalf("oauthlogintest: WithUser: %v", err)
	}
	return r
}

// mustBeTest keeps WithUser, which signs in without asking anybody, out of programs
// that serve users.
func mustBeTest(test bool) {
	if !test {
		panic("oauthlogintest: WithUser was called outside of a test")
	}
}
