package oauthlogin

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// frozenMiddleware has the keys and the provider of testdata/version1.txt.
func frozenMiddleware(t *testing.T) *Middleware {
	t.Helper()
	key := make([]byte, 32)
	for i := range key {
		key[i] = 1 + byte(i*7)
	}
	m, err := New(Options{Keys: [][]byte{key}, Providers: []Provider{{
		Name: "test", Issuer: "https://provider.test",
		OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: "s3cret-of-the-app", RedirectURL: "https://app.test/auth/callback"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readFrozen returns what the version before sealed, by name.
func readFrozen(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/version1.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[name] = value
	}
	return values
}

// withRecord returns a request with the session cookies of a record.
func withRecord(t *testing.T, m *Middleware, rec *record, written time.Time) *http.Request {
	t.Helper()
	sealed, err := m.sessions.sealer.Seal(m.sessions.cookies.Session, rec.pack(written))
	if err != nil {
		t.Fatal(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	if err := m.cookies.Write(w, r, sealed, 60); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range w.Result().Cookies() {
		r.AddCookie(cookie)
	}
	return r
}

// A session from further in the future than clocks differ would outlive its limits.
func TestRecordsOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := frozenMiddleware(t)
		for _, tt := range []struct {
			created, written time.Duration
			signedIn         bool
		}{
			{0, 0, true},
			{4 * time.Minute, 4 * time.Minute, true},
			{0, 4 * time.Minute, true},
			{5 * time.Minute, 5 * time.Minute, true},
			{0, 5*time.Minute + time.Millisecond, false},
			{5*time.Minute + time.Millisecond, 0, false},
			{6 * time.Minute, 6 * time.Minute, false},
			{6 * time.Minute, 0, false},
			{0, 6 * time.Minute, false},
			{0, 1000 * time.Hour, false},
		} {
			rec := smallRecord()
			rec.provider, rec.created = m.providers[0].tag, time.Now().Add(tt.created)
			rec.tokens.issued, rec.tokens.expiry = rec.created, rec.created.Add(time.Hour)
			s, err := m.Session(withRecord(t, m, rec, time.Now().Add(tt.written)))
			if (s != nil) != tt.signedIn || err != nil {
				t.Errorf("created in %v and written in %v: signed in: %t, %v", tt.created, tt.written, s != nil, err)
			}
		}
	})
}

// The user's issuer is the provider's unless the session has one of its own.
func TestIssuerOfRecord(t *testing.T) {
	m := frozenMiddleware(t)
	for issuer, want := range map[string]string{"": "https://provider.test", "https://tenant.test": "https://tenant.test"} {
		rec := smallRecord()
		rec.provider, rec.created, rec.extra.issuer = m.providers[0].tag, time.Now(), issuer
		rec.tokens.issued, rec.tokens.expiry = rec.created, rec.created.Add(time.Hour)
		s, err := m.Session(withRecord(t, m, rec, time.Now()))
		if err != nil || s == nil || s.User.Issuer != want || s.User.Provider != "test" {
			t.Errorf("issuer %q: %v, %v", issuer, s, err)
		}
	}
}

// The name that a value is sealed under would be enough to tell it from others.
func TestSessionsAndFlowsHaveKeysOfTheirOwn(t *testing.T) {
	m := frozenMiddleware(t)
	for _, pair := range [][2]*seal.Sealer{{m.sessions.sealer, m.shortLived}, {m.shortLived, m.sessions.sealer}} {
		sealed, err := pair[0].Seal("name", []byte("value"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := pair[1].Open("name", sealed); err == nil {
			t.Error("sessions and flows are sealed by the same keys")
		}
		if value, _, err := pair[0].Open("name", sealed); err != nil || string(value) != "value" {
			t.Errorf("%q, %v", value, err)
		}
	}
}

// A browser with an old cookie could fill the log with warnings.
func TestRenewingWhatHasEndedIsNoFault(t *testing.T) {
	m := frozenMiddleware(t)
	var log strings.Builder
	m.log = slog.New(slog.NewTextHandler(&log, nil))
	rec := smallRecord()
	rec.provider, rec.created = m.providers[0].tag, time.Now()
	r := withRecord(t, m, rec, time.Now())
	m.sessions.grants.Replace(rec, time.Now())
	w := httptest.NewRecorder()
	if m.renew(w, r, rec); log.Len() > 0 || len(w.Header()["Set-Cookie"]) > 0 {
		t.Errorf("%v, %s", w.Header(), log.String())
	}
}
