package apptest

import "regexp"

// Documented are the places where a secret belongs, and whose decision that is.
var Documented = []struct{ Where, Secrets, Why string }{
	{`^GET \S+: Set-Cookie$`, `^cookie$`, "what is sealed is for the browser to keep"},
	{`^GET \S+: Location to https://\S+/authorize$`, `^(state|nonce|code_challenge)$`, "RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1, RFC 7636 section 4.3"},
	{`^request for \S+/authorize: URL$`, `^(state|nonce|code_challenge)$`, "the same, by the browser"},
	{`^POST /logout: Location to https://provider\.test/end_session$`, `^(id_token|payload of a JWT|nonce|e-mail address|state)$`, "OpenID Connect RP-Initiated Logout section 2, and what the ID token has in it"},
	{`^request for https://provider\.test/end_session: URL$`, `^(id_token|payload of a JWT|nonce|e-mail address|state)$`, "the same, by the browser"},
	{`^GET /recent: body$`, `^step_up$`, "a script gets the URL that the user has to go to"},
	{`^GET /admin: body$`, `^step_up$`, "the user can sign in with another account"},
	{`^(error forbidden|print of oauthlogin\.Error\b.*)$`, `^step_up$`, "the same, for the page of Options.ErrorHandler"},
	{`^request for \S+token: body$`, `^(code|code_verifier|refresh_token|client_secret)$`, "RFC 6749 sections 2.3.1, 4.1.3 and 6, RFC 7636 section 4.5"},
	{`^request for \S+/revoke: body$`, `^refresh_token$`, "RFC 7009 section 2.1"},
	{`^request for \S+/(token|revoke): Authorization$`, `^client_secret$`, "RFC 6749 section 2.3.1"},
	{`^request for \S+(/userinfo|/api/v3/user|/api/v3/user/emails|//api\.test/\S*): Authorization$`, `^(access_token|payload of a JWT)$`, "RFC 6750 section 2.1"},
	{`^sealed value$`, `^cookie$`, "it is taken apart to see what is in it"},
	{`^print of \S*(User|Session)\b`, `^(e-mail address|nonce)$`, "a User is what the provider says about the user, with RawClaims"},
	{`^print of oauthlogin\.Options by value in an unexported field$`, `^key$`, "fmt calls no method of a value that it finds there"},
}

var documentedPatterns = func() (patterns [][2]*regexp.Regexp) {
	for _, d := range Documented {
		patterns = append(patterns, [2]*regexp.Regexp{regexp.MustCompile(d.Where), regexp.MustCompile(d.Secrets)})
	}
	return patterns
}()
