package entra_test

import (
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/entra"
)

const (
	contoso   = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
	fabrikam  = "bbbbcccc-1111-dddd-2222-eeee3333ffff"
	consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
	cloud     = "https://login.microsoftonline.com/"
)

func TestValid(t *testing.T) {
	for tenant, want := range map[string]bool{
		"common": true, "contoso.onmicrosoft.com": true, contoso: true, "a": true, "A-1.b": true, "-": true, strings.Repeat("a", 253): true,
		"": false, ".": false, "..": false, strings.Repeat(".", 20): false, strings.Repeat("a", 254): false,
		"a/b": false, "a b": false, "a?b": false, "a#b": false, "a%2fb": false, "a\\b": false, "a:b": false, "a@b": false, "{tenantid}": false, "a_b": false,
		"bücher.example": false, "a\n": false, "a\x00": false,
	} {
		if entra.Valid(tenant) != want {
			t.Errorf("%q: %v", tenant, !want)
		}
	}
}

func TestTenants(t *testing.T) {
	template := cloud + "{tenantid}/v2.0"
	for _, tt := range []struct {
		tenant                string
		publishes, publishNot []string
		issues, issueNot      []string // tid
	}{
		{"common", []string{template}, []string{cloud + "common/v2.0", cloud + contoso + "/v2.0", ""}, []string{contoso, fabrikam, consumers}, nil},
		{"organizations", []string{template}, []string{cloud + contoso + "/v2.0"}, []string{contoso, fabrikam}, []string{consumers, strings.ToUpper(consumers)}},
		{"consumers", []string{cloud + consumers + "/v2.0"}, []string{template, cloud + contoso + "/v2.0", cloud + "consumers/v2.0"}, []string{consumers}, []string{contoso}},
		{contoso, []string{cloud + contoso + "/v2.0"}, []string{template, cloud + fabrikam + "/v2.0"}, []string{contoso}, []string{fabrikam, consumers}},
		{"contoso.com", []string{cloud + contoso + "/v2.0"}, []string{template, cloud + "contoso.com/v2.0"}, []string{contoso, fabrikam}, nil},
	} {
		tenants, ok := entra.Of(entra.Issuer(tt.tenant), tt.tenant)
		if !ok {
			t.Fatal(tt.tenant)
		}
		for _, issuer := range tt.publishes {
			if !tenants.Publishes(issuer) {
				t.Errorf("%s refuses metadata of %s", tt.tenant, issuer)
			}
		}
		for _, issuer := range append(tt.publishNot, "https://evil.test/"+contoso+"/v2.0", cloud+contoso+"/v2.0/", cloud+contoso, "https://evil.test/{tenantid}/v2.0") {
			if tenants.Publishes(issuer) {
				t.Errorf("%s takes metadata of %q", tt.tenant, issuer)
			}
		}
		for _, tid := range tt.issues {
			if !tenants.Issues(cloud+tid+"/v2.0", tid) {
				t.Errorf("%s refuses tenant %s", tt.tenant, tid)
			}
		}
		for _, tid := range append(tt.issueNot, "", "contoso", "{tenantid}", "..", contoso+"/x", "x/"+contoso, contoso[1:], contoso+"0", strings.ReplaceAll(contoso, "-", "a"), "g"+contoso[1:]) {
			if tenants.Issues(cloud+tid+"/v2.0", tid) {
				t.Errorf("%s takes tenant %q", tt.tenant, tid)
			}
		}
		for issuer, tid := range map[string]string{
			cloud + contoso + "/v2.0": fabrikam, "https://evil.test/" + contoso + "/v2.0": contoso, "https://sts.windows.net/" + contoso + "/": contoso,
			cloud + contoso + "/v2.0/": contoso, cloud + contoso + "/": contoso, cloud + strings.ToUpper(contoso) + "/v2.0": contoso, template: contoso, "": contoso,
		} {
			if tenants.Issues(issuer, tid) {
				t.Errorf("%s takes %q with the tid %q", tt.tenant, issuer, tid)
			}
		}
	}
}

func TestSigns(t *testing.T) {
	tenants, _ := entra.Of(entra.Issuer("common"), "common")
	for published, want := range map[string]bool{
		cloud + "{tenantid}/v2.0": true, cloud + contoso + "/v2.0": true,
		cloud + fabrikam + "/v2.0": false, cloud + consumers + "/v2.0": false, "": false, "https://evil.test/{tenantid}/v2.0": false, "{tenantid}": false,
	} {
		if tenants.Signs(published, cloud+contoso+"/v2.0") != want {
			t.Errorf("%q: %v", published, !want)
		}
	}
}

func TestOtherClouds(t *testing.T) {
	tenants, ok := entra.Of("https://login.microsoftonline.us/common/v2.0", "common")
	if !ok || !tenants.Issues("https://login.microsoftonline.us/"+contoso+"/v2.0", contoso) || tenants.Issues(cloud+contoso+"/v2.0", contoso) {
		t.Errorf("%+v", tenants)
	}
	for _, issuer := range []string{"", "https://login.microsoftonline.com/other/v2.0", "https://login.microsoftonline.com/uncommon/v2.0", "https://login.microsoftonline.com/common", "common/v2.0"} {
		if _, ok := entra.Of(issuer, "common"); ok {
			t.Errorf("%q is one of common", issuer)
		}
	}
}
