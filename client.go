package oauthlogin

import (
	"context"
	"errors"
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/roundtrip"
	"github.com/oauthlogin/oauthlogin/internal/tokens"
)

var (
	// ErrNoSession is the error of calls through [Middleware.Client] and [Middleware.ClientFor]
	// with a context that has no session, or whose session has ended. [errors.Is] finds it in
	// the [url.Error].
	ErrNoSession = errors.New("oauthlogin: no session in the context; is the handler behind RequireAuth?")
	// ErrNoToken is the error of calls through [Middleware.Client] and [Middleware.ClientFor]
	// when the session has no access token that is still valid, and none could be had: the
	// provider is unreachable, or there is no refresh token. [errors.Is] finds it in the
	// [url.Error].
	ErrNoToken = errors.New("oauthlogin: the session has no valid access token")
)

// Client returns a client that calls APIs as the signed-in user: it adds the access token, and
// refreshes it when needed. ctx is the context of a request behind [Middleware.RequireAuth].
// Requests fail with [ErrNoSession] or [ErrNoToken] when there is no token to send, and with a
// [*ChallengeError] when the API asks for more than the token shows. Several goroutines may use
// the client.
//
// It sends the access token to the host that you call, and removes it when a redirect leads to
// another origin. It does not check which host that is: call only hosts that may have the
// token. The client has no timeout; requests end with their own contexts and with ctx.
//
// A token that is about to expire is refreshed first. After a 401 response the token is
// refreshed once and the request sent once more, if its body can be replayed (see
// [http.Request.GetBody]). After a 403 response it is sent once more only if its token has been
// replaced meanwhile, or is due to be. A token that a refresh has just brought, and that no API
// has accepted yet, is not refreshed again for ten seconds. Refreshed tokens are saved in
// [Options.Store] at once; without a store they reach the cookie with the next request that
// this instance serves, or any with [Options.Coordinator].
//
// A response with insufficient_scope or insufficient_user_authentication causes no refresh and
// is not returned: [Middleware.Challenge] turns the error into the way to such a login.
//
// The tokens of a login with [Provider.DPoP] are sent as such, with a proof for each request
// (RFC 9449 section 7.1). A request that an API rejects to ask for a nonce is sent once more,
// if its body can be replayed; that causes no refresh.
func (m *Middleware) Client(ctx context.Context) *http.Client {
	s := m.fromContext(ctx)
	if s == nil {
		return &http.Client{Transport: roundtrip.Failing{Err: ErrNoSession}}
	}
	return m.calls.Client(ctx, &s.held, nil)
}

// A Resource is an API that wants an access token of its own, for [Middleware.ClientFor]. Which
// of the fields to set is the provider's choice; at least one is required.
type Resource struct {
	_ [0]func() // keyed literals only

	// URL is the API's http or https URL, without a fragment. The token goes only to its origin.
	// Unless Audience is set, URL is sent as resource (RFC 8707 section 2).
	URL string
	// Audience is the API's name at providers that want the parameter audience, such as Auth0.
	// It is sent in place of resource.
	Audience string
	// Scopes are the scopes of the token, of those that logins were granted. Without any the
	// provider decides. With neither URL nor Audience they also say which API is meant, as at
	// Microsoft Entra ID.
	Scopes []string
}

// ClientFor returns a client that calls one API as the signed-in user, with an access token
// that the provider issues only for that API. It is [Middleware.Client] in everything else: a
// token that is about to expire is renewed, and one that the API rejects with 401 is replaced
// once. Requests fail with [ErrNoSession], [ErrNoToken] or a [*ChallengeError], and with the
// provider's refusal.
//
// The login has to have been granted what to asks for: see [Provider.AuthParams] for the
// parameters resource and audience, and [Policy.Scopes]. Without a refresh token there is no
// token for an API: request one in the login, with the scope offline_access or as the provider
// documents it. A request to another origin than that of to.URL fails without being sent.
//
// The token comes from the provider by the refresh token (RFC 6749 section 6), on the first
// request. It stays in memory until it expires, and sealed in [Options.Coordinator], so that
// other instances use it as well; it is never in the cookie. Of all calls of a session, at all
// instances, one sends the refresh token at a time. If the provider rotates it, the session has
// the new one from then on, and keeps its own access token. If the login requested bound tokens
// ([Provider.DPoP]), these tokens are bound to the same key.
//
// What the provider refuses for an API, such as invalid_target (RFC 8707 section 2) or
// invalid_scope, fails the request, and is not asked for again for ten seconds; it does not end
// the session. invalid_grant does.
func (m *Middleware) ClientFor(ctx context.Context, to Resource) *http.Client {
	s := m.fromContext(ctx)
	if s == nil {
		return &http.Client{Transport: roundtrip.Failing{Err: ErrNoSession}}
	}
	target, err := tokens.NewTarget(s.current(), to.URL, to.Audience, to.Scopes)
	if err != nil {
		return &http.Client{Transport: roundtrip.Failing{Err: err}}
	}
	return m.calls.Client(ctx, &s.held, target)
}
