// Package oauthlogin signs users in to Go web applications. It is net/http middleware for OAuth
// 2.0 (authorization code with PKCE) and OpenID Connect.
//
//	auth, err := oauthlogin.New(oauthlogin.Options{
//		Keys: [][]byte{key}, // at least 32 random bytes, the same after a restart
//		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
//			ClientID:     os.Getenv("GITHUB_CLIENT_ID"),
//			ClientSecret: os.Getenv("GITHUB_CLIENT_SECRET"),
//			RedirectURL:  "http://localhost:3000/auth/callback",
//		})},
//	})
//	// ...
//	mux.Handle("GET /dashboard", auth.RequireAuth(dashboard))
//	http.ListenAndServe("localhost:3000", auth.Handler(mux))
//
// [New] makes a [Middleware] from [Options]: one or several providers, and keys.
// [Middleware.Handler] wraps an application's router. It serves the login, callback and logout
// paths and puts the session into the context of every other request; [FromContext] returns it.
// [Middleware.RequireAuth] wraps what only signed-in users may see. The examples run whole
// sign-ins, and the repository's directory docs has a page for each task.
//
// # Tasks
//
//   - Mount it: [Middleware.Handler] around the router, or [Middleware.Login],
//     [Middleware.Callback] and [Middleware.Logout] path by path.
//   - Guard routes: [Middleware.RequireAuth]; [Middleware.Require] with a [Policy] of claims,
//     scopes, a recent sign-in or your own function; [Middleware.SilentLogin] for public pages.
//   - Know the user: [FromContext] and [Session]; [User.Claims]; [Middleware.Session], without
//     any wrapper; [Middleware.SessionInfo], for scripts.
//   - Decide who may sign in, add claims, link accounts: [Options.OnSignIn] with a [SignIn],
//     and [User.SetClaim].
//   - Configure providers: [GitHub], [Google], [Microsoft], [Apple], or a [Provider] of your
//     own. With several, the user chooses.
//   - Authenticate the client without a secret: [PrivateKeyJWT], [AssertionFile]. Bind tokens
//     to a key: [Provider.DPoP].
//   - Call APIs as the user: [Middleware.Client]; [Middleware.ClientFor] with a [Resource] of
//     its own; [Middleware.Challenge], when an API asks for more.
//   - Start and end logins in handlers: [Middleware.StartLogin], [Middleware.SignOut],
//     [Middleware.SignOutUser].
//   - Show your own pages: [Options.ErrorHandler] with an [Error], [Options.Chooser],
//     [Options.Texts].
//   - Keep sessions on the server: [Options.Store], [NewStore]. Run several instances:
//     [Options.Coordinator], [Middleware.Close].
//   - Let stolen cookies expire within minutes: [Options.BindDevices].
//   - Watch: [Options.OnEvent] with an [Event], [Options.Logger], and the module
//     oauthloginotel.
//   - Test an application: package oauthlogintest has browsers that are signed in, a provider,
//     and requests with a session.
//
// # What a request goes through
//
// A page that needs a session redirects to /login, with its own path as return_to; a script
// gets 401 and a URL to go to. /login redirects to the provider, and seals what the callback
// needs in a cookie of its own for each login. The provider redirects back to the callback,
// which redeems the code, verifies the ID token (or asks [Provider.Identify]), starts a new
// session and redirects to the return path. From then on each request opens the session and
// checks its limits. Behind RequireAuth, tokens that are due are refreshed. A new cookie is
// written before the handler runs.
//
// # Session lifetime
//
// A session ends when it is not used for [Options.IdleTimeout], and [Options.MaxLifetime] after
// its login. The server enforces both by times inside the sealed session. A session without a
// refresh token ends with its access token, unless [Options.SessionsOutliveTokens] is set. A
// session also ends when the provider refuses to refresh it: at once if the grant has ended,
// and otherwise with the access token.
//
// # Revoking sessions
//
// [Middleware.Logout] and [Middleware.SignOut] end a session and revoke its refresh token at
// the provider. [Middleware.SignOutUser], and a logout with everywhere=1 in its form, end all
// sessions of a user. A provider ends sessions through [Middleware.BackChannelLogout].
//
// With [Options.Coordinator] a session that has ended at one instance has ended at all of them.
// Without it, and without [Options.Store], the whole session is in cookies, and a copy of them
// stays valid until a limit ends it, except on the instance that saw the logout.
//
// With [Options.BindDevices], browsers that support Device Bound Session Credentials prove
// every ten minutes that they still have a key of the user's device. A copy of their cookies
// works for 13 minutes at most. See docs/device-bound-sessions.md.
//
// Front-channel logout is not supported: it needs session cookies in frames of other sites,
// which browsers do not send, and does not show who asks.
//
// # Key rotation
//
// Put the new key in front of [Options.Keys], and remove the old one after
// [Options.MaxLifetime]. With several instances, append the new key on all of them first, so
// that each can open what another one seals. Sessions that the old key sealed are resealed as
// they are used. To end all sessions at once, replace all keys.
//
// # Errors, events and logs
//
// Users see an error page with the reference of a log line, or what [Options.ErrorHandler]
// writes; scripts see JSON with the same [Error] code. docs/troubleshooting.md has each code
// and each log line, and docs/operations.md what to watch. No log line, error or page has a
// token, code, state, verifier, cookie or key.
//
// # Deployments
//
// Sealed values carry a version, and each release reads the version before its own: a rolling
// deployment signs no user out. Logins that are pending while an instance restarts can be
// completed afterwards. docs/compatibility.md says what a version number promises.
//
// # Caching
//
// A response that sets a cookie of the package is "no-store". A response to a request with a
// session is "private" with "Vary: Cookie". Responses to requests without a session are left
// alone. Requests for images, scripts and other files set no cookie, except behind RequireAuth
// once the access token has expired: mark nothing public there. A logout clears the browser's
// cache of the site.
//
// # Outages
//
// [New] performs no I/O. While a provider is down, sessions go on, and logins get 502 until it
// is back; metadata and keys that are known stay in use. If the provider has not refreshed a
// session for 24 hours after its access token expired, protected routes respond 503 until it
// does. While [Options.Store] fails, protected routes respond 503 with Retry-After, public
// routes run without a session, and no session is lost. While [Options.Coordinator] is
// unreachable, a session in cookies goes on as long as its access token lives, or for a minute
// if that has no expiry; then protected routes respond 503.
//
// # Replicas
//
// Instances need the same keys, and any of them serves any request. With [Options.Coordinator]
// they agree: a session is refreshed once, all instances know of the new tokens, and a session
// that has ended at one has ended at all of them. A request whose session the instance knows
// costs no round trip. Call [Middleware.Close] after the server's Shutdown.
//
// Without a Coordinator, tokens are refreshed by the instance that a request reaches. Requests
// that still carry the old cookie get the new tokens from that instance's memory (at most 32
// MiB; opened sessions take 64 MiB more). Other instances, and the same one after a restart,
// know of a refresh only what the browser's cookie or the store says.
//
// # Standards
//
// OAuth 2.0: RFC 6749, RFC 6750, RFC 7009 (revocation), RFC 7523 section 2.2 and RFC 10070
// (client assertions), RFC 7636 (PKCE), RFC 8252 section 7.3, RFC 8705 (mutual TLS for
// clients), RFC 8707 (resources), RFC 9126 (pushed requests), RFC 9207 (iss), RFC 9449 (DPoP),
// RFC 9470 (step-up) and RFC 9700 (best current practice); Form Post Response Mode; what the
// FAPI 2.0 Security Profile asks of a client, with [PrivateKeyJWT] and [Provider.DPoP].
//
// OpenID Connect: Core 1.0 (code flow), Discovery 1.0, RP-Initiated Logout 1.0 and Back-Channel
// Logout 1.0. docs/conformance.md lists requirements and tests.
package oauthlogin
