package main

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

const partnerIssuer = "https://app.test/issuer-of-partner"

// users are those of the tests. Their groups decide what they may see.
var users = []oauthlogintest.User{
	{Subject: "alice", Name: "Alice Archer", Claims: map[string]any{"groups": []string{"admin", "staff"}}},
	{Subject: "bob", Name: "Bob Baker", Claims: map[string]any{"groups": []string{"admin"}}},
	{Subject: "carol", Name: "Carol Carpenter", Claims: map[string]any{"groups": []string{"staff"}}},
}

// runApp serves the application, and the partner's provider below a path of its origin.
// There, without a question, whoever is in partner.AutoApprove signs in.
func runApp(t *testing.T) (site *oauthlogintest.Site, partner *oauthlogintest.Provider) {
	t.Helper()
	site = oauthlogintest.Run(t, oauthlogintest.Config{Users: users}, func(base string, p *oauthlogintest.Provider) http.Handler {
		var err error
		partner, err = oauthlogintest.New(oauthlogintest.Config{
			Issuer:  partnerIssuer,
			Users:   []oauthlogintest.User{{Subject: "alice", Name: "Alice Adler", Claims: map[string]any{"groups": []string{"admin"}}}, {Subject: "dave", Name: "Dave Draper"}},
			Clients: []oauthlogintest.Client{{ID: "app", Secret: "secret", RedirectURIs: []string{base + "/auth/partner"}, PostLogoutRedirectURIs: []string{base + "/"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(partner.Close)
		partner.SetKeyAlg("ES256")
		app, err := newApp("a key of 32 bytes or more for tests", p.Registration(base), partner.Registration(base), p.HTTPClient())
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", app)
		mux.Handle("/issuer-of-partner/", partner)
		return mux
	})
	return site, partner
}

// signIn signs a user of the staff in.
func signIn(site *oauthlogintest.Site, user string) *oauthlogintest.Browser {
	b := site.Browser()
	b.Navigate("/login?provider=staff")
	b.SignIn(user)
	return b
}

// want fails the test unless a response is of this path, has the status and contains the texts.
func want(t *testing.T, resp *oauthlogintest.Response, status int, path string, texts ...string) {
	t.Helper()
	if resp.Status != status || resp.URL != "https://app.test"+path {
		t.Fatalf("at %s with status %d; want %s with status %d:\n%s", resp.URL, resp.Status, path, status, resp.Body)
	}
	for _, text := range texts {
		if !strings.Contains(resp.Body, text) {
			t.Errorf("%s does not contain %q:\n%s", resp.URL, text, resp.Body)
		}
	}
}

// follow follows the link of a page that has this text.
func follow(t *testing.T, b *oauthlogintest.Browser, page *oauthlogintest.Response, text string) *oauthlogintest.Response {
	t.Helper()
	before, _, ok := strings.Cut(page.Body, ">"+text+"</a>")
	i := strings.LastIndex(before, `href="`)
	if !ok || i < 0 {
		t.Fatalf("%s has no link %q:\n%s", page.URL, text, page.Body)
	}
	href, _, _ := strings.Cut(before[i+len(`href="`):], `"`)
	return b.Navigate(html.UnescapeString(href))
}

// A visitor chooses the provider, and comes back to the page.
func TestChoose(t *testing.T) {
	t.Parallel()
	site, partner := runApp(t)
	for provider, user := range map[string]string{"Staff of Example": "Alice Archer", "Partner of Example": "Alice Adler"} {
		b := site.Browser()
		chooser := b.Navigate("/dashboard?tab=2")
		want(t, chooser, 200, "/login?return_to=%2Fdashboard%3Ftab%3D2", "Staff of Example", "Partner of Example")
		partner.AutoApprove("alice")
		page := follow(t, b, chooser, provider)
		if provider == "Staff of Example" {
			page = b.SignIn("alice")
		}
		want(t, page, 200, "/dashboard?tab=2", user)
	}
}

// The same subject of two issuers is two accounts.
func TestAccounts(t *testing.T) {
	t.Parallel()
	site, partner := runApp(t)
	b := signIn(site, "alice")
	want(t, b.Navigate("/dashboard"), 200, "/dashboard", "Alice Archer", "<code>alice</code>", "<code>staff</code>", site.Provider.Issuer(), "Visit 1 ")
	page := b.Navigate("/dashboard")
	want(t, page, 200, "/dashboard", "Visit 2 ")

	partner.AutoApprove("alice")
	page = follow(t, b, page, "the partner")
	want(t, page, 200, "/dashboard", "Alice Adler", "<code>alice</code>", "<code>partner</code>", partnerIssuer, "Visit 1 ")
	follow(t, b, page, "the staff")
	want(t, b.SignIn("alice"), 200, "/dashboard", "Alice Archer", "Visit 3 ")
}

// What a partner says about groups does not count.
func TestPolicies(t *testing.T) {
	t.Parallel()
	site, partner := runApp(t)
	alice := signIn(site, "alice")
	want(t, alice.Navigate("/intranet"), 200, "/intranet", "Intranet</h1>")
	want(t, alice.Navigate("/admin"), 200, "/admin", "Administration</h1>")
	carol := signIn(site, "carol")
	want(t, carol.Navigate("/intranet"), 200, "/intranet", "Intranet</h1>", "Carol Carpenter")
	want(t, carol.Navigate("/admin"), 403, "/admin")

	partner.AutoApprove("alice")
	other := site.Browser()
	want(t, other.Navigate("/login?provider=partner&return_to=/dashboard"), 200, "/dashboard", "Alice Adler")
	want(t, other.Navigate("/intranet"), 403, "/intranet")
	want(t, other.Navigate("/admin"), 403, "/admin")
	follow(t, other, other.Navigate("/"), "the staff")
	other.SignIn("alice")
	want(t, other.Navigate("/admin"), 200, "/admin", "Administration</h1>", "Alice Archer")
}

func TestSwitchAccount(t *testing.T) {
	t.Parallel()
	site, _ := runApp(t)
	b := signIn(site, "alice")
	follow(t, b, b.Navigate("/dashboard"), "another account there")
	requests := site.Provider.Requests(oauthlogintest.Authorization)
	if prompt := requests[len(requests)-1].Query.Get("prompt"); prompt != "select_account" {
		t.Errorf("prompt is %q", prompt)
	}
	want(t, b.SignIn("carol"), 200, "/dashboard", "Carol Carpenter", "Visit 1 ")
	want(t, site.Browser().Fetch("/switch"), 401, "/switch")
}
