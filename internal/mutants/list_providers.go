package main

// providersMutants break what single providers need: responses by POST, Apple, Microsoft.
var providersMutants = []mutant{
	{
		name: "the first form is taken at once", file: "formpost.go",
		old: "case form.Has(postedHere):", new: "default:",
		tests: "TestFormPost|TestFormPostPage",
	},
	{
		name: "a page posts for ever", file: "formpost.go",
		old: "case form.Has(postedHere):", new: "case false:",
		tests: "TestFormPost|TestFormPostWithoutCookies",
	},
	{
		name: "every body is a form", file: "formpost.go",
		old: `case err != nil || mediaType != "application/x-www-form-urlencoded":`, new: `case err != nil && mediaType == "":`,
		tests: "TestFormPostRefused",
	},
	{
		name: "a form is read without a bound", file: "formpost.go",
		old: "io.ReadAll(http.MaxBytesReader(w, r.Body, maxPosted))", new: "io.ReadAll(r.Body)",
		tests: "TestFormPostRefused",
	},
	{
		name: "fields of a form may occur twice", file: "formpost.go",
		old: "case len(form[postedHere]) > 1:", new: "case false:",
		tests: "TestFormPostRefused",
	},
	{
		name: "every provider may post", file: "formpost.go",
		old: "if i < 0 || !ps[i].FormPost {", new: "if i < 0 {",
		tests: "TestCallbackTakesGetAlone|TestFormPostIsAnOption",
	},
	{
		name: "every field goes on", file: "formpost.go",
		old: "	for _, name := range postedFields {\n", new: "	for name := range form {\n",
		tests: "TestFormPostPage",
	},
	{
		name: "the page posts to any site", file: "internal/page/formpost.go",
		old: `policyFor("'self'")`, new: `policyFor("https:")`,
		packages: "./internal/page .", tests: "TestPostPage|TestFormPostPage",
	},
	{
		name: "the redirects after a form lead to the provider", file: "formpost.go",
		old: "	if m.cameFromForm(r) {\n", new: "	if m.cameFromForm(r) && false {\n",
		tests: "TestFormPostTookTooLong",
	},
	{
		name: "every provider may write true as a string", file: "internal/identity/login.go",
		old: `if s.config.Apple && user.Email != ""`, new: `if user.Email != ""`,
		tests: "TestEmailVerifiedAsAString",
	},
	{
		name: "the name of Apple's form goes before that of the ID token", file: "formpost.go",
		old: "	if rec.User.Name != \"\" {\n		return\n	}\n	name := apple", new: "	name := apple",
		tests: "TestAppleNames",
	},
	{
		name: "a refresh loses the name of Apple's form", file: "internal/identity/refresh.go",
		old: "cmp.Or(user.Name, rec.Extra.FormName)", new: `cmp.Or(user.Name, "")`,
		tests: "TestApple",
	},
	{
		name: "another user gets the name of the user before", file: "internal/record/record.go",
		old: " && rec.User.Subject == other.User.Subject", new: "",
		tests: "TestApple",
	},
	{
		name: "a name from Apple's form is not bounded", file: "internal/apple/apple.go",
		old: "len(name) <= maxName", new: "len(name) <= maxField",
		packages: "./internal/apple .", tests: "TestName|TestAppleFormIsHostile",
	},
	{
		name: "a name from Apple's form turns the direction of text", file: "internal/apple/apple.go",
		old: "unicode.In(r, unicode.Bidi_Control)", new: "r == 0",
		packages: "./internal/apple .", tests: "TestName|TestAppleFormIsHostile",
	},
	{
		name: "any form has a user", file: "formpost.go",
		old: "p.apple != nil && apple.Name(field) != \"\" {", new: "field != \"\" || apple.Name(field) != \"\" {",
		tests: "TestFormPostPage",
	},
	{
		name: "every tenant signs for every other", file: "internal/protocol/tenants.go",
		old: "return err == nil && c.Tenants.Signs(k.issuer, o.String(\"iss\"))", new: "return err == nil || o == nil",
		tests: "TestMicrosoftIDTokenRefused",
	},
	{
		name: "a key with a faulty issuer signs for all", file: "internal/protocol/keys.go",
		old: `if doc.Has("issuer") && k.issuer == "" {`, new: "if false {",
		tests: "TestMicrosoftIDTokenRefused",
	},
	{
		name: "tid is not compared with iss", file: "internal/entra/entra.go",
		old: "t.Has(issuer) && issuer == t.before+tid+version", new: "t.Has(issuer)",
		packages: "./internal/entra .", tests: "TestTenants|TestMicrosoftIDTokenRefused",
	},
	{
		name: "any word is a tenant's ID", file: "internal/entra/entra.go",
		old: "ok && suffixed && isGUID(id) &&", new: "ok && suffixed &&",
		packages: "./internal/entra .", tests: "TestTenants|TestMicrosoftIDTokenRefused",
	},
	{
		name: "organizations lets personal accounts in", file: "internal/entra/entra.go",
		old: `(t.except == "" || !strings.EqualFold(id, t.except))`, new: "true",
		packages: "./internal/entra .", tests: "TestTenants|TestMicrosoft",
	},
	{
		name: "a domain lets every tenant in", file: "internal/protocol/tenants.go",
		old: "(md == nil || issuer == md.Issuer || c.Tenants.IsTemplate(md.Issuer))", new: "(md == nil || md.Issuer != \"\")",
		tests: "TestMicrosoft",
	},
	{
		name: "tokens of version 1.0 are accepted", file: "internal/protocol/tenants.go",
		old: `return c.Tenants != nil && o.Has("ver") && o.String("ver") != "2.0"`, new: "return false",
		tests: "TestMicrosoftIDTokenRefused",
	},
	{
		name: "a user's issuer is the one that is configured", file: "internal/identity/login.go",
		old: `user.Issuer = signed.String("iss")`, new: "user.Issuer = s.config.Issuer",
		tests: "TestMicrosoft|TestMicrosoftUsersOfTwoTenants",
	},
	{
		name: "a refresh may bring another issuer", file: "internal/protocol/idtoken.go",
		old: `case fresh.String("iss") != before.String("iss"):`, new: "case false:",
		tests: "TestMicrosoftRefreshFromAnotherTenant",
	},
	{
		name: "a refresh may bring another issuer while keys are away", file: "internal/identity/refresh.go",
		old: "(sub != old.User.Subject || iss != old.User.Issuer)", new: `(sub != old.User.Subject || iss == "")`,
		tests: "TestMicrosoftRefreshFromAnotherTenant",
	},
	{
		name: "a response of another tenant is accepted", file: "internal/protocol/response.go",
		old: "c.Tenants.Has(resp.Issuer) && resp.Issuer != issuer {", new: `c.Tenants.Has(resp.Issuer) && issuer == "" {`,
		tests: "TestMicrosoftIss",
	},
	{
		name: "a code that Slack refuses is a fault of the provider", file: "internal/protocol/errors.go",
		old: `"invalid_code", "code_already_used", `, new: "",
		tests: "TestSlackErrors",
	},
	{
		name: "an ID token of a tenant needs no tid", file: "internal/protocol/tenants.go",
		old: `return c.Tenants == nil || c.Tenants.Issues(o.String("iss"), o.String("tid"))`, new: "return o != nil",
		tests: "TestMicrosoftIDTokenRefused",
	},
	{
		name: "a logout token is compared with metadata that are not there", file: "internal/protocol/logouttoken.go",
		old: `if !c.isIssuer(o.String("iss")) { // now`, new: "if false { // now",
		tests: "TestMicrosoftLogoutToken",
	},
}
