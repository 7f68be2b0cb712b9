package main

// gateMutants let in, or lead on, whoever should be kept out.
var gateMutants = []mutant{
	{
		name: "the gate is open", file: "require_auth.go",
		old: "		case s == nil:\n			m.unauthenticated(w, r)\n			return\n", new: "		case s == nil:\n			next.ServeHTTP(w, r)\n			return\n",
		tests: "TestRequireAuthResponds|TestLogin",
	},
	{
		name: "a zero Middleware lets requests through", file: "require_auth.go",
		old: "		if m.serveOwn(w, r) || !m.admit(w, r) {\n", new: "		if !m.made() {\n			next.ServeHTTP(w, r)\n			return\n		}\n		if m.serveOwn(w, r) || !m.admit(w, r) {\n",
		tests: "TestUnmadeMiddlewareIsClosed",
	},
	{
		name: "scripts are redirected", file: "internal/browser/browser.go",
		old: `return mode == "navigate"`, new: "return true",
		packages: "./internal/browser .", tests: "TestIsNavigation|TestRequireAuthResponds",
	},
	{
		name: "other sites may log users out", file: "logout.go",
		old: "if err := m.origins.Check(r); err != nil {", new: "if err := m.origins.Check(r); false {",
		tests: "TestLogoutRefused",
	},
	{
		name: "other sites may send forms", file: "require_auth.go",
		old: "if m.serveOwn(w, r) || !m.admit(w, r) {", new: "if m.serveOwn(w, r) {",
		tests: "TestCrossOriginRequests",
	},
	{
		name: "the Host header is the application's origin", file: "internal/weburl/crossorigin.go",
		old: "public.Host = o.paths.PublicHost()", new: "",
		tests: "TestCrossOriginRequests|TestPublicOriginBehindAProxy",
	},
	{
		name: "the scheme of Origin does not matter", file: "internal/weburl/crossorigin.go",
		old: "== \"\" && origin != \"\" && origin != o.paths.Origin {", new: "== \"\" && false && origin != \"\" {",
		tests: "TestCrossOriginRequests",
	},
	{
		name: "trusted origins may log users out", file: "logout.go",
		old: "if err := m.origins.Check(r); err != nil {", new: "if err := m.origins.Check(r); err != nil && !m.origins.Trusts(r) {",
		tests: "TestCrossOriginOwnPaths",
	},
	{
		name: "a login that the application refuses begins a session", file: "signin.go",
		old: "	case refusal != nil:\n", new: "	case false:\n",
		tests: "TestOnSignInRefuses",
	},
	{
		name: "the application may change who signs in", file: "signin.go",
		old: "	fresh := *rec\n", new: "	fresh := *rec\n	fresh.User.Subject = in.User.Subject\n",
		tests: "TestOnSignInEnriches",
	},
	{
		name: "refreshes bring back claims that the application has set", file: "internal/identity/refresh.go",
		old: "if fresh.User, err = fresh.WithAppClaims(); err != nil {", new: "if _, err = fresh.WithAppClaims(); err != nil {",
		tests: "TestOnSignInEnriches",
	},
	{
		name: "refreshes verify another address of the application", file: "signin.go",
		old: `changed.Has("email") || changed.Has("email_verified") || `, new: "",
		tests: "TestSetClaimKeepsEmailAndVerificationTogether",
	},
	{
		name: "Policy.Allow is not asked", file: "policy.go",
		old: "case policy.Allow != nil:", new: "case false:",
		tests: "TestPolicyAllow",
	},
	{
		name: "a logout by GET", file: "logout.go",
		old: "if r.Method != http.MethodPost {", new: "if false {",
		tests: "TestLogoutRefused",
	},
	{
		name: "a claim that is missing is granted", file: "internal/record/facts.go",
		old: `			f.Lacks = "claim " + strconv.Quote(name)` + "\n", new: "",
		tests: "TestPolicyClaims",
	},
	{
		name: "a policy believes an unverified e-mail address", file: "internal/record/user.go",
		old: "if !u.EmailVerified || !slices.Contains(claimed, u.Email) {", new: "if !slices.Contains(claimed, u.Email) {",
		tests: "TestPolicyBelievesVerifiedEmailAlone",
	},
	{
		name: "handlers share the claims of cached sessions", file: "session.go",
		old: "bytes.Clone(s.shown.User.RawClaims)", new: "append(s.shown.User.RawClaims, bytes.Clone(nil)...)",
		tests: "TestHandlersCannotChangeCachedSessions",
	},
	{
		name: "a policy judges by claims from before a refresh", file: "internal/record/facts.go",
		old: "if first != nil && first.record != rec {", new: "if false {",
		packages: "./internal/record .", tests: "TestFactsAreOfOneRecord|TestPolicySeesLaterClaims|TestPolicyReadsUserInfo",
	},
	{
		name: "a policy judges by what another wants to know", file: "internal/record/facts.go",
		old: "if f.policy == policy {", new: "if true {",
		packages: "./internal/record .", tests: "TestFactsAtOnce|TestPolicySeesLaterClaims",
	},
	{
		name: "policies read the claims for each request", file: "internal/record/facts.go",
		old: "	rec.known.Store(f) // of two at once, one is read again\n", new: "",
		tests: "TestAllocations",
	},
	{
		name: "Policy.Allow gets a session without claims", file: "policy.go",
		old: "policy.Allow(r.Context(), s.handOut())", new: "policy.Allow(r.Context(), s)",
		tests: "TestClaimsAreOfTheRequest",
	},
	{
		name: "OnSignIn gets a previous session without claims", file: "signin.go",
		old: "		in.Previous.handOut()\n", new: "",
		tests: "TestClaimsAreOfTheRequest",
	},
	{
		name: "the token follows redirects to other hosts", file: "internal/roundtrip/roundtrip.go",
		old: "		if weburl.Origin(r.URL) != origin {\n			return false\n		}\n", new: "		if weburl.Origin(r.URL) != origin {\n			return true\n		}\n",
		packages: "./internal/roundtrip .", tests: "TestSameOriginAsAsked|TestClientSendsTokenToTheHostAsked",
	},
	{
		name: "a policy loosens the provider's max_age", file: "policy.go",
		old: "maxAge = min(maxAge, own)", new: "_ = own",
		tests: "TestStepUpRequestsTheStricterAge",
	},
	{
		name: "a step-up is of any provider", file: "internal/flow/stepup.go",
		old: "EncodeToString(provider[:])", new: "EncodeToString(provider[:0])",
		tests: "TestStepUpURLIsOfOneProviderAndADay",
	},
	{
		name: "a step-up is good for a year", file: "internal/flow/stepup.go",
		old: "time.Since(at) > stepUpAge {", new: "time.Since(at) > 365*stepUpAge {",
		tests: "TestStepUpURLIsOfOneProviderAndADay",
	},
}
