package main

// deviceMutants break the binding of sessions to devices.
var deviceMutants = []mutant{
	{
		name: "a proof of any typ counts", file: "internal/device/proof.go",
		old: `err != nil || header.String("typ") != proofType`, new: "err != nil",
		packages: "./internal/device .", tests: "TestWrongProofs|TestRefusedProofs",
	},
	{
		name: "a proof brings the key of a renewal along", file: "internal/device/device.go",
		old: "	if jwt.hasKey {\n		return errForeignKey\n	}\n", new: "	if key, err := jwt.embeddedKey(); err == nil {\n		b.Key = key\n	}\n",
		packages: "./internal/device .", tests: "TestWrongProofs|TestRefusedProofs",
	},
	{
		name: "a renewal may have its own key in the header", file: "internal/device/device.go",
		old: "	if jwt.hasKey {\n		return errForeignKey\n	}\n", new: "",
		packages: "./internal/device .", tests: "TestWrongProofs|TestRefusedProofs",
	},
	{
		name: "the signature of a proof is not verified", file: "internal/device/proof.go",
		old: "	payload, err := p.jws.Verify(key.public)\n	if err != nil {", new: "	payload, err := p.jws.UnsafePayloadWithoutVerification(), error(nil)\n	if err != nil {",
		packages: "./internal/device .", tests: "TestWrongProofs|TestRefusedProofs",
	},
	{
		name: "a registration challenge lives for ever", file: "internal/device/device.go",
		old: "return b, checkAge(issued, now, maxRegistrationAge)", new: "return b, checkAge(issued, now, 1<<62)",
		packages: "./internal/device .", tests: "TestChallengesEnd|TestRefusedRegistrations",
	},
	{
		name: "a renewal challenge lives for ever", file: "internal/device/device.go",
		old: "return checkAge(issued, now, maxRenewalAge)", new: "return checkAge(issued, now, 1<<62)",
		packages: "./internal/device .", tests: "TestChallengesEnd|TestRefusedProofs",
	},
	{
		name: "a challenge may be from the future", file: "internal/device/device.go",
		old: " || age < -maxClockSkew {\n		return ErrStale", new: " {\n		return ErrStale",
		packages: "./internal/device", tests: "TestChallengesEnd",
	},
	{
		name: "a renewal signs the challenge of another session", file: "internal/device/device.go",
		old: "!equal(id, b.ID[:])", new: "len(id) == 0",
		packages: "./internal/device .", tests: "TestWrongProofs|TestRefusedProofs",
	},
	{
		name: "a renewal signs the challenge of another key", file: "internal/device/device.go",
		old: "!equal(key, b.Key.Thumbprint[:])", new: "len(key) == 0",
		packages: "./internal/device", tests: "TestWrongProofs",
	},
	{
		name: "weak RSA keys are registered", file: "internal/device/proof.go",
		old: "bits < minRSABits || ", new: "",
		packages: "./internal/device", tests: "TestKeysThatAreOffered",
	},
	{
		name: "huge RSA keys are registered", file: "internal/device/proof.go",
		old: " || bits > maxRSABits", new: "",
		packages: "./internal/device", tests: "TestKeysThatAreOffered",
	},
	{
		name: "long identifiers are read", file: "internal/device/header.go",
		old: "item(h[IdentifierField], maxIdentifier)", new: "item(h[IdentifierField], 1<<20)",
		packages: "./internal/device .", tests: "TestParseRequest|TestDeviceCallers",
	},
	{
		name: "large headers are read by the device endpoint", file: "internal/device/header.go",
		old: "	if size > maxHeader {", new: "	if size > 1<<30 {",
		packages: "./internal/device .", tests: "TestParseRequest|TestDeviceCallers",
	},
	{
		name: "pages of other origins register and renew", file: "device.go",
		old: "return m.origins.CheckOwn(r) })", new: "return nil })",
		tests: "TestDeviceCallers",
	},
	{
		name: "Origin does not matter if Sec-Fetch-Site is there", file: "internal/weburl/crossorigin.go",
		old: `err == nil && origin != "" && origin != o.paths.Origin`, new: `false && err == nil && origin != ""`,
		tests: "TestDeviceCallers",
	},
	{
		name: "a session that has ended is renewed", file: "internal/active/sessions.go",
		old: "err != nil || ended || s.Over(rec, now) || s.Grants.IsReplaced(r.Context(), rec)", new: "err != nil || ended && false",
		tests: "TestEndedSessionsAreNotRenewed|TestSessionsThatEndedElsewhereAreNotRenewed",
	},
	{
		name: "a session of an earlier login is renewed beside a newer one", file: "internal/active/sessions.go",
		old: "	case o.record.ID != rec.ID: // this browser has signed in again\n		return nil, true, nil\n", new: "",
		tests: "TestSignInAgain",
	},
	{
		name: "a session that the store has lost is renewed", file: "internal/active/sessions.go",
		old: "return nil, !inCookies && ", new: "return nil, false && !inCookies && ",
		tests: "TestRenewalsAskTheStore",
	},
	{
		name: "a second registration replaces the key", file: "internal/binding/serve.go",
		old: "	case isKnown && known.Key != binding.Key.Thumbprint,\n		shown", new: "	case isKnown && false,\n		shown",
		tests: "TestLostAndDoubleRegistrations",
	},
	{
		name: "two keys are registered at one time", file: "internal/binding/serve.go",
		old: "!c.registered.Add(id, key) && c.registered.Value(id) != key", new: "c.registered.Add(id, key) && c.registered.Value(id) != key",
		tests: "TestLostAndDoubleRegistrations|TestRefusedRegistrations",
	},
	{
		name: "a bound cookie counts for ever", file: "internal/binding/binding.go",
		old: "memory.ID(cookie.Session) == sealed.ID && now.Before(cookie.End)", new: "memory.ID(cookie.Session) == sealed.ID",
		tests: "TestCopiedCookies",
	},
	{
		name: "a bound cookie that was seen counts for ever", file: "internal/binding/binding.go",
		old: "			if now.Before(last.End) {\n				return &last.Cookie\n			}\n			continue", new: "			return &last.Cookie",
		tests: "TestCopiedCookies",
	},
	{
		name: "a bound cookie counts for any session", file: "internal/binding/binding.go",
		old: "memory.ID(cookie.Session) == sealed.ID && ", new: "",
		tests: "TestBoundCookieOfAnotherSession",
	},
	{
		name: "a bound cookie of any key counts", file: "internal/binding/binding.go",
		old: "cookie == nil || bound.Key != cookie.Key", new: "cookie == nil",
		tests: "TestBoundCookieOfAnotherKey",
	},
	{
		name: "a bound session needs no bound cookie", file: "internal/binding/binding.go",
		old: "age >= grace || ", new: "",
		tests: "TestCopiedCookies|TestRequestsUnderWayAtTheBinding",
	},
	{
		name: "bindings are not remembered", file: "internal/binding/binding.go",
		old: "	bound, ok = b.known.Of(rec.ID)\n", new: "",
		tests: "TestCookiesFromBeforeTheBinding",
	},
	{
		name: "every refused proof is reported", file: "internal/binding/serve.go",
		old: "!c.reported.Add(\"refused\"+string(rec.ID[:]), \"\")", new: "c.reported.Add(\"refused\"+string(rec.ID[:]), \"\") && false",
		tests: "TestRefusedProofsAreReportedOnceAMinute",
	},
	{
		name: "a binding that is in the store already is overwritten", file: "internal/active/sessions.go",
		old: "if kept != \"\" {", new: "if false {",
		tests: "TestBindingOutlivesRefreshesElsewhereInAStore",
	},
	{
		name: "a session of an earlier login is renewed at another instance", file: "callback.go",
		old: "case sameUser && m.bindings != nil:", new: "case sameUser && false:",
		tests: "TestEarlierLoginIsNotRenewedElsewhere",
	},
	{
		name: "a copy of the cookies deletes a bound session from the store", file: "internal/active/sessions.go",
		old: "rec != nil && (by == nil || !rec.IsOf(by))", new: "rec != nil && false",
		tests: "TestLogoutOfCopiedCookies",
	},
	{
		name: "no session is renewed while the Coordinator is away", file: "internal/active/sessions.go",
		old: "failed == nil && o.record != nil && o.record.ID == rec.ID", new: "failed != nil && o.record != nil",
		tests: "TestBoundSessionsOutliveAnOutage",
	},
	{
		name: "a record that was read before an earlier binding keeps its key", file: "internal/binding/binding.go",
		old: "if sealed && !b.known.Disputed() {", new: "if sealed {",
		tests: "TestFirstBindingCountsEverywhere",
	},
	{
		name: "the key that is seen first counts", file: "internal/memory/bindings.go",
		old: "case isEarlier:", new: "case isEarlier && false:",
		tests: "TestFirstBindingCountsEverywhere",
	},
	{
		name: "a record of a refresh hides the binding", file: "internal/binding/binding.go",
		old: "if !isBound && len(sealed.Extra.DeviceKey) > 0 {", new: "if false {",
		packages: "./internal/binding", tests: "TestBindingOfAForgottenSession",
	},
	{
		name: "a refresh undoes the binding", file: "internal/binding/binding.go",
		old: "	if !ok || bytes.Equal(rec.Extra.DeviceKey, bound.Key[:]) {\n		return rec\n", new: "	if !ok || len(rec.Extra.DeviceKey) >= 0 {\n		return rec\n",
		tests: "TestTokensRefreshedDuringTheBinding|TestBindingOutlivesRefreshesElsewhere",
	},
	{
		name: "a logout with copied cookies shows the ID token", file: "internal/active/sessions.go",
		old: "		unproven.Tokens.ID = seal.Token{}\n", new: "",
		tests: "TestLogoutOfCopiedCookies",
	},
	{
		name: "a policy does not ask for a bound session", file: "policy.go",
		old: "case policy.Bound && !s.Bound() && verdict != forbidden:", new: "case false:",
		tests: "TestPolicyBound",
	},
	{
		name: "a refused login revokes the grant of a bound session", file: "internal/active/sessions.go",
		old: "	if err == nil && rec == nil {\n		rec = s.Unproven(r)\n	}\n", new: "",
		tests: "TestRefusedLoginBesideBoundSession",
	},
	{
		name: "a browser that cannot renew while the Coordinator is away is signed out", file: "internal/active/sessions.go",
		old: "s.Grants.WasAway(now) && device.RenewalFailed(r.Header)", new: "device.RenewalFailed(r.Header) && now.IsZero()",
		tests: "TestBoundRequestsWithoutTheCoordinator",
	},
	{
		name: "a copy of the cookies says that it cannot renew", file: "internal/active/sessions.go",
		old: "if s.Grants.WasAway(now) && device", new: "if device",
		tests: "TestBoundRequestsWithoutTheCoordinator",
	},
}
