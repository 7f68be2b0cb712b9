package oauthlogintest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// formSite is an application whose provider posts its responses.
func formSite(t *testing.T, require bool) *oauthlogintest.Site {
	t.Helper()
	return oauthlogintest.Run(t, oauthlogintest.Config{RequireFormPost: require}, func(base string, p *oauthlogintest.Provider) http.Handler {
		registration := p.Registration(base)
		if registration.FormPost != require {
			t.Errorf("Registration has FormPost %v", registration.FormPost)
		}
		registration.FormPost = true
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, HTTPClient: p.HTTPClient(), Providers: []oauthlogin.Provider{registration},
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, _ := oauthlogin.FromContext(r.Context())
			w.Write([]byte("page of " + s.User.Subject))
		})))
	})
}

func TestFormPost(t *testing.T) {
	site := formSite(t, true)
	b := site.Browser()
	b.Navigate("/dashboard")
	if page := b.SignIn("alice"); page.Status != http.StatusOK || page.Body != "page of alice" || page.URL != site.URL+"/dashboard" {
		t.Errorf("signing in led to %s, with %d %s", page.URL, page.Status, page.Body)
	}
	requests := site.Provider.Requests(oauthlogintest.Authorization)
	if len(requests) == 0 || requests[0].Query.Get("response_mode") != "form_post" {
		t.Errorf("requests are %v", requests)
	}
	site.Provider.AutoApprove("bob")
	if page := site.Browser().Navigate("/dashboard"); page.Body != "page of bob" {
		t.Errorf("without the sign-in page: %d %s", page.Status, page.Body)
	}
}

// The provider can be told to add to a response, and to respond with an error.
func TestEditAuthorizationResponse(t *testing.T) {
	site := formSite(t, false)
	site.Provider.AutoApprove("alice")
	site.Provider.EditAuthorizationResponse(func(params url.Values) {
		params.Del("code")
		params.Set("error", "access_denied")
	})
	if page := site.Browser().Navigate("/login"); page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "cancelled") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}

func TestRequireFormPost(t *testing.T) {
	p := start(t, func(cfg *oauthlogintest.Config) { cfg.RequireFormPost = true })
	p.AutoApprove("alice")
	for mode, refused := range map[string]bool{"query": true, "fragment": true, "form_post": false} {
		page := newBrowser(t).get(newLogin(p, "response_mode", mode).url())
		if got := strings.Contains(page.Header.Get("Location"), "error=invalid_request"); got != refused {
			t.Errorf("response_mode=%s: %d to %q", mode, page.StatusCode, page.Header.Get("Location"))
		}
	}
}
