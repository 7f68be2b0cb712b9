package main

// backChannelMutants let strangers end sessions, or keep providers from ending them.
var backChannelMutants = []mutant{
	{
		name: "a logout token needs no signature", file: "internal/protocol/logouttoken.go",
		old: "	if _, err := c.verifySignature(ctx, t, logoutTokens); err != nil {", new: "	if _, err := c.verifySignature(ctx, t, logoutTokens); err != nil && KeysUnavailable(err) {",
		packages: "./internal/protocol .", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens",
	},
	{
		name: "a logout token may be another issuer's or client's, or have expired", file: "internal/protocol/logouttoken.go",
		old: "	if err := c.checkIssued(\"logout token\", o, now); err != nil {", new: "	if err := c.checkIssued(\"logout token\", o, now); err != nil && false {",
		packages: "./internal/protocol .", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens",
	},
	{
		name: "a logout token may be old", file: "internal/protocol/logouttoken.go",
		old: "case now.Sub(iat) > maxLogoutTokenAge+claims.ClockLeeway:", new: "case false:",
		packages: "./internal/protocol .", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens",
	},
	{
		name: "a logout token may be valid for ever", file: "internal/protocol/logouttoken.go",
		old: "case exp.Sub(iat) > maxLogoutTokenLifetime:", new: "case exp.Sub(iat) > 1<<62:",
		packages: "./internal/protocol .", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens",
	},
	{
		name: "a logout token needs no event", file: "internal/protocol/logouttoken.go",
		old: "		_, err = claims.Parse(events[logoutEvent])\n	}\n", new: "		_, err = claims.Parse(events[logoutEvent])\n	}\n	err = nil\n",
		packages: "./internal/protocol . ./internal/adversarial", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens|FuzzLogoutToken",
	},
	{
		name: "a logout token may have a nonce", file: "internal/protocol/logouttoken.go",
		old: "	case hasNonce:\n", new: "	case hasNonce && false:\n",
		packages: "./internal/protocol . ./internal/adversarial", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens|FuzzLogoutToken",
	},
	{
		name: "a logout token needs no jti", file: "internal/protocol/logouttoken.go",
		old: `case o.String("jti") == "":`, new: "case false:",
		packages: "./internal/protocol . ./internal/adversarial", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens|FuzzLogoutToken",
	},
	{
		name: "a logout token names no one", file: "internal/protocol/logouttoken.go",
		old: "case !hasSub && !hasSID:", new: "case false:",
		packages: "./internal/protocol .", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens",
	},
	{
		name: "a logout token is of any type", file: "internal/protocol/logouttoken.go",
		old: `parseJWT(raw, "logout+jwt", "jwt", "")`, new: `parseJWT(raw, "logout+jwt", "jwt", "", "at+jwt")`,
		packages: "./internal/protocol .", tests: "TestLogoutTokens|TestBackChannelLogoutRefusesTokens",
	},
	{
		name: "an ID token may be a logout token", file: "internal/protocol/idtoken.go",
		old: `parseJWT(raw, "", "jwt")`, new: `parseJWT(raw, "", "jwt", "logout+jwt")`,
		packages: "./internal/protocol", tests: "TestLogoutTokens|TestHeaders",
	},
	{
		name: "keys are read for every logout token", file: "internal/protocol/document.go",
		old: "	return !time.Now().Before(d.askAgain[from])\n", new: "	return from == logoutTokens || !time.Now().Before(d.askAgain[from])\n",
		packages: "./internal/protocol", tests: "TestLogoutTokensOfStrangers",
	},
	{
		name: "logout tokens take the turn of ID tokens", file: "internal/protocol/document.go",
		old: "d.askAgain[from] = now.Add(askPause)", new: "d.askAgain[idTokens], d.askAgain[from] = now.Add(askPause), now.Add(askPause)",
		packages: "./internal/protocol", tests: "TestLogoutTokensOfStrangers",
	},
	{
		name: "logout tokens ask for keys that cannot be read", file: "internal/protocol/document.go",
		old: "	if time.Now().Before(d.failed.Add(discoveryCooldown)) {", new: "	if time.Now().Before(d.failed) {",
		packages: "./internal/protocol .", tests: "TestLogoutTokensOfStrangers|TestBackChannelLogoutWithoutKeys",
	},
	{
		name: "keys are read before the claims of a logout token", file: "internal/protocol/logouttoken.go",
		old:      "	o, err := claims.Parse(t.jws.UnsafePayloadWithoutVerification())\n",
		new:      "	c.keys.get(ctx)\n	o, err := claims.Parse(t.jws.UnsafePayloadWithoutVerification())\n",
		packages: "./internal/protocol", tests: "TestLogoutTokensOfStrangers",
	},
	{
		name: "a logout token that cannot be verified now is bad", file: "backchannel.go",
		old: "	case protocol.KeysUnavailable(err):\n", new: "	case protocol.KeysUnavailable(err) && false:\n",
		tests: "TestBackChannelLogoutWithoutKeys",
	},
	{
		name: "a logout token comes again", file: "backchannel.go",
		old: `case used != nil || m.logoutTokens.accepted.Value(id) != "":`, new: `case used != nil || m.logoutTokens.accepted.Value(id) == "?":`,
		packages: ". ./internal/adversarial", tests: "TestBackChannelLogout|TestBackChannelLogoutAtOnce|FuzzLogoutToken",
	},
	{
		name: "jti is not told apart by client", file: "backchannel.go",
		old: "id := string(p.Tag[:]) + token.ID", new: "id := token.Issuer + token.ID",
		tests: "TestBackChannelLogoutAtSeveralProviders",
	},
	{
		name: "sub goes before sid in logout tokens", file: "backchannel.go",
		old: `if token.SessionID != "" {`, new: `if token.SessionID != "" && token.Subject == "" {`,
		packages: ". ./internal/adversarial", tests: "TestBackChannelLogout|FuzzLogoutToken",
	},
	{
		name: "any provider verifies a logout token", file: "backchannel.go",
		old: "		case audience:\n			return candidate, nil\n", new: "		case audience && false:\n			return candidate, nil\n",
		tests: "TestBackChannelLogoutAtSeveralProviders",
	},
	{
		name: "responses to logout tokens are cached", file: "backchannel.go",
		old: "	page.NoStore(w) // section 2.8\n", new: "",
		packages: ". ./internal/adversarial", tests: "TestBackChannelLogout|TestBackChannelLogoutRefusesTokens|FuzzLogoutToken",
	},
	{
		name: "logout tokens come by GET", file: "backchannel.go",
		old: "if r.Method != http.MethodPost {", new: "if r.Method == http.MethodPut {",
		tests: "TestBackChannelLogoutRefusesRequests",
	},
	{
		name: "logout tokens are in the query", file: "backchannel.go",
		old: "	body.URL = &url.URL{} // whose query counts for nothing\n", new: "	body.URL = &url.URL{RawQuery: r.URL.RawQuery}\n",
		tests: "TestBackChannelLogoutRefusesRequests",
	},
	{
		name: "the body of a logout token has no bound", file: "backchannel.go",
		old: "http.MaxBytesReader(w, r.Body, maxLogoutBody)", new: "http.MaxBytesReader(w, r.Body, 1<<30)",
		tests: "TestBackChannelLogoutRefusesRequests",
	},
	{
		name: "a second logout token is ignored", file: "backchannel.go",
		old: `len(tokens) == 1 && tokens[0] != ""`, new: `len(tokens) > 0 && tokens[0] != ""`,
		tests: "TestBackChannelLogoutRefusesRequests",
	},
	{
		name: "a login leads to the path of logout tokens", file: "internal/weburl/paths.go",
		old: " || leadsTo(p.BackChannel)", new: "",
		tests: "TestBackChannelLogoutPath",
	},
	{
		name: "sessions have no sid", file: "callback.go",
		old: `rec.Extra.SID = signed.String("sid")`, new: `rec.Extra.SID = signed.String("no sid")`,
		tests: "TestBackChannelLogout|TestBackChannelLogoutBySIDOfTheLogin",
	},
	{
		name: "sessions have no mark of their sid", file: "internal/record/record.go",
		old: "		rec.Extra.SIDMark = markOf(owner, at)\n", new: "		markOf(owner, at)\n",
		tests: "TestBackChannelLogoutOfASIDThatComesAgain|TestBackChannelLogoutDuringLogin",
	},
	{
		name: "sid and sub are one name", file: "internal/memory/owners.go",
		old: "text := append(short[:0], byte(kind))", new: "text := short[:0]",
		packages: "./internal/memory", tests: "TestOwnerOf",
	},
	{
		name: "a login under way outlives the logout at the provider", file: "internal/memory/owners.go",
		old: "if made > uint64(at) {", new: "if made > uint64(at) && false {",
		packages: "./internal/memory .", tests: "TestMarkOfALoginUnderWay|TestBackChannelLogoutDuringLogin",
	},
	{
		name: "a login under way outlives a logout that another instance was told of", file: "internal/memory/owners.go",
		old: "made = latest.heard", new: "made = 0",
		packages: ".", tests: "TestCoordinatorBackChannelLogoutDuringLogin",
	},
	{
		name: "the moment of a login comes after its tokens", file: "callback.go",
		old: "	rec.MarkAt(moment, m.sessions.Grants.MarkOf)\n", new: "	moment = m.sessions.Grants.Moment()\n	rec.MarkAt(moment, m.sessions.Grants.MarkOf)\n",
		tests: "TestBackChannelLogoutDuringLogin",
	},
}
