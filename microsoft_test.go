package oauthlogin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

func issuerOf(tenant string) string { return apptest.MicrosoftCloud + tenant + "/v2.0" }

// The issuer of a user is the tenant's, whichever way the application names tenants, and
// stays so in the session.
func TestMicrosoft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tenant, published string
		tenants           []string // that sign in
		others            []string
	}{
		{"common", apptest.MicrosoftTemplate, []string{apptest.Contoso, apptest.Fabrikam, apptest.Consumers}, nil},
		{"organizations", apptest.MicrosoftTemplate, []string{apptest.Contoso, apptest.Fabrikam}, []string{apptest.Consumers}},
		{"consumers", issuerOf(apptest.Consumers), []string{apptest.Consumers}, []string{apptest.Contoso}},
		{apptest.Contoso, issuerOf(apptest.Contoso), []string{apptest.Contoso}, []string{apptest.Fabrikam, apptest.Consumers}},
		{"contoso.example", issuerOf(apptest.Contoso), []string{apptest.Contoso}, []string{apptest.Fabrikam, apptest.Consumers}},
	} {
		t.Run(tt.tenant, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, m := apptest.NewMicrosoft(t, tt.tenant, tt.published, nil)
				for _, tenant := range tt.tenants {
					m.Tenant(tenant)
					b := a.Browser(t)
					is := func(when string) {
						t.Helper()
						user := apptest.UserOf(t, b.Follow("/dashboard"))
						if user.Provider != "microsoft" || user.Issuer != issuerOf(tenant) || user.Subject != "alice" || user.EmailVerified {
							t.Errorf("%s, %s: %+v", tenant, when, user)
						}
					}
					is("signed in")
					time.Sleep(time.Hour)
					is("after a refresh")
					time.Sleep(time.Hour)
					a.Restart(t)
					is("after a restart and a refresh")
				}
				query := a.Provider.Requests(oauthlogintest.Authorization)[0].Query
				if query.Get("scope") != "openid profile email offline_access" {
					t.Errorf("asks Microsoft %v", query)
				}
				for _, tenant := range tt.others {
					m.Tenant(tenant)
					b := a.Browser(t)
					if resp := b.Follow("/login"); resp.StatusCode != http.StatusBadGateway || b.SignedIn() {
						t.Errorf("%s: %d", tenant, resp.StatusCode)
					}
				}
			})
		})
	}
}

// A template is accepted from the preset alone.
func TestIssuerTemplateElsewhere(t *testing.T) {
	t.Parallel()
	a, _ := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, func(opts *oauthlogin.Options) {
		client := opts.Providers[0].OAuth2
		opts.Providers[0] = oauthlogin.Provider{Issuer: apptest.MicrosoftCloud + "common/v2.0", OAuth2: client}
	})
	b := a.Browser(t)
	if resp := b.Follow("/login"); resp.StatusCode != http.StatusBadGateway || !strings.Contains(a.Log.String(), "template") {
		t.Errorf("%d %s", resp.StatusCode, a.Log)
	}
}

// What a tenant cannot say for another, and what is no tenant.
func TestMicrosoftIDTokenRefused(t *testing.T) {
	t.Parallel()
	claims := func(pairs ...any) func(_, claims map[string]any) {
		return func(_, claims map[string]any) {
			for i := 0; i < len(pairs); i += 2 {
				claims[pairs[i].(string)] = pairs[i+1]
			}
		}
	}
	evil := "https://evil.test/" + apptest.Contoso + "/v2.0"
	for _, tt := range []struct {
		name      string
		edit      func(header, claims map[string]any)
		keyIssuer any
		ok        bool
	}{
		{"as it should be", nil, apptest.MicrosoftTemplate, true},
		{"a key of the tenant", nil, issuerOf(apptest.Contoso), true},
		{"a key that names no issuer", nil, nil, true},
		{"without ver", apptest.Without("ver"), apptest.MicrosoftTemplate, true},
		{"a key of another tenant", nil, issuerOf(apptest.Fabrikam), false},
		{"a key of personal accounts", nil, issuerOf(apptest.Consumers), false},
		{"a key with another template", nil, "https://evil.test/{tenantid}/v2.0", false},
		{"a key with an empty issuer", nil, "", false},
		{"a key with a list of issuers", nil, []string{issuerOf(apptest.Contoso)}, false},
		{"a key with null for an issuer", nil, json.RawMessage("null"), false},
		{"the iss of another tenant", claims("iss", issuerOf(apptest.Fabrikam)), apptest.MicrosoftTemplate, false},
		{"the tid of another tenant", claims("tid", apptest.Fabrikam), apptest.MicrosoftTemplate, false},
		{"no tid", apptest.Without("tid"), apptest.MicrosoftTemplate, false},
		{"a tid that is no string", claims("tid", 1), apptest.MicrosoftTemplate, false},
		{"a tid that is no GUID", claims("tid", "contoso", "iss", issuerOf("contoso")), apptest.MicrosoftTemplate, false},
		{"a tid that is a path", claims("tid", "../x", "iss", issuerOf("../x")), apptest.MicrosoftTemplate, false},
		{"the template", claims("tid", "{tenantid}", "iss", apptest.MicrosoftTemplate), apptest.MicrosoftTemplate, false},
		{"an empty tid", claims("tid", "", "iss", issuerOf("")), apptest.MicrosoftTemplate, false},
		{"the issuer that is configured", claims("iss", issuerOf("common")), apptest.MicrosoftTemplate, false},
		{"another host", claims("iss", evil), apptest.MicrosoftTemplate, false},
		{"another host, and its key", claims("iss", evil), evil, false},
		{"a slash at the end", claims("iss", issuerOf(apptest.Contoso)+"/"), apptest.MicrosoftTemplate, false},
		{"upper case", claims("iss", strings.ToUpper(issuerOf(apptest.Contoso))), apptest.MicrosoftTemplate, false},
		{"version 1.0", claims("ver", "1.0"), apptest.MicrosoftTemplate, false},
		{"version 1.0 and its issuer", claims("ver", "1.0", "iss", "https://sts.windows.net/"+apptest.Contoso+"/"), apptest.MicrosoftTemplate, false},
		{"a version that is a number", claims("ver", 2.0), apptest.MicrosoftTemplate, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, m := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, nil)
			m.EditIDToken(tt.edit)
			m.KeyIssuer(tt.keyIssuer)
			b := a.Browser(t)
			if tt.ok {
				b.Login("/dashboard")
				return
			}
			a.Refused(t, b, b.TryLogin(), http.StatusBadGateway, "provider_rejected")
		})
	}
}

// Metadata of one tenant or of personal accounts have their own issuer, and those of several
// the template.
func TestMicrosoftMetadataRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tenant, published string }{
		{"common", issuerOf(apptest.Contoso)},
		{"common", issuerOf("common")},
		{"common", "https://evil.test/{tenantid}/v2.0"},
		{"organizations", issuerOf(apptest.Contoso)},
		{"consumers", apptest.MicrosoftTemplate},
		{"consumers", issuerOf(apptest.Contoso)},
		{apptest.Contoso, issuerOf(apptest.Fabrikam)},
		{apptest.Contoso, apptest.MicrosoftTemplate},
		{"contoso.example", issuerOf("contoso.example")},
		{"contoso.example", apptest.MicrosoftTemplate},
		{"contoso.example", "https://evil.test/" + apptest.Contoso + "/v2.0"},
		{"contoso.example", "https://sts.windows.net/" + apptest.Contoso + "/"},
	} {
		a, _ := apptest.NewMicrosoft(t, tt.tenant, tt.published, nil)
		b := a.Browser(t)
		if resp := b.Follow("/login"); resp.StatusCode != http.StatusBadGateway || !strings.Contains(a.Log.String(), "issuer mismatch") {
			t.Errorf("%s with metadata of %s: %d %s", tt.tenant, tt.published, resp.StatusCode, a.Log)
		}
	}
}

// A refreshed ID token of another tenant ends the session, like one of another user.
func TestMicrosoftRefreshFromAnotherTenant(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(a *apptest.App, m *apptest.FakeMicrosoft)
	}{
		{"another tenant", func(_ *apptest.App, m *apptest.FakeMicrosoft) { m.Tenant(apptest.Fabrikam) }},
		{"another tid", func(_ *apptest.App, m *apptest.FakeMicrosoft) { m.EditIDToken(apptest.Claim("tid", apptest.Fabrikam)) }},
		{"another iss", func(_ *apptest.App, m *apptest.FakeMicrosoft) {
			m.EditIDToken(apptest.Claim("iss", issuerOf(apptest.Fabrikam)))
		}},
		{"another tenant, while keys cannot be read", func(a *apptest.App, m *apptest.FakeMicrosoft) {
			a.Restart(t)
			a.Provider.Intercept(oauthlogintest.JWKS, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			m.Tenant(apptest.Fabrikam)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, m := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, nil)
				b := a.Browser(t)
				b.Login("/dashboard")
				tt.change(a, m)
				time.Sleep(time.Hour)
				if b.SignedIn() {
					t.Errorf("still signed in: %s", a.Log)
				}
			})
		})
	}
}

// Users of two tenants with one sub are two users.
func TestMicrosoftUsersOfTwoTenants(t *testing.T) {
	t.Parallel()
	a, m := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, nil)
	alices := map[string]*apptest.Browser{}
	for _, tenant := range []string{apptest.Contoso, apptest.Fabrikam} {
		m.Tenant(tenant)
		alices[tenant] = a.SignIn(t, "alice")
	}
	if err := a.Auth.SignOutUser(t.Context(), issuerOf(apptest.Contoso), "alice"); err != nil {
		t.Fatal(err)
	}
	if alices[apptest.Contoso].SignedIn() || !alices[apptest.Fabrikam].SignedIn() {
		t.Errorf("signed out everywhere: Contoso %v, Fabrikam %v", !alices[apptest.Contoso].SignedIn(), !alices[apptest.Fabrikam].SignedIn())
	}
	if !strings.Contains(a.Log.String(), "event=logout provider=microsoft") {
		t.Errorf("log: %s", a.Log)
	}
	// The sign-out reaches the sessions of another registration of the tenant as well.
	if err := a.Auth.SignOutUser(t.Context(), issuerOf("common"), "alice"); err != nil || !alices[apptest.Fabrikam].SignedIn() {
		t.Errorf("a user of no tenant: %v", err)
	}
}

// common and one of its tenants can stand beside each other: a user of both is one user.
func TestMicrosoftTwice(t *testing.T) {
	t.Parallel()
	client := func(path string) *oauth2.Config {
		return &oauth2.Config{ClientID: "app", ClientSecret: "s3cret", RedirectURL: "https://app.test" + path}
	}
	staff, everyone := oauthlogin.Microsoft(apptest.Contoso, client("/auth/staff")), oauthlogin.Microsoft("common", client("/auth/everyone"))
	opts := oauthlogin.Options{Keys: [][]byte{apptest.Key(1)}, Providers: []oauthlogin.Provider{staff, everyone}}
	if _, err := oauthlogin.New(opts); err == nil || !strings.Contains(err.Error(), `Name "microsoft" is also`) {
		t.Errorf("two of one name: %v", err)
	}
	opts.Providers[1].Name = "everyone"
	if _, err := oauthlogin.New(opts); err != nil {
		t.Error(err)
	}
}

// iss of RFC 9207 is that of a tenant, which has to be the user's, or the template.
func TestMicrosoftIss(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, iss string
		ok        bool
	}{
		{"none", "", true},
		{"the user's tenant", issuerOf(apptest.Contoso), true},
		{"the template", apptest.MicrosoftTemplate, true},
		{"another tenant", issuerOf(apptest.Fabrikam), false},
		{"another host", "https://evil.test/" + apptest.Contoso + "/v2.0", false},
		{"no tenant", issuerOf("contoso"), false},
		{"something else", "hostile", false},
	} {
		a, _ := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, nil)
		a.Provider.EditAuthorizationResponse(func(params url.Values) {
			if params.Set("iss", tt.iss); tt.iss == "" {
				params.Del("iss")
			}
		})
		b := a.Browser(t)
		if tt.ok {
			b.Login("/dashboard")
			continue
		}
		a.Refused(t, b, b.TryLogin(), http.StatusBadRequest, "issuer_mismatch")
	}
}

// The page at Microsoft that ends the session there asks nothing if it is told who signs out.
func TestMicrosoftLogout(t *testing.T) {
	t.Parallel()
	for _, hint := range []any{nil, "O.CiQ-login-hint", 1} {
		a, m := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, nil)
		if hint != nil {
			m.EditIDToken(apptest.Claim("login_hint", hint))
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		out := b.LogOut("/")
		query := apptest.QueryOf(out.Location())
		want, _ := hint.(string)
		if !strings.HasPrefix(out.Location(), issuerOf("common")) || query.Get("post_logout_redirect_uri") != a.URL+"/" || query.Get("logout_hint") != want {
			t.Errorf("%v: %s", hint, out.Location())
		}
	}
}

// Without a word of URL there is no tenant.
func TestMicrosoftFaults(t *testing.T) {
	t.Parallel()
	client := &oauth2.Config{ClientID: "app", ClientSecret: "s3cret", RedirectURL: "https://app.test/auth/callback", Scopes: []string{"openid"}}
	try := func(p oauthlogin.Provider) error {
		_, err := oauthlogin.New(oauthlogin.Options{Keys: [][]byte{apptest.Key(1)}, Providers: []oauthlogin.Provider{p}})
		return err
	}
	for _, tenant := range []string{"common", "organizations", "consumers", apptest.Contoso, strings.ToUpper(apptest.Contoso), "contoso.onmicrosoft.com", "a", strings.Repeat("a", 253)} {
		if err := try(oauthlogin.Microsoft(tenant, client)); err != nil {
			t.Errorf("%q: %v", tenant, err)
		}
	}
	for _, tenant := range []string{"", ".", "..", "...", "a/b", "a b", " common", "common ", "a?b", "a#b", "%2e", "a\\b", "a:b", "{tenantid}", "ä", "a_b", strings.Repeat("a", 254), "../common", "x@evil.test", "a\x00", "a\r\nb"} {
		err := try(oauthlogin.Microsoft(tenant, client))
		if err == nil || !strings.Contains(err.Error(), "Options.Providers[0].Microsoft: tenant ") || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%q: %v", tenant, err)
		}
	}
	for _, p := range []oauthlogin.Provider{oauthlogin.Microsoft("common", nil), oauthlogin.Microsoft("", nil), oauthlogin.Google(nil), oauthlogin.GitHub(nil), oauthlogin.Apple("", "", nil, nil)} {
		if err := try(p); err == nil || !strings.Contains(err.Error(), "OAuth2 is nil") {
			t.Errorf("%v without a client: %v", p, err)
		}
	}
	p := oauthlogin.Microsoft("Common", client)
	if p.OAuth2.Scopes[0] = "changed"; client.Scopes[0] != "openid" || p.Issuer != issuerOf("common") {
		t.Errorf("the argument has changed, or the issuer is %s", p.Issuer)
	}
	p = oauthlogin.Microsoft("common", client)
	for issuer, ok := range map[string]bool{
		"https://login.microsoftonline.us/common/v2.0": true, "https://login.partner.microsoftonline.cn/common/v2.0": true,
		"https://login.microsoftonline.com/organizations/v2.0": false, "https://evil.test/": false, "http://evil.test/common/v2.0": false,
	} {
		p.Issuer = issuer
		if err := try(p); (err == nil) != ok {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// The application says which tenants it means.
func TestMicrosoftAllowList(t *testing.T) {
	t.Parallel()
	refusal := errors.New("no customer of ours")
	a, m := apptest.NewMicrosoft(t, "organizations", apptest.MicrosoftTemplate, func(opts *oauthlogin.Options) {
		opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
			if in.User.Issuer != issuerOf(apptest.Contoso) {
				return refusal
			}
			return nil
		}
	})
	a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"tid": {apptest.Contoso}}})
	b := a.Browser(t)
	b.Login("/dashboard")
	if resp := b.Get("/guarded"); resp.StatusCode != http.StatusOK {
		t.Errorf("the policy: %d", resp.StatusCode)
	}
	m.Tenant(apptest.Fabrikam)
	if resp := a.Browser(t).Follow("/login"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another tenant: %d", resp.StatusCode)
	}
}

// Above 200 groups the ID token says where they are, and not which. OnSignIn reads them, and
// refreshes keep what it has read.
func TestMicrosoftGroupsOverage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, m := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, func(opts *oauthlogin.Options) { opts.OnSignIn = readGroups })
		asked := 0
		a.Net["graph.microsoft.com"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.URL.Path != "/v1.0/me/getMemberObjects" || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			apptest.JSON(http.StatusOK, `{"value":["group-1","group-2"]}`)(w, r)
		})
		m.EditIDToken(func(_, claims map[string]any) {
			claims["_claim_names"] = map[string]string{"groups": "src1"}
			claims["_claim_sources"] = map[string]any{"src1": map[string]string{"endpoint": "https://hostile.test/getMemberObjects"}}
		})
		a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"group-2"}}})
		b := a.Browser(t)
		b.Login("/dashboard")
		for range 2 {
			if resp := b.Get("/guarded"); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, resp.Text)
			}
			time.Sleep(time.Hour)
		}
		if asked != 1 {
			t.Errorf("asked Microsoft Graph %d times", asked)
		}
	})
}

// A client assertion names the issuer, and the token endpoint where there is only a template.
func TestMicrosoftAssertionAudience(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tenant, published, audience string }{
		{"common", apptest.MicrosoftTemplate, issuerOf("common") + "/token"},
		{"contoso.example", issuerOf(apptest.Contoso), issuerOf(apptest.Contoso)},
		{apptest.Contoso, issuerOf(apptest.Contoso), issuerOf(apptest.Contoso)},
	} {
		var audience string
		a, _ := apptest.NewMicrosoft(t, tt.tenant, tt.published, func(opts *oauthlogin.Options) {
			opts.Providers[0].OAuth2.ClientSecret = ""
			opts.Providers[0].ClientAssertion = func(_ context.Context, aud string) (string, error) {
				audience = aud
				return "", errors.New("no assertion")
			}
		})
		if a.Browser(t).Follow("/login"); audience != tt.audience {
			t.Errorf("%s: %q", tt.tenant, audience)
		}
	}
}

// A logout token ends the sessions of its tenant's user alone, also right after a restart.
func TestMicrosoftLogoutToken(t *testing.T) {
	t.Parallel()
	a, m := apptest.NewMicrosoft(t, "common", apptest.MicrosoftTemplate, nil)
	alices := map[string]*apptest.Browser{}
	for _, tenant := range []string{apptest.Contoso, apptest.Fabrikam} {
		m.Tenant(tenant)
		alices[tenant] = a.SignIn(t, "alice")
	}
	send := func(iss string) int {
		a.Provider.EditLogoutToken(func(_, claims map[string]any) { claims["iss"] = iss })
		return a.SendLogoutToken(a.Provider.LogoutToken("app", "alice", "")).Code
	}
	m.KeyIssuer(issuerOf(apptest.Contoso))
	a.Restart(t)
	for _, iss := range []string{issuerOf("common"), apptest.MicrosoftTemplate, issuerOf("contoso"), "https://evil.test/" + apptest.Contoso + "/v2.0", issuerOf(apptest.Fabrikam)} {
		if status := send(iss); status != http.StatusBadRequest {
			t.Errorf("a logout token of %s: %d", iss, status)
		}
	}
	if status := send(issuerOf(apptest.Contoso)); status != http.StatusOK {
		t.Errorf("a logout token of the tenant: %d %s", status, a.Log)
	}
	if alices[apptest.Contoso].SignedIn() || !alices[apptest.Fabrikam].SignedIn() {
		t.Errorf("signed in: Contoso %v, Fabrikam %v", alices[apptest.Contoso].SignedIn(), alices[apptest.Fabrikam].SignedIn())
	}
	// With a domain, only the metadata say which tenant it is.
	one, _ := apptest.NewMicrosoft(t, "contoso.example", issuerOf(apptest.Contoso), nil)
	for iss, status := range map[string]int{issuerOf(apptest.Contoso): http.StatusOK, issuerOf(apptest.Fabrikam): http.StatusBadRequest} {
		one.Restart(t)
		one.Provider.EditLogoutToken(func(_, claims map[string]any) { claims["iss"] = iss })
		if got := one.SendLogoutToken(one.Provider.LogoutToken("app", "alice", "")).Code; got != status {
			t.Errorf("contoso.example, %s: %d", iss, got)
		}
	}
}
