// Package oauthlogin signs users in to Go web applications. It is net/http middleware
// for OAuth 2.0 (authorization code with PKCE) and OpenID Connect.
//
// [New] makes a [Middleware] from [Options]: one or several providers, and keys.
// [Middleware.Handler] wraps an application's router. It serves the login, callback and
// logout paths and puts the session into the context of every other request;
// [FromContext] returns it. [Middleware.RequireAuth] wraps what only signed-in users
// may see, and [Middleware.Require] what only some of them may see. In a handler,
// [Middleware.Client] calls APIs as the user.
//
// # What a request goes through
//
// A page that needs a session redirects to /login, with its own path as return_to; a
// script gets 401 and a URL to go to. /login redirects to the provider, and seals what
// the callback needs in a cookie of its own for each login. The provider redirects back
// to the callback, which redeems the code, verifies the ID token (or asks
// [Provider].Identify), starts a new session and redirects to the return path. From then
// on each request opens the session and checks its limits. Behind RequireAuth, tokens
// that are due are refreshed. A new cookie is written before the handler runs.
//
// # Session lifetime
//
// A session ends when it is not used for Options.IdleTimeout, and Options.MaxLifetime
// after its login. The server enforces both by times inside the sealed session. A
// session without a refresh token ends with its access token, unless
// Options.SessionsOutliveTokens is set. A session also ends when the provider refuses to
// refresh it: at once if the grant has ended, and otherwise with the access token.
//
// # Revoking sessions
//
// [Middleware.Logout] and [Middleware.SignOut] end a session and revoke its refresh
// token at the provider. [Middleware.SignOutUser], and a logout with everywhere=1 in its
// form, end all sessions of a user. A provider ends sessions through
// [Middleware.BackChannelLogout].
//
// With Options.Coordinator a session that has ended at one instance has ended at all of
// them. Without it, and without Options.Store, the whole session is in cookies, and a copy
// of them stays valid until a limit ends it, except on the instance that saw the logout.
//
// With Options.BindDevices, browsers that support Device Bound Session Credentials prove
// every ten minutes that they still have a key of the user's device, and a copy of their
// cookies works no longer than that. See docs/device-bound-sessions.md.
//
// Front-channel logout is not supported: it needs session cookies in
// frames of other sites, which browsers do not send, and does not show who asks.
//
// # Key rotation
//
// Put the new key in front of Options.Keys, and remove the old one after
// Options.MaxLifetime. With several instances, append the new key on all of them first, so
// that each can open what another one seals. Sessions that the old key sealed are resealed
// as they are used. To end all sessions at once, replace all keys.
//
// # Deployments
//
// Sealed values carry a version, and each release reads the version before its own: a
// rolling deployment signs no user out. Logins that are pending while an instance
// restarts can be completed afterwards.
//
// # Client authentication, pushed requests, DPoP
//
// [Provider].ClientAssertion takes the place of a client secret: see [PrivateKeyJWT] and
// [AssertionFile]. Authorization requests are pushed (RFC 9126) wherever the provider's
// metadata has the endpoint. [Provider].DPoP binds tokens to a key of the session. All
// three together are what the FAPI 2.0 Security Profile asks of a client. See
// docs/profiles.md for what to set up and what errors mean.
//
// # Caching
//
// A response that sets a cookie of the package is "no-store". A response to a request
// with a session is "private" with "Vary: Cookie". Responses to requests without a
// session are left alone. Requests for images, scripts and other files set no cookie,
// except behind RequireAuth once the access token has expired: mark nothing public there.
// A logout clears the browser's cache of the site.
//
// # Outages
//
// New performs no I/O. While a provider is down, sessions go on, logins get 502, and
// both recover by themselves; metadata and keys that are known serve through an outage. If
// the provider has not refreshed a session for 24 hours after its access token expired,
// protected routes respond 503 until it does. While Options.Store fails, protected routes
// respond 503 with Retry-After, public routes run without a session, and no session is
// lost. While Options.Coordinator is away, a session in cookies goes on as long as its
// access token lives, or for a minute if that has no expiry; then protected routes respond
// 503.
//
// # Replicas
//
// Instances need the same keys, and any of them serves any request. With
// Options.Coordinator they agree: a session is refreshed once, all instances know of the
// new tokens, and a session that has ended at one has ended at all of them. A request whose
// session the instance knows costs no round trip. Call [Middleware.Close] after the server's
// Shutdown.
//
// Without a Coordinator, tokens are refreshed by the instance that a request reaches.
// Requests that still carry the old cookie get the new tokens from that instance's memory
// (at most 32 MiB; opened sessions take 64 MiB more). Other instances, and the same one
// after a restart, know of a refresh only what the browser's cookie or the store says.
//
// # Standards
//
// RFC 6749, RFC 6750, RFC 7009, RFC 7517, RFC 7523 section 2.2, RFC 7636, RFC 8252 section
// 7.3, RFC 9207, RFC 9470 and RFC 9700; OpenID Connect Core 1.0 (code flow), Discovery 1.0,
// RP-Initiated Logout 1.0 and Back-Channel Logout 1.0; OAuth 2.0 Form Post Response Mode.
package oauthlogin
