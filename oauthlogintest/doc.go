// Package oauthlogintest tests applications that sign users in with package
// oauthlogin. A test of a handler takes three lines:
//
//	site := runApp(t)
//	alice := site.SignIn("alice")
//	resp := alice.Navigate("/dashboard") // resp.Status, resp.Header, resp.Body, resp.URL
//
// where the tests of the application share one function:
//
//	func runApp(t *testing.T) *oauthlogintest.Site {
//		return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
//			return newApp(p.Registration(base), p.HTTPClient()) // for Options.Providers and Options.HTTPClient
//		})
//	}
//
// [Run] serves the application at https://app.test and an OpenID provider at
// https://provider.test, on a network that exists in the process only. Tests can run
// in parallel, and in a [testing/synctest] bubble, where a session of hours ends at
// once. [Site.SignIn] takes a [Browser] of its own through the login of the
// application; any user name will do. A session that has expired is seen as such:
// the next [Browser.Navigate] ends at the provider's sign-in page.
//
// [WithUser] gives a request a session, for handlers that are tested alone:
//
//	r = oauthlogintest.WithUser(t, auth, r, oauthlogin.User{Subject: "alice"})
//
// # The provider
//
// The [Provider] of a site, one that [Start] serves on a port of this machine, and
// one from [New] that a program serves itself are the same. Users sign in by picking
// a name on its page; there are no passwords. With [Provider.AutoApprove], the page
// is skipped. [Provider.SetUser] changes what it says about a user.
//
// It validates requests as a strict provider does: it compares redirect URIs
// exactly, requires PKCE with S256, rejects repeated parameters, accepts each code
// once, rotates refresh tokens and revokes the whole family when one is reused. It
// records every request ([Provider.Requests]). It can also misbehave on demand:
// [Provider.Intercept] replaces an endpoint, and the Edit methods change responses
// and ID tokens before they are sent.
//
// It can require what careful providers do, and then checks it: pushed authorization
// requests ([Config.RequirePAR]), private_key_jwt ([Client.PublicKey]), DPoP with nonces
// ([Config.RequireDPoP]), and responses by form_post ([Config.RequireFormPost]).
//
// It implements the authorization code grant of OAuth 2.0 (RFC 6749) with PKCE (RFC
// 7636), issuer identification (RFC 9207), tokens for one API each (RFC 8707, in the
// refresh grant), token revocation (RFC 7009), OpenID Connect Core 1.0, Discovery 1.0,
// RP-Initiated Logout 1.0 and Back-Channel Logout 1.0 ([Provider.LogOut]).
//
// Anyone who can reach a Provider can sign in as any user. Never use one to
// protect real data.
package oauthlogintest
