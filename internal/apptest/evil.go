package apptest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A Recorder is a host of others. It keeps all that arrives, responds with the
// cookies that it is to plant, and redirects to what the query says.
type Recorder struct {
	mu       sync.Mutex
	requests []string
	Plants   []string // Set-Cookie lines
}

// ServeHTTP keeps r.
func (rec *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		dump = []byte(err.Error())
	}
	rec.mu.Lock()
	rec.requests = append(rec.requests, r.URL.Scheme+" "+string(dump))
	w.Header()["Set-Cookie"] = rec.Plants
	rec.mu.Unlock()
	if to := r.URL.Query().Get("to"); to != "" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

func (rec *Recorder) setPlants(lines []string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.Plants = lines
}

// Has reports what arrived with one of these in it.
func (rec *Recorder) Has(secrets []string) (found []string) {
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

// Other origins: of another site, and of the site of https://app.example.test.
const (
	EvilSite    = "https://evil.test"
	EvilSibling = "https://evil.example.test"
)

// Evil are the hosts of others around an application: EvilSite, EvilSibling and
// whatever responds over plain http for a host on https.
type Evil struct {
	Recorder
	app *App

	mu  sync.Mutex
	set []string // values of cookies that the application set
}

// NewSurrounded is New at https://app.example.test, unless Config has another
// origin, with Evil around it. The test fails if a code, token or cookie of the
// application arrives there. A logout stays at the application.
func NewSurrounded(t *testing.T, with Config) *App {
	t.Helper()
	with.Origin = cmp.Or(with.Origin, "https://app.example.test")
	a := New(t, with)
	a.NoEndSession()
	e := &Evil{app: a}
	a.Evil = e
	scheme, host, _ := strings.Cut(a.URL, "://")
	ours := a.Net[host]
	a.Net[host] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Scheme != scheme {
			e.ServeHTTP(w, r)
			return
		}
		ours.ServeHTTP(w, r)
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, c := range (&http.Response{Header: w.Header()}).Cookies() {
			if len(c.Value) > 20 {
				e.set = append(e.set, c.Value)
			}
		}
	})
	for _, other := range []string{"evil.test", "evil.example.test", "example.test"} {
		a.Net[other] = e
	}
	t.Cleanup(func() {
		for _, found := range e.Has(e.Secrets()) {
			t.Errorf("another host was sent %s", found)
		}
	})
	return a
}

// Secrets returns what must not arrive: App.Secrets, and the cookies that the
// application set.
func (e *Evil) Secrets() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append(e.app.Secrets(), e.set...)
}

// GiveAway makes the cookies that were set so far the attacker's own.
func (e *Evil) GiveAway() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set = nil
}

// Plant has the browser load a page at origin that sets these cookies.
func (e *Evil) Plant(b *Browser, origin string, lines ...string) {
	b.T.Helper()
	e.setPlants(lines)
	b.Get(origin + "/")
	e.setPlants(nil)
}
