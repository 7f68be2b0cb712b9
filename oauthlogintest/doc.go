// Package oauthlogintest provides an OpenID provider for tests and demos of
// applications that sign users in.
//
// A test starts a [Provider], registers the application as a [Client] and
// points the application at [Provider.Issuer]:
//
//	app := httptest.NewUnstartedServer(nil)
//	base := "http://" + app.Listener.Addr().String()
//	client := oauthlogintest.Client{ID: "app", Secret: "secret", RedirectURIs: []string{base + "/auth/callback"}}
//	provider := oauthlogintest.Start(oauthlogintest.Config{Clients: []oauthlogintest.Client{client}})
//	t.Cleanup(provider.Close)
//	provider.AutoApprove("alice")
//	app.Config.Handler = newApp(base, provider.Issuer()) // the application under test
//	app.Start()
//	t.Cleanup(app.Close)
//	jar, _ := cookiejar.New(nil)
//	resp, err := (&http.Client{Jar: jar}).Get(base + "/dashboard") // signed in as alice
//
// Users sign in by picking a name on the provider's page; there are no
// passwords. With [Provider.AutoApprove], the page is skipped.
//
// The Provider validates requests as a strict provider does: it compares
// redirect URIs exactly, requires PKCE with S256, rejects repeated parameters,
// accepts each code once, rotates refresh tokens and revokes the whole family
// when one is reused. It records every request ([Provider.Requests]). It can
// also misbehave on demand: [Provider.Intercept] replaces an endpoint, and the
// Edit methods change responses and ID tokens before they are sent.
//
// The Provider implements the authorization code grant of OAuth 2.0 (RFC 6749)
// with PKCE (RFC 7636) and issuer identification (RFC 9207), token revocation
// (RFC 7009), OpenID Connect Core 1.0, Discovery 1.0 and RP-Initiated Logout
// 1.0.
//
// Anyone who can reach a Provider can sign in as any user. Never use one to
// protect real data.
package oauthlogintest
