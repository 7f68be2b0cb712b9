// Package oauthlogintest is a small OpenID provider on loopback, for demos and
// tests.
//
// [Start] it, register the relying party as a [Client], and point the relying
// party at [Provider.Issuer]. An unstarted server has its address already:
//
//	app := httptest.NewUnstartedServer(nil)
//	base := "http://" + app.Listener.Addr().String()
//	provider := oauthlogintest.Start(oauthlogintest.Config{
//		Clients: []oauthlogintest.Client{{
//			ID:                     "app",
//			Secret:                 "secret",
//			RedirectURIs:           []string{base + "/auth/callback"},
//			PostLogoutRedirectURIs: []string{base + "/"},
//		}},
//	})
//	defer provider.Close()
//	provider.AutoApprove("alice")
//	app.Config.Handler = newApp(base, provider.Issuer()) // oauthlogin.New, Handler
//	app.Start()
//	defer app.Close()
//
//	jar, _ := cookiejar.New(nil)
//	browser := &http.Client{Jar: jar}
//	resp, err := browser.Get(base + "/dashboard") // signed in as alice
//
// A person signs in on the provider's page by picking a user; there is no
// password. A test calls [Provider.AutoApprove] and sees no page at all.
//
// The provider checks what it is sent as a strict provider would: redirect
// URIs are compared exactly, PKCE with S256 is required, parameters may not be
// repeated, a code is good for one exchange, refresh tokens rotate and a
// replayed one ends its whole family. It records every request
// ([Provider.Requests]), and it misbehaves when told to: [Provider.Intercept]
// takes over an endpoint, and the Map methods edit what the endpoints answer.
//
// It implements the authorization code grant of OAuth 2.0 (RFC 6749) with PKCE
// (RFC 7636) and issuer identification (RFC 9207), OpenID Connect Core 1.0,
// Discovery 1.0 and RP-Initiated Logout 1.0, and token revocation (RFC 7009).
//
// Anyone who reaches a Provider can sign in as anyone: never use one to
// protect something.
package oauthlogintest
