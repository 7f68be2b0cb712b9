package interop_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// TestScripts runs docs/scripts.js in Chromium, in a page that uses fetch, EventSource and htmx.
func TestScripts(t *testing.T) {
	browser := newChromium(t)
	for _, by := range []string{"fetch", "post", "events", "htmx4", "htmx2"} {
		t.Run("the session ends, "+by, func(t *testing.T) {
			a := newScriptedApp(t)
			tab := a.signedInTab(t, browser, by)
			tab.script(by)
			tab.wantGreeting(by)

			if err := a.auth.SignOutUser(t.Context(), a.provider.Issuer(), "alice"); err != nil {
				t.Fatal(err)
			}
			if by != "events" { // which is open, and asks by itself
				tab.script(by)
			}
			eventually(t, patience, "the sign-in page", func() bool { return tab.hostname() == "localhost" })
			demoSignIn(tab.browserTab).want(http.StatusOK, a.page(by))
			tab.script(by)
			tab.wantGreeting(by)
		})
	}
	for _, by := range []string{"fetch", "post", "events", "htmx4"} {
		t.Run("an outage, "+by, func(t *testing.T) {
			t.Parallel() // each waits for Retry-After
			a := newScriptedApp(t)
			tab := a.signedInTab(t, browser, by)
			a.store.down.Store(true)
			tab.script(by)
			eventually(t, patience, "a request", func() bool { return a.store.refused.Load() > 0 })
			a.store.down.Store(false)
			tab.wantGreeting(by)
			if at := tab.location(); at != a.page(by) {
				t.Errorf("the outage led to %s", at)
			}
		})
	}
}

// A scriptedApp is an application with one page, whose scripts need a session.
type scriptedApp struct {
	url      string
	auth     *oauthlogin.Middleware
	provider *oauthlogintest.Provider // which shows its sign-in page at every login
	store    *fallibleStore
}

func newScriptedApp(t *testing.T) *scriptedApp {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	a := &scriptedApp{
		url:      "http://" + server.Listener.Addr().String(),
		provider: oauthlogintest.Start(oauthlogintest.Config{Issuer: "http://localhost:0"}),
	}
	t.Cleanup(a.provider.Close)
	a.provider.RememberUsers(false)
	files := sessions.NewFilesystemStore(t.TempDir(), []byte(rand.Text()+rand.Text()))
	files.MaxLength(0)
	a.store = &fallibleStore{Store: files}
	var err error
	a.auth, err = oauthlogin.New(oauthlogin.Options{
		Keys:      [][]byte{[]byte(rand.Text() + rand.Text())},
		Providers: []oauthlogin.Provider{a.provider.Registration(a.url)},
		Store:     a.store,
		Logger:    slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = a.routes()
	server.Start()
	t.Cleanup(server.Close)
	return a
}

func (a *scriptedApp) routes() http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string]string{
		"/scripts.js": "../docs/scripts.js",
		"/htmx4.js":   "htmx/node_modules/htmx.org/dist/htmx.min.js",
		"/htmx2.js":   "htmx/node_modules/htmx2/dist/htmx.min.js",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		library := "htmx4"
		if r.FormValue("by") == "htmx2" {
			library = "htmx2"
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer") // the least that a page may tell
		fmt.Fprintf(w, scriptedPage, library)
	})
	mux.Handle("/greeting", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s", session.User.Subject)
	})))
	// Each stream has one event. Browsers wait before they connect again.
	mux.Handle("/events", a.auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "retry: 100\ndata: hello %s\n\n", session.User.Subject)
	})))
	return a.auth.Handler(mux)
}

// scriptedPage has an element with an output for each way to send a request.
const scriptedPage = `<!doctype html>
<html lang="en">
<title>Scripts</title>
<script src="/%s.js"></script>
<button id="htmx" hx-get="/greeting" hx-target="#greeting">htmx</button>
<output id="greeting"></output>
<script type="module">
import { authFetch, authEvents } from "/scripts.js"
const show = text => { document.querySelector("#greeting").textContent = text }
const greet = async init => show(await (await authFetch("/greeting", init)).text())
window.use = {
	fetch: () => greet(),
	post: () => greet({ method: "POST", body: new URLSearchParams({ note: "kept" }) }),
	events: () => authEvents("/events", event => show(event.data)),
	htmx4: () => document.querySelector("#htmx").click(),
	htmx2: () => document.querySelector("#htmx").click(),
}
</script>
`

func (a *scriptedApp) page(by string) string { return a.url + "/page?by=" + by }

// A scriptedTab shows the page.
type scriptedTab struct{ *browserTab }

// signedInTab returns a tab that shows the page, with alice signed in.
func (a *scriptedApp) signedInTab(t *testing.T, browser *chromium, by string) scriptedTab {
	t.Helper()
	tab := browser.newProfile(t)
	tab.open(a.url + "/login?return_to=" + url.QueryEscape("/page?by="+by))
	demoSignIn(tab).want(http.StatusOK, a.page(by))
	return scriptedTab{tab}
}

// script sends a request, and does not wait for its response.
func (tab scriptedTab) script(by string) {
	tab.t.Helper()
	tab.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("#greeting").textContent = ""; setTimeout(use.%s)`, by)))
}

func (tab scriptedTab) wantGreeting(by string) {
	tab.t.Helper()
	eventually(tab.t, patience, "the greeting by "+by, func() bool {
		return evaluate[string](tab.browserTab, `document.querySelector("#greeting").textContent`) == "hello alice"
	})
}

// A fallibleStore is a store that can be down.
type fallibleStore struct {
	sessions.Store
	down    atomic.Bool
	refused atomic.Int64
}

func (s *fallibleStore) New(r *http.Request, name string) (*sessions.Session, error) {
	if s.down.Load() {
		if r.URL.Path != "/favicon.ico" {
			s.refused.Add(1)
		}
		return nil, errors.New("the store is down")
	}
	return s.Store.New(r, name)
}
