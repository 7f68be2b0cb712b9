package oauthlogin_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// newBelow is an application below /app, whose start page has a query.
func newBelow(t *testing.T, change func(*oauthlogin.Options)) *apptest.App {
	t.Helper()
	return apptest.New(t, apptest.Config{
		Provider: oauthlogintest.Config{Clients: []oauthlogintest.Client{{
			ID: "below", Secret: "secret-of-the-app-below",
			RedirectURIs: []string{"https://app.test/app/auth/callback"}, PostLogoutRedirectURIs: []string{"https://app.test/app/?tab=start"},
		}}},
		Change: func(o *oauthlogin.Options) {
			o.HomePath, o.LoginPath, o.LogoutPath = "/app/?tab=start", "/app/login", "/app/logout"
			config := o.Providers[0].OAuth2
			config.ClientID, config.ClientSecret, config.RedirectURL = "below", "secret-of-the-app-below", "https://app.test/app/auth/callback"
			if change != nil {
				change(o)
			}
		},
	})
}

const belowHome = "/app/?tab=start"

// An application below a prefix is not left for the rest of the host.
func TestHomePath(t *testing.T) {
	t.Parallel()
	a := newBelow(t, nil)
	for query, want := range map[string]string{
		"": belowHome, "?return_to=": belowHome, "?return_to=https://evil.test": belowHome, "?return_to=//evil.test": belowHome,
		"?return_to=/app/login": belowHome, "?return_to=/app/auth/callback": belowHome, "?return_to=/a&return_to=/b": belowHome,
		"?return_to=/": "/", "?return_to=/app/inbox": "/app/inbox", "?return_to=/" + apptest.Incompressible(2980): belowHome,
	} {
		b := a.Browser(t)
		a.Expect("login"+query, b.Get(b.CallbackURL("/app/login"+query)), http.StatusSeeOther, want)
		resp := b.Post("/app/logout"+query, nil)
		back, err := url.Parse(b.Get(resp.Location()).Location())
		if err != nil || back.Path != "/app/" || back.Query().Get("tab") != "start" || back.Query().Get("state") == "" {
			t.Errorf("logout%s leads to %v: %v", query, back, err)
			continue
		}
		a.Expect("logout"+query, b.Get(back.String()), http.StatusSeeOther, want)
	}
	if log := a.Log.String(); strings.Contains(log, "path=/app/?") || strings.Contains(log, "path=/ ") {
		t.Errorf("a start page was dropped: %s", log)
	}
}

// Logins that a request cannot be repeated after lead to the start page.
func TestHomePathOfRequests(t *testing.T) {
	t.Parallel()
	a := newBelow(t, nil)
	b := a.Browser(t)
	loginURL := "/app/login?return_to=" + url.QueryEscape(belowHome)
	for name, resp := range map[string]*apptest.Response{
		"a script that posts":      b.Do(b.Request(http.MethodPost, "/api/me", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin")),
		"a prefetched login":       b.Get("/app/login", "Sec-Purpose", "prefetch"),
		"a page that is too long":  b.Get("/dashboard?" + strings.Repeat("x", 4000)),
		"a callback without state": b.Get("/app/auth/callback?" + strings.Repeat("x", 64<<10)),
	} {
		links := append(resp.Links(), resp.Location())
		if !slices.Contains(links, loginURL) && !strings.Contains(resp.Text, `"login_url":"`+strings.ReplaceAll(loginURL, "&", `\u0026`)) {
			t.Errorf("%s: %d %q %s", name, resp.StatusCode, links, resp.Text)
		}
	}
	// Of the package's pages, links home lead there, and nothing leads elsewhere.
	for name, resp := range map[string]*apptest.Response{
		"a logout by a link":       b.Get("/app/logout"),
		"an image at the callback": b.Get("/app/auth/callback", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"),
	} {
		if links := resp.Links(); !slices.Contains(links, belowHome) || slices.Contains(links, "/") {
			t.Errorf("%s: %d %q", name, resp.StatusCode, links)
		}
	}
	a.GuardBy(oauthlogin.Policy{Claims: map[string][]string{"groups": {"admin"}}})
	b.Get(b.CallbackURL("/app/login"))
	if links := b.Get("/guarded").Links(); !slices.Contains(links, belowHome) || slices.Contains(links, "/") {
		t.Errorf("a refused page: %q", links)
	}
}

// What OnSignIn changes is checked as well.
func TestHomePathAfterOnSignIn(t *testing.T) {
	t.Parallel()
	a := newBelow(t, func(o *oauthlogin.Options) {
		o.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
			in.ReturnTo = "//evil.test"
			return nil
		}
	})
	b := a.Browser(t)
	a.Expect("login", b.Get(b.CallbackURL("/app/login?return_to=/dashboard")), http.StatusSeeOther, belowHome)
}
