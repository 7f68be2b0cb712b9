// Package oauthlogin signs users in: net/http middleware for OAuth 2.0
// (authorization code with PKCE) and OpenID Connect.
//
// [New] makes a [Middleware] from [Options]: one or several providers, and keys.
// [Middleware.Handler] is wrapped around an application's router. It serves the
// login, callback and logout paths and puts the session into the context of
// every other request; [FromContext] takes it out. [Middleware.RequireAuth] is
// wrapped around what only signed-in users may see, and [Middleware.Require]
// around what only some of them may. In a handler, [Middleware.Client] calls
// APIs as the user.
//
// # The way of a request
//
// A page that needs a session redirects to /login, with its own path as
// return_to; a script gets 401 and a URL to go to. /login redirects to the
// provider, and seals what it has to know afterwards in a cookie of its own for
// each login. The provider redirects back to the callback, which redeems the
// code, verifies the ID token (or asks [Provider].Identify), starts a new
// session and redirects to the return path. From then on each request opens the
// session and checks its limits; behind RequireAuth, tokens that are due are
// refreshed. A new cookie is written before the handler runs.
//
// # Sessions
//
// A session is identity, access token, refresh token and ID token, sealed with
// AES-256-CTR and HMAC-SHA256 by gorilla/securecookie, with keys that are
// derived from Options.Keys. It is kept in cookies, or in Options.Store. In
// cookies it can be read by every instance that has the keys, and ended only by
// its limits: whoever has copied a cookie can use it until then, except on the
// instance where its user has signed out. A logout ends a
// session in a store everywhere.
//
// Tokens are refreshed by the instance that a request reaches. Requests that
// reach it with the older cookie get the newer tokens, from memory bounded
// at 32 MiB (opened sessions are kept in 64 MiB more); other instances, and the same one after a restart, know of a
// refresh only what the browser's cookie says.
//
// # Standards
//
// RFC 6749, RFC 6750, RFC 7009, RFC 7636, RFC 8252 section 7.3, RFC 9207, RFC
// 9470 and RFC 9700; OpenID Connect Core 1.0 (code flow), Discovery 1.0 and
// RP-Initiated Logout 1.0.
package oauthlogin
