package interop_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/oauthlogin/oauthlogin"
)

// A pageKind is a page that users see, and the way of a browser without cookies to it.
type pageKind struct {
	name   string
	status int
	reach  func(tab *browserTab) response
}

// signInAs signs in at the demo provider, whose page the tab shows.
func signInAs(tab *browserTab, user string) response {
	tab.t.Helper()
	tab.do(chromedp.SetValue(chromedp.CSS(`input[name="other"]`), user))
	return tab.click(`button[name="action"][value="approve"]`)
}

// send posts a form of the page at origin to another address.
func send(tab *browserTab, origin, to string) response {
	tab.t.Helper()
	tab.open(origin + "/form?to=" + to)
	return tab.click("button")
}

// pageKinds returns every kind of page of the package, of the demo provider and of the example.
func pageKinds(t *testing.T) []pageKind {
	t.Helper()
	one, many := newSite(t, siteConfig{}), newSite(t, siteConfig{others: len(manyLabels)})
	de := newSite(t, siteConfig{others: 2, texts: []oauthlogin.Texts{german}})
	ar := newSite(t, siteConfig{others: 2, texts: []oauthlogin.Texts{arabic}})
	posting := newSite(t, siteConfig{formPost: true})
	example := newApp(t)
	example.start(t)
	twoProviders := newApp(t)
	twoProviders.env = append(twoProviders.env, "DEMO_PROVIDERS=2")
	twoProviders.start(t)
	open := func(address string) func(*browserTab) response {
		return func(tab *browserTab) response { return tab.open(address) }
	}
	signedIn := func(s *site, user, path string) func(*browserTab) response {
		return func(tab *browserTab) response {
			tab.open(s.url + "/login?provider=demo&return_to=/form")
			if tab.hostname() != "localhost" { // the choice, after a link of another site
				tab.click(`a[href*="provider=demo"]`)
			}
			landed := signInAs(tab, user)
			if path != "" {
				landed = tab.open(s.url + path)
			}
			return landed
		}
	}
	atExample := func(user, path string) func(*browserTab) response {
		return func(tab *browserTab) response {
			tab.open(example.url + "/dashboard")
			signInAs(tab, user)
			return tab.open(example.url + path)
		}
	}
	return []pageKind{
		{"chooser", 200, open(many.url + "/login?return_to=/form")},
		{"chooser-german", 200, open(de.url + "/login")},
		{"chooser-arabic", 200, open(ar.url + "/login")},
		{"error-400", 400, open(one.url + "/auth/callback?code=x&state=y")},
		{"error-400-german", 400, open(de.url + "/auth/callback?code=x&state=y")},
		{"error-400-denied", 400, func(tab *browserTab) response {
			tab.open(one.url + "/protected")
			return demoDeny(tab)
		}},
		{"error-401-form", 401, func(tab *browserTab) response { return send(tab, one.url, "/protected") }},
		{"error-401-step-up", 401, func(tab *browserTab) response {
			signedIn(one, "alice", "")(tab)
			return send(tab, one.url, "/fresh")
		}},
		{"error-403-forbidden", 403, signedIn(one, "alice", "/forbidden")},
		{"error-403-forbidden-german", 403, signedIn(de, "alice", "/forbidden")},
		{"error-403-refused", 403, signedIn(one, "mallory", "")},
		{"error-403-cross-origin", 403, func(tab *browserTab) response { return send(tab, many.url, one.url+"/protected") }},
		{"error-405", 405, open(one.url + "/logout")},
		{"error-500", 500, signedIn(one, "crash", "")},
		{"error-502", 502, func(tab *browserTab) response {
			tab.open(many.url + "/login")
			return tab.click(`a[href*="provider=p0"]`)
		}},
		{"error-503", 503, func(tab *browserTab) response {
			away := newSite(tab.t, siteConfig{})
			signedIn(away, "alice", "")(tab)
			away.storeFails = true
			return tab.open(away.url + "/protected")
		}},
		{"form-post", 200, func(tab *browserTab) response {
			tab.runScripts(false)
			defer tab.runScripts(true)
			tab.open(posting.url + "/protected")
			signInAs(tab, "alice")
			return tab.click("button")
		}},
		{"provider-form-post", 200, func(tab *browserTab) response {
			tab.runScripts(false)
			defer tab.runScripts(true)
			tab.open(posting.url + "/protected")
			return signInAs(tab, "alice")
		}},
		{"provider-sign-in", 200, open(one.url + "/protected")},
		{"provider-problem", 422, func(tab *browserTab) response {
			tab.open(one.url + "/protected")
			return signInAs(tab, "Jörg")
		}},
		{"provider-error", 400, open(one.issuer + "/authorize?client_id=stranger")},
		{"provider-signed-out", 200, open(one.issuer + "/end_session")},
		{"example-home", 200, open(example.url + "/")},
		{"example-home-signed-in", 200, atExample("alice", "/")},
		{"example-dashboard", 200, atExample("alice", "/dashboard")},
		{"example-admin", 200, atExample("alice", "/admin")},
		{"example-admin-refused", 403, atExample("carol", "/admin")},
		{"example-long-name", 200, atExample(longName, "/dashboard")},
		{"example-two-providers", 200, open(twoProviders.url + "/admin")},
		{"example-signed-out", 200, func(tab *browserTab) response {
			atExample("alice", "/dashboard")(tab)
			return tab.click(`form[action^="/logout"] button`)
		}},
	}
}

// Every kind of page keeps to the rules of axe-core, fits a phone, and shows where the keyboard is. With SCREENSHOT_DIR the
// test writes a picture of each there.
func TestPages(t *testing.T) {
	browser := newChromium(t)
	axe := axeSource(t)
	for _, kind := range pageKinds(t) {
		t.Run(kind.name, func(t *testing.T) {
			tab := browser.newProfile(t)
			if got := kind.reach(tab); got.status != kind.status {
				t.Fatalf("%s: status %d, want %d", got.url, got.status, kind.status)
			}
			tab.do(chromedp.Evaluate[chromedp.Void](axe))
			for _, width := range []int64{390, 1280} {
				for _, scheme := range []string{"light", "dark"} {
					tab.emulate(width, scheme)
					tab.screenshot(fmt.Sprintf("%s-%d-%s", kind.name, width, scheme))
					for _, finding := range tab.axeFindings() {
						t.Errorf("%d %s: %s", width, scheme, finding)
					}
					for _, fault := range tab.layoutFaults() {
						t.Errorf("%d %s: %s", width, scheme, fault)
					}
					for _, fault := range tab.focusFaults() {
						t.Errorf("%d %s: %s", width, scheme, fault)
					}
				}
			}
		})
	}
}

// The checks of TestPages see a page with faults.
func TestPageChecks(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><html><title>Faulty</title><style>body{background:#fff}a{color:#ddd;outline:none}button{outline:3px solid #ccc}</style>
<a href="/">pale</a> <button>ringed</button> <p style="width:2000px">wide</p>`)
	})
	tab := newChromium(t).newProfile(t)
	tab.open(serve(t, mux))
	tab.do(chromedp.Evaluate[chromedp.Void](axeSource(t)))
	tab.emulate(390, "light")
	if findings := tab.axeFindings(); len(findings) < 3 { // no lang, no main landmark, contrast
		t.Errorf("axe-core finds %q", findings)
	}
	if faults := tab.layoutFaults(); len(faults) != 1 {
		t.Errorf("layout: %q", faults)
	}
	if faults := tab.focusFaults(); len(faults) != 2 { // no ring, and a pale one
		t.Errorf("focus: %q", faults)
	}
}
