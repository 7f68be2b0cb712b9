package oauthlogin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
)

// What the browser asked for is what it comes back to, through the gate and a login.
func TestReturnPathsThatAreKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, path, want string }{
		{"a backslash in the query", `/dashboard?dir=C:\temp\x`, `/dashboard?dir=C:%5Ctemp%5Cx`},
		{"an encoded backslash in the query", "/dashboard?dir=C:%5Ctemp", "/dashboard?dir=C:%5Ctemp"},
		{"an encoded backslash in the path", "/files/C:%5Ctemp%5c?x=1", "/files/C:%5Ctemp%5c?x=1"},
		{"a long filter", "/dashboard?filter=" + strings.Repeat("region%3Deu%26", 270), "/dashboard?filter=" + strings.Repeat("region%3Deu%26", 270)},
	} {
		a := apptest.New(t, apptest.Config{})
		a.Guard("/files/", func(http.ResponseWriter, *http.Request) {})
		b := a.Browser(t)
		path, query, _ := strings.Cut(tt.path, "?")
		r := b.Request(http.MethodGet, path, nil)
		r.URL.RawQuery = query
		gate := b.Do(r)
		if want := "/login?return_to=" + url.QueryEscape(tt.want); gate.Location() != want {
			t.Errorf("%s: the gate leads to %.300q", tt.name, gate.Location())
		}
		callback := b.FollowOn(gate, "/auth/callback").Location()
		if resp := b.Get(callback); resp.Location() != tt.want {
			t.Errorf("%s: the login leads to %.300q", tt.name, resp.Location())
		}
	}
}

// A return path that is dropped leaves a line for whoever wonders, without what may be
// secret, or an attacker's words.
func TestDroppedReturnPathsAreLogged(t *testing.T) {
	t.Parallel()
	const random = "vK3hmc9dQ2"
	for _, tt := range []struct {
		name, returnTo string
		shown          string // in the log; "": nothing is dropped
	}{
		{"too long", "/report?token=" + random + strings.Repeat("x", 4000), "path=/report "},
		{"not compressible", "/report?token=" + random + apptest.Incompressible(2500), "path=/report "},
		{"the login path", "/login?token=" + random, "path=/login "},
		{"another origin", "https://" + random + ".test/x?token=" + random, "not a path of the application"},
		{"an address", "/confirm/" + random + "@example.com/" + strings.Repeat("x", 4000), "path=[redacted]"},
		{"kept", "/report?token=" + random, ""},
		{"the root", "/", ""},
		{"none", "", ""},
	} {
		a := apptest.New(t, apptest.Config{})
		b := a.Browser(t)
		b.StartLogin("/login?return_to=" + url.QueryEscape(tt.returnTo))
		var lines []string
		for line := range strings.Lines(a.Log.String()) {
			if strings.Contains(line, "return path dropped") {
				lines = append(lines, line)
			}
		}
		log := strings.Join(lines, "")
		if tt.shown == "" {
			if log != "" {
				t.Errorf("%s: %s", tt.name, log)
			}
			continue
		}
		if len(lines) != 1 || !strings.Contains(log, "level=DEBUG") || !strings.Contains(log, tt.shown) || strings.Contains(log, random) {
			t.Errorf("%s: %s", tt.name, log)
		}
	}
	for _, filler := range []string{strings.Repeat("x", 4000), strings.Repeat("(", 3500)} { // which is escaped
		a := apptest.New(t, apptest.Config{})
		resp := a.Browser(t).Get("/dashboard?token=" + random + filler)
		if log := a.Log.String(); resp.Location() != "/login?return_to=%2F" || !strings.Contains(log, "return path dropped") || !strings.Contains(log, "path=/dashboard ") || strings.Contains(log, random) {
			t.Errorf("at the gate: %.200s %s", resp.Location(), log)
		}
	}
}

// Facebook ends its redirects in #_=_, which stays in the address bar unless Location
// has a fragment of its own. OpenID Connect redirects stay as they are.
func TestFragmentOfTheProvider(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		change   func(*oauthlogin.Options)
		returnTo string
		want     string
	}{
		{"plain OAuth", apptest.PlainOAuth, "/dashboard?q=1", "/dashboard?q=1#"},
		{"plain OAuth, to the root", apptest.PlainOAuth, "", "/#"},
		{"plain OAuth, with a fragment", apptest.PlainOAuth, "/dashboard#part", "/dashboard#part"},
		{"OpenID Connect", nil, "/dashboard?q=1", "/dashboard?q=1"},
	} {
		a := apptest.New(t, apptest.Config{Change: tt.change})
		b := a.Browser(t)
		callback := b.CallbackURL("/login?return_to=" + url.QueryEscape(tt.returnTo))
		if resp := b.Get(callback); resp.Location() != tt.want || !b.SignedIn() {
			t.Errorf("%s: %d to %q", tt.name, resp.StatusCode, resp.Location())
		}
		if resp := b.Get(callback); strings.HasSuffix(resp.Location(), "#") != strings.HasSuffix(tt.want, "#") {
			t.Errorf("%s, again: %d to %q", tt.name, resp.StatusCode, resp.Location())
		}
	}
}
