package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/oauthlogin/oauthlogin/internal/instances"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/roundtrip"
	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A Resource is an API that wants an access token of its own, for [Middleware.ClientFor]. Which
// of the fields to set is the provider's choice; at least one is required.
type Resource struct {
	_ [0]func() // keyed literals only

	// URL is the API's http or https URL, without a fragment. The token goes to its origin
	// alone. Unless Audience is set, URL is sent as resource (RFC 8707 section 2).
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
// that the provider issues for that API alone. It is [Middleware.Client] in everything else: a
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
	target, err := to.of(s.current())
	if err != nil {
		return &http.Client{Transport: roundtrip.Failing{Err: err}}
	}
	return &http.Client{Transport: &sessionTransport{ctx: ctx, session: s, to: target}}
}

// A target is a Resource as a session asks for its token.
type target struct {
	key    string   // what its tokens are kept under, of one session
	origin string   // that gets them; "": any
	params []string // of the request to the token endpoint
}

// of returns the target of a session.
func (to Resource) of(rec *record) (*target, error) {
	t := &target{}
	if to.URL != "" {
		u, fault := weburl.CheckAbsolute(to.URL)
		if fault != "" {
			return nil, fmt.Errorf("oauthlogin: Resource.URL %q %s", weburl.Shown(to.URL), fault)
		}
		t.origin = weburl.Origin(u)
	}
	switch {
	case to.Audience != "":
		t.params = append(t.params, "audience", to.Audience)
	case to.URL != "":
		t.params = append(t.params, "resource", to.URL)
	case len(to.Scopes) == 0:
		return nil, errors.New("oauthlogin: Resource has neither URL nor Audience nor Scopes")
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(to.Scopes)))
	if i := slices.IndexFunc(scopes, protocol.NoScopeToken); i >= 0 {
		return nil, fmt.Errorf("oauthlogin: Resource.Scopes has %q, which is not a scope", scopes[i])
	}
	if len(scopes) > 0 {
		t.params = append(t.params, "scope", strings.Join(scopes, " "))
	}
	// The origin is not part of the name: the token is the same.
	t.key = instances.Key(instances.KindResource, string(rec.id[:])+weburl.Encode(t.params...))
	return t, nil
}

var errNotResource = errors.New("oauthlogin: the request goes to another origin than that of Resource.URL")

// mayGetToken returns why a request gets no token, nil if it does.
func (t *target) mayGetToken(r *http.Request) error {
	if t.origin != "" && weburl.Origin(&url.URL{Scheme: strings.ToLower(r.URL.Scheme), Host: r.URL.Host}) != t.origin {
		return errNotResource
	}
	return nil
}
