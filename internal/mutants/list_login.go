package main

// loginMutants break the way to the provider and back.
var loginMutants = []mutant{
	{
		name: "state need not be this browser's", file: "callback.go",
		old:   "	f := m.flows.Find(r, name, response.State)\n",
		new:   "	f := m.flows.Find(r, name, response.State)\n	if f == nil {\n		f = &flow.Flow{Provider: m.providers[0].Tag, State: response.State, Verifier: protocol.RandomToken(), Want: protocol.Authentication{Nonce: protocol.RandomToken(), MaxAge: -1}, Started: time.Now(), ReturnPath: \"/\"}\n	}\n",
		tests: "TestCallbackRefuses|TestNoCookiesNoLoop",
	},
	{
		name: "a flow is good twice", file: "callback.go",
		old: "case !m.flows.Finish(r.Context(), f):", new: "case m.flows.Finish(r.Context(), f) && false:",
		tests: "TestCallbackAgain",
	},
	{
		name: "a flow never expires", file: "callback.go",
		old: "case f.Expired(time.Now()):", new: "case false:",
		tests: "TestFlowExpires",
	},
	{
		name: "PKCE is plain", file: "internal/protocol/authorize.go",
		old: `"code_challenge", oauth2.S256ChallengeFromVerifier(r.Verifier),`, new: `"code_challenge", oauth2.S256ChallengeFromVerifier(r.Verifier)[:0] + r.Verifier,`,
		packages: "./internal/protocol .", tests: "TestAuthorizationRequest",
	},
	{
		name: "no PKCE", file: "internal/protocol/token.go",
		old: "		\"code_verifier\", verifier,\n", new: "",
		packages: "./internal/protocol .", tests: "TestTokenRequests|TestLogin",
	},
	{
		name: "iss of the response is not compared", file: "internal/protocol/response.go",
		old: "case subtle.ConstantTimeCompare([]byte(resp.Issuer), []byte(c.Issuer)) != 1:", new: "case subtle.ConstantTimeCompare(nil, nil) != 1:",
		packages: "./internal/protocol .", tests: "TestCheckIssuer|TestCallbackRefuses",
	},
	{
		name: "iss of the response may be missing", file: "internal/protocol/response.go",
		old: "	case !resp.HasIssuer && !md.IssInResponse:\n", new: "	case !resp.HasIssuer && md != nil:\n",
		packages: "./internal/protocol .", tests: "TestCheckIssuer|TestCallbackRefuses",
	},
	{
		name: "another provider's redirect URI will do", file: "callback.go",
		old: "if path != p.callbackPath && len(m.providers) > 1 {", new: "if false {",
		packages: "./internal/adversarial", tests: "TestMixUp",
	},
	{
		name: "parameters may repeat", file: "internal/protocol/response.go",
		old: "case len(values) > 1:", new: "case false:",
		packages: "./internal/protocol .", tests: "TestParseResponse|TestCallbackRefuses",
	},
	{
		name: "HEAD redeems the code", file: "callback.go",
		old: "	case r.Method == http.MethodGet, r.Method == http.MethodPost && takesForm:\n", new: "	case r.Method == http.MethodGet, r.Method == http.MethodHead:\n",
		tests: "TestCallbackTakesGetAlone",
	},
	{
		name: "a script redeems the code", file: "callback.go",
		old: "if !browser.MayBeResponse(r) {", new: "if !browser.MayBeResponse(r) && false {",
		tests: "TestCallbackIsANavigation",
	},
	{
		name: "a link of another site chooses the provider", file: "login.go",
		old: "if len(m.providers) > 1 && browser.IsFromElsewhere(r) {", new: "if len(m.providers) > 1 && browser.IsFromElsewhere(r) && false {",
		tests: "TestLinkOfAnotherSiteChoosesNoProvider",
	},
	{
		name: "logins are kept until they come back", file: "login.go",
		old: "	m.leave(w, r, location)\n", new: "	kept := make([]byte, 1<<14)\n	go func() { <-make(chan int); _ = kept[0] }()\n	m.leave(w, r, location)\n",
		packages: "./internal/adversarial", tests: "TestLoginKeepsNothing",
	},
	{
		name: "// is a return path", file: "internal/weburl/returnpath.go",
		old: ` || strings.HasPrefix(p, "//")`, new: "",
		packages: "./internal/weburl", tests: "TestReturnPath",
	},
	{
		name: "a backslash is fine in a return path", file: "internal/weburl/returnpath.go",
		old: ` || p[i] == '\\' {`, new: " {",
		packages: "./internal/weburl", tests: "TestReturnPath",
	},
	{
		name: "a return path may be the login path", file: "internal/weburl/paths.go",
		old: "ok = err == nil && !p.isOwn(u.Path)", new: "_ = u\n		ok = err == nil",
		packages: "./internal/weburl .", tests: "TestOwnPathsAreNoReturnPaths|TestReturnPathGuardsConfiguredPaths",
	},
	{
		name: "a login takes its return path unchecked", file: "login.go",
		old: "	opts.ReturnTo = m.returns.returnPath(r, opts.ReturnTo)\n", new: "	m.returns.returnPath(r, opts.ReturnTo)\n",
		tests: "TestReturnPathOfEachEntryPoint",
	},
	{
		name: "silent login signs a user in again after the logout", file: "silent.go",
		old: "return cookie.Value == silentOff || err == nil", new: "return err == nil",
		tests: "TestSilentLoginStaysOffAfterLogout",
	},
	{
		name: "a silent login replaces the session of another one", file: "silent.go",
		old: "return rec != nil || err != nil\n", new: "return rec != nil && err != nil\n",
		tests: "TestSilentLeavesTheSessionOfALogin",
	},
	{
		name: "SilentLogin goes on with a grant that has ended", file: "silent.go",
		old: "			case ended:\n", new: "			case ended && w == nil:\n",
		tests: "TestSilentLoginRefreshes",
	},
	{
		name: "a panic of OnSignIn in a silent login is not an error", file: "failedlogin.go",
		old: "|| failed.Status == http.StatusInternalServerError", new: "|| failed.Status == 0",
		tests: "TestOnSignInFailsSilently",
	},
	{
		name: "a login that starts anew forgets its parameters", file: "internal/flow/flow.go",
		old: "if kind != Silent && len(want.Params.Encode()) <= maxParams {", new: "if false {",
		tests: "TestLateLoginKeepsItsParameters|TestLateLoginWithAnotherAccount",
	},
	{
		name: "a flow keeps parameters of any length", file: "internal/flow/flow.go",
		old: "len(want.Params.Encode()) <= maxParams {", new: "len(want.Params.Encode()) <= 100*maxParams {",
		tests: "TestLateLoginKeepsItsParameters",
	},
	{
		name: "a login that is refused leaves its refresh token", file: "callback.go",
		old: "m.revokeUnused(r, p, granted)", new: "m.revokeUnused(r, p, nil)",
		tests: "TestRefusedLoginIsRevoked",
	},
	{
		name: "a login that is refused revokes the grant of a session", file: "failedlogin.go",
		old: "m.sessions.OfSameUser(r, rec); err != nil || old != nil {", new: "m.sessions.OfSameUser(r, rec); err != nil {\n		_ = old",
		tests: "TestRefusedLoginIsRevoked",
	},
	{
		name: "an Error of OnSignIn traps the user", file: "signin.go",
		old: "		case own.RetryURL != \"\":\n", new: "		case true:\n",
		tests: "TestOnSignInRefuses",
	},
	{
		name: "an Error of OnSignIn cannot name its link", file: "signin.go",
		old: "own.Title, own.Text, own.RetryLabel", new: "own.Title, own.Text, \"\"",
		tests: "TestOnSignInChoosesWords",
	},
	{
		name: "the log does not say who was refused", file: "signin.go",
		old: "refused: true, subject: subject}", new: "refused: true}",
		tests: "TestOnSignInRefuses",
	},
	{
		name: "a port is taken for another host", file: "internal/hints/hints.go",
		old: "(&url.URL{Host: host}).Hostname()", new: "(&url.URL{Host: host}).Host",
		packages: "./internal/hints", tests: "TestLoginUnderAnotherOriginIsNamed",
	},
}
