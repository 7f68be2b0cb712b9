package oauthlogin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin"
)

// A recorder is somebody else's host. It keeps all that arrives, answers with
// the cookies that it is to plant, and redirects to what the query says.
type recorder struct {
	mu       sync.Mutex
	requests []string
	plants   []string // Set-Cookie lines
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		dump = []byte(err.Error())
	}
	rec.mu.Lock()
	rec.requests = append(rec.requests, r.URL.Scheme+" "+string(dump))
	w.Header()["Set-Cookie"] = rec.plants
	rec.mu.Unlock()
	if to := r.URL.Query().Get("to"); to != "" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// has reports what arrived with one of these in it.
func (rec *recorder) has(secrets []string) (found []string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, request := range rec.requests {
		for _, secret := range secrets {
			if strings.Contains(request, secret) || strings.Contains(request, url.QueryEscape(secret)) {
				found = append(found, fmt.Sprintf("%.12s... in %.60q", secret, request))
			}
		}
	}
	return found
}

const (
	evilSite    = "https://evil.test"
	evilSibling = "https://evil.example.test"
)

// A hostileApp is an application at https://app.example.test, or at the origin
// given, among others' hosts: evilSite, evilSibling and whoever answers for it
// over plain http. No code, token or cookie of ours arrives at any of them.
type hostileApp struct {
	*wiredApp
	evil *recorder

	mu  sync.Mutex
	set []string // values of cookies that we set
}

func newHostileApp(t *testing.T, with offline) *hostileApp {
	t.Helper()
	if with.origin == "" {
		with.origin = "https://app.example.test"
	}
	a := &hostileApp{wiredApp: newWiredApp(t, with), evil: &recorder{}}
	a.provider.SetKeyAlg("ES256")
	a.logoutStaysHere()
	scheme, host, _ := strings.Cut(with.origin, "://")
	ours := a.net[host]
	a.net[host] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Scheme != scheme {
			a.evil.ServeHTTP(w, r)
			return
		}
		ours.ServeHTTP(w, r)
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, c := range (&http.Response{Header: w.Header()}).Cookies() {
			if len(c.Value) > 20 {
				a.set = append(a.set, c.Value)
			}
		}
	})
	for _, other := range []string{"evil.test", "evil.example.test", "example.test"} {
		a.net[other] = a.evil
	}
	t.Cleanup(func() {
		for _, found := range a.evil.has(a.ourSecrets()) {
			t.Errorf("a host of somebody else's was sent %s", found)
		}
	})
	return a
}

func (a *hostileApp) ourSecrets() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(a.secrets(), a.set...)
}

// giveAway makes the cookies that were set so far the attacker's own.
func (a *hostileApp) giveAway() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set = nil
}

// plant has the browser load a page at origin that sets these cookies.
func (a *hostileApp) plant(b *browser, origin string, lines ...string) {
	b.t.Helper()
	a.evil.mu.Lock()
	a.evil.plants = lines
	a.evil.mu.Unlock()
	b.get(origin + "/")
	a.evil.mu.Lock()
	defer a.evil.mu.Unlock()
	a.evil.plants = nil
}

// chunks are the names of the session's cookies.
func (b *browser) chunks() []string {
	b.t.Helper()
	return slices.DeleteFunc(b.cookieNames(sessionCookie), func(name string) bool {
		return strings.HasPrefix(name, flowPrefix) || name == sessionCookie+".rounds"
	})
}

// numbered is n cookies with names that end in a number.
func numbered(n int, line string) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(line, i))
	}
	return lines
}

// who is the user that the browser is signed in as at path, "" if it is not.
func (b *browser) who(path string) string {
	b.t.Helper()
	resp := b.get(path)
	var user oauthlogin.User
	if resp.StatusCode == http.StatusOK && json.Unmarshal([]byte(resp.body), &user) == nil {
		return user.Subject
	}
	return ""
}

// mallory is signed in as herself, in a browser of her own.
func (a *hostileApp) mallory(t *testing.T) *browser {
	t.Helper()
	a.provider.AutoApprove("mallory")
	defer a.provider.AutoApprove("alice")
	b := a.browser(t)
	b.login("/dashboard")
	return b
}
