package adversarial_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// pushingConfig is that of an application whose provider requires pushed authorization
// requests (RFC 9126).
func pushingConfig() apptest.Config {
	return apptest.Config{Provider: oauthlogintest.Config{RequirePAR: true}}
}

// What a provider returns in place of a reference changes nothing but the value of one
// parameter of the URL, and never where that leads.
func TestHostileRequestURI(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"urn:x&redirect_uri=https://hostile.test/&client_id=hostile", "urn:x#fragment", "https://hostile.test/", "//hostile.test/", "javascript:hostile",
		"urn:x\"><script>hostile</script>", "urn:x?state=hostile", "%0d%0aSet-Cookie:hostile", strings.Repeat("hostile", 1000), "\u202ehostile", " hostile ",
	} {
		synctest.Test(t, func(t *testing.T) {
			a := apptest.NewAttacked(t, pushingConfig())
			a.Provider.Intercept(oauthlogintest.PushedAuthorization, func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.WriteHeader(http.StatusCreated)
				json.NewEncoder(w).Encode(map[string]any{"request_uri": uri})
			})
			b := a.Browser(t)
			resp := b.Get("/login")
			u, err := url.Parse(resp.Location())
			if err != nil || u.Host != "provider.test" || u.Path != "/authorize" || u.Fragment != "" {
				t.Fatalf("%q leads to %q", uri, resp.Location())
			}
			if query := u.Query(); len(query) != 2 || query.Get("client_id") != "app" || query.Get("request_uri") != uri {
				t.Errorf("%q leads to %v", uri, query)
			}
			if resp.Text != "" && strings.Contains(resp.Text, "hostile") {
				t.Errorf("page %s", resp.Text)
			}
		})
	}
}

// An endpoint that fails, redirects or says too much begins no login and gets nothing
// elsewhere. The request is not sent in the front channel.
func TestHostilePushEndpoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		respond func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	}{
		{"a redirect that repeats the body", apptest.RespondWith(307, "", "Location", "https://hostile.test/par")},
		{"a redirect to a reference", apptest.RespondWith(302, `{"request_uri":"urn:hostile"}`, "Location", "https://hostile.test/par")},
		{"a page", apptest.RespondWith(201, apptest.Hostile, "Content-Type", "text/html")},
		{"an error with hostile words", apptest.RespondWith(400, `{"error":"invalid_request","error_description":"`+strings.Repeat("hostile", 10)+`"}`)},
		{"a code with hostile words", apptest.RespondWith(400, `{"error":"hostile words"}`)},
		{"what it was sent", func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]string{"error": r.FormValue("state"), "error_description": r.FormValue("nonce") + r.FormValue("code_challenge")})
		}},
		{"a line break in a reference", apptest.RespondWith(201, `{"request_uri":"urn:hostile\r\nSet-Cookie: a=b"}`)},
		{"a reference of 2 MiB", apptest.RespondWith(201, `{"request_uri":"`+strings.Repeat("hostile", 300_000)+`"}`)},
	} {
		apptest.InBubble(t, tt.name, func(t *testing.T) {
			a := apptest.NewAttacked(t, pushingConfig())
			a.Provider.Intercept(oauthlogintest.PushedAuthorization, tt.respond)
			b := a.Browser(t)
			resp := b.Get("/login?return_to=/dashboard")
			if resp.StatusCode != http.StatusBadGateway || resp.Location() != "" || len(b.Cookies()) > 0 {
				t.Errorf("%d to %q, cookies %v", resp.StatusCode, resp.Location(), b.Cookies())
			}
			for _, r := range a.Provider.Requests(oauthlogintest.PushedAuthorization) {
				for _, name := range []string{"state", "nonce", "code_challenge"} {
					if value := r.Form.Get(name); strings.Contains(a.Log.String(), value) || strings.Contains(resp.Text, value) {
						t.Errorf("the log or the page has the %s", name)
					}
				}
			}
			a.Provider.Intercept(oauthlogintest.PushedAuthorization, nil)
			a.Leaves(b, apptest.Aftermath{})
		})
	}
}
