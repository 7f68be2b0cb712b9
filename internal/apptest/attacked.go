package apptest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/oauthlogin/oauthlogin"
)

// A record is what the application said to browsers, and what was asked of the
// attacker's host.
type record struct {
	mu      sync.Mutex
	said    strings.Builder // headers but for Location and Set-Cookie, and our own pages
	told    []string        // Locations
	reached []*http.Request // at hostile.test, by us
}

// NewAttacked is New for tests that end in Leaves, in a synctest bubble. All
// that it says to browsers is recorded; hostile.test is a copy of the provider.
// There are two paths more: /admin/ is guarded, and /start begins a login by
// StartLogin for the parameter to. What is logged has to be fit for one line of
// any log, whatever its handler escapes.
func NewAttacked(t *testing.T, with Config) *App {
	t.Helper()
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		log, _ := opts.Logger.Handler().(*slog.TextHandler)
		opts.Logger = slog.New(&printableOnly{log, t})
		if change != nil {
			change(opts)
		}
	}
	a := New(t, with)
	a.record = &record{}
	a.Net["app.test"] = a.Recorded(a.Net["app.test"])
	a.Net["hostile.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Reached(r)
		r.URL.Host, r.Host = "provider.test", "provider.test" // a copy that responds as well
		a.Provider.ServeHTTP(w, r)
	})
	return a
}

func (a *App) attackedRoutes(mux *http.ServeMux) {
	mux.Handle("/admin/", a.Gate())
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
		a.Auth.StartLogin(w, r, oauthlogin.LoginOptions{ReturnTo: r.URL.Query().Get("to")})
	})
}

// Reached counts r as one that reached the attacker's host.
func (a *App) Reached(r *http.Request) {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	a.record.reached = append(a.record.reached, r)
}

// Told returns the Location headers so far.
func (a *App) Told() []string {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	return slices.Clone(a.record.told)
}

// Gate is RequireAuth around a page that counts as /admin.
func (a *App) Gate() http.Handler {
	return a.Auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.calls["/admin"]++
		a.mu.Unlock()
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "secrets of %s", s.User.Subject)
	}))
}

// CatchAll is an application that is nothing but the gate.
func (a *App) CatchAll() http.Handler { return a.Recorded(Audited(a.T, true, a.Gate())) }

// Recorded records what next says.
func (a *App) Recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		a.record.mu.Lock()
		defer a.record.mu.Unlock()
		for name, values := range rec.Header() {
			w.Header()[name] = values
			for _, value := range values {
				if strings.ContainsFunc(name+value, unicode.IsControl) {
					a.T.Errorf("%s %s: header %q: %q", r.Method, r.URL.Path, name, value)
				}
				switch {
				case name == "Location":
					a.record.told = append(a.record.told, value)
				case name != "Set-Cookie":
					fmt.Fprintln(&a.record.said, name, value)
				case !strings.HasPrefix(value, SessionCookie):
					a.T.Errorf("%s %s: Set-Cookie %q", r.Method, r.URL.Path, value)
				}
			}
		}
		if rec.Code != http.StatusOK { // which only pages of the application have
			a.record.said.Write(rec.Body.Bytes())
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// printableOnly fails the test if a log line is not one line, or could be
// more than text on a terminal.
type printableOnly struct {
	*slog.TextHandler
	t *testing.T
}

func (h *printableOnly) Handle(ctx context.Context, r slog.Record) error {
	check := func(text string) {
		if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) || strings.Contains(text, "%!") {
			h.t.Errorf("logs %q", text)
		}
	}
	check(r.Message)
	r.Attrs(func(attr slog.Attr) bool {
		check(attr.Value.Resolve().String())
		return true
	})
	return h.TextHandler.Handle(ctx, r)
}
