package oauthlogin

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

func frozenKeys() [][]byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = 1 + byte(i*7)
	}
	return [][]byte{key}
}

// sessionSealer seals sessions as a Middleware with the frozen keys does.
func sessionSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	sealer, err := seal.New(frozenKeys(), "session", 0)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// frozenMiddleware has the keys and the provider of testdata/version1.txt.
func frozenMiddleware(t *testing.T) *Middleware {
	t.Helper()
	m, err := New(Options{Keys: frozenKeys(), Providers: []Provider{{
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

// sampleRecord is a session with a bit of everything but extra fields.
func sampleRecord() *record.Record {
	return &record.Record{
		ID: memory.ID{1, 2, 3}, Provider: record.ProviderTag{4, 5, 6}, Created: time.Unix(1_700_000_000, 0),
		User: record.User{Subject: "alice", Name: "Alice", Email: "alice@example.com", RawClaims: []byte(`{"sub":"alice"}`)},
		Tokens: record.Tokens{
			Access: "access", Refresh: seal.NewToken("refresh"), ID: seal.NewToken("e30.eyJzdWIiOiJhbGljZSJ9.c2ln"),
			Scope: "openid", Issued: time.Unix(1_700_000_000, 0), Expiry: time.Unix(1_700_003_600, 0),
		},
	}
}

// withRecord returns a request with the session cookies of a record.
func withRecord(t *testing.T, m *Middleware, rec *record.Record, written time.Time) *http.Request {
	t.Helper()
	sealed, err := sessionSealer(t).Seal(m.cookies.Session, rec.Pack(written))
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
			rec := sampleRecord()
			rec.Provider, rec.Created = m.providers[0].Tag, time.Now().Add(tt.created)
			rec.Tokens.Issued, rec.Tokens.Expiry = rec.Created, rec.Created.Add(time.Hour)
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
		rec := sampleRecord()
		rec.Provider, rec.Created, rec.Extra.Issuer = m.providers[0].Tag, time.Now(), issuer
		rec.Tokens.Issued, rec.Tokens.Expiry = rec.Created, rec.Created.Add(time.Hour)
		s, err := m.Session(withRecord(t, m, rec, time.Now()))
		if err != nil || s == nil || s.User.Issuer != want || s.User.Provider != "test" {
			t.Errorf("issuer %q: %v, %v", issuer, s, err)
		}
	}
}

// The name that a value is sealed under would be enough to tell it from others.
func TestSessionsAndFlowsHaveKeysOfTheirOwn(t *testing.T) {
	m := frozenMiddleware(t)
	for _, pair := range [][2]*seal.Sealer{{sessionSealer(t), m.shortLived}, {m.shortLived, sessionSealer(t)}} {
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
	rec := sampleRecord()
	rec.Provider, rec.Created = m.providers[0].Tag, time.Now()
	r := withRecord(t, m, rec, time.Now())
	m.sessions.Grants.Replace(rec, time.Now())
	w := httptest.NewRecorder()
	if m.renew(w, r, rec); log.Len() > 0 || len(w.Header()["Set-Cookie"]) > 0 {
		t.Errorf("%v, %s", w.Header(), log.String())
	}
}

// What the version before sealed opens to what it was.
func TestFrozenFlows(t *testing.T) {
	m := frozenMiddleware(t)
	values := readFrozen(t)
	random := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(s, 32))) }
	f := &flow.Flow{
		Provider: m.providers[0].Tag, State: random("s"), Verifier: random("v"),
		Want:    protocol.Authentication{Nonce: random("n"), MaxAge: time.Hour, ACRValues: "phr phrh"},
		Started: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Local(), ReturnPath: "/dashboard?x=1",
	}
	name := m.flows.CookieName(f.State)
	r := &http.Request{Header: http.Header{"Cookie": {name + "=" + values["flow"]}}}
	if got := m.flows.Find(r, name, f.State); !reflect.DeepEqual(got, f) {
		t.Errorf("%+v, want %+v", got, f)
	}
	f.Want.MaxAge, f.Want.ACRValues, f.Silent = -1, "", true
	r.Header.Set("Cookie", name+"="+values["silentflow"])
	if got := m.flows.Find(r, name, f.State); !reflect.DeepEqual(got, f) {
		t.Errorf("silent: %+v, want %+v", got, f)
	}
	synctest.Test(t, func(t *testing.T) {
		r := &http.Request{Header: http.Header{"Cookie": {m.cookies.Rounds + "=" + values["rounds"]}}}
		if n := m.flows.Rounds(r); n != 3 {
			t.Errorf("%d rounds", n)
		}
		time.Sleep(time.Minute + 1)
		if n := m.flows.Rounds(r); n != 0 {
			t.Errorf("%d rounds a minute later", n)
		}
	})
}
