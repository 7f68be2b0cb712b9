package oauthlogintest_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

type failingTransport struct{ t *testing.T }

func (f failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	f.t.Errorf("the network is asked for %s", r.URL)
	return nil, errors.New("no network")
}

// newAuth returns a Middleware with an OpenID Connect provider, "id", and a plain
// one, "hub". It must not use the network.
func newAuth(t *testing.T) *oauthlogin.Middleware {
	t.Helper()
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: [][]byte{testKey}, HTTPClient: &http.Client{Transport: failingTransport{t}}, Logger: slog.New(slog.DiscardHandler),
		Providers: []oauthlogin.Provider{
			{Name: "id", Issuer: "https://id.example", OAuth2: &oauth2.Config{ClientID: "app", RedirectURL: "https://app.test/cb/id", Scopes: []string{"email", "calendar"}}},
			{
				Name:     "hub",
				Identify: func(context.Context, *http.Client) (oauthlogin.User, error) { return oauthlogin.User{}, nil },
				OAuth2: &oauth2.Config{ClientID: "app", RedirectURL: "https://app.test/cb/hub", Endpoint: oauth2.Endpoint{
					AuthURL: "https://hub.example/authorize", TokenURL: "https://hub.example/token",
				}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func request(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWithUser(t *testing.T) {
	t.Parallel()
	auth := newAuth(t)
	for _, tt := range []struct {
		name string
		user oauthlogin.User
		want string
	}{
		{"a subject", oauthlogin.User{Subject: "alice"}, `{"Provider":"id","Issuer":"https://id.example","Subject":"alice","Name":"","Email":"","EmailVerified":false,"RawClaims":{"sub":"alice"}}`},
		{
			"name and address",
			oauthlogin.User{Subject: "alice", Name: "Alice", Email: "a@example.com"},
			`{"Provider":"id","Issuer":"https://id.example","Subject":"alice","Name":"Alice","Email":"a@example.com","EmailVerified":false,"RawClaims":{"email":"a@example.com","name":"Alice","sub":"alice"}}`,
		},
		{
			"an address that is verified",
			oauthlogin.User{Subject: "alice", Email: "a@example.com", EmailVerified: true},
			`{"Provider":"id","Issuer":"https://id.example","Subject":"alice","Name":"","Email":"a@example.com","EmailVerified":true,"RawClaims":{"email":"a@example.com","email_verified":true,"sub":"alice"}}`,
		},
		{
			"a provider and claims",
			oauthlogin.User{Provider: "hub", Subject: "7", RawClaims: json.RawMessage(`{"id":7}`)},
			`{"Provider":"hub","Issuer":"https://hub.example","Subject":"7","Name":"","Email":"","EmailVerified":false,"RawClaims":{"id":7}}`,
		},
		{
			"an issuer",
			oauthlogin.User{Issuer: "https://tenant.example", Subject: "alice"},
			`{"Provider":"id","Issuer":"https://tenant.example","Subject":"alice","Name":"","Email":"","EmailVerified":false,"RawClaims":{"sub":"alice"}}`,
		},
	} {
		r := oauthlogintest.WithUser(t, auth, request("/dashboard"), tt.user)
		for name, h := range map[string]http.Handler{
			"no gate":                 http.HandlerFunc(showUser),
			"Handler":                 auth.Handler(http.HandlerFunc(showUser)),
			"RequireAuth":             auth.RequireAuth(http.HandlerFunc(showUser)),
			"RequireAuth and Handler": auth.Handler(auth.RequireAuth(http.HandlerFunc(showUser))),
			"SilentLogin":             auth.SilentLogin(http.HandlerFunc(showUser)),
			"Session": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, err := auth.Session(r)
				if err != nil || s == nil {
					t.Fatalf("session %v, %v", s, err)
				}
				json.NewEncoder(w).Encode(s.User)
			}),
		} {
			if w := serve(h, r); w.Code != 200 || strings.TrimSpace(w.Body.String()) != tt.want || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s, %s: %d %s\nwant %s", tt.name, name, w.Code, w.Body, tt.want)
			}
		}
	}
	bare := request("/dashboard")
	oauthlogintest.WithUser(t, auth, bare, oauthlogin.User{Subject: "alice"})
	if w := serve(auth.RequireAuth(http.HandlerFunc(showUser)), bare); w.Code != http.StatusUnauthorized && w.Code != http.StatusFound {
		t.Errorf("WithUser changes its argument: %d", w.Code)
	}
}

func TestWithUserAtPolicies(t *testing.T) {
	t.Parallel()
	auth := newAuth(t)
	now, err := json.Marshal(map[string]any{"sub": "alice", "auth_time": time.Now().Unix(), "acr": "phr", "groups": []string{"staff", "admin"}})
	if err != nil {
		t.Fatal(err)
	}
	alice := oauthlogin.User{Subject: "alice", Email: "a@example.com"}
	verified := oauthlogin.User{Subject: "alice", Email: "a@example.com", EmailVerified: true}
	admin := oauthlogin.User{Subject: "alice", RawClaims: now}
	for _, tt := range []struct {
		name   string
		user   oauthlogin.User
		policy oauthlogin.Policy
		want   int
	}{
		{"no claim", alice, oauthlogin.Policy{Providers: []string{"id"}, Claims: map[string][]string{"groups": {"admin"}}}, 403},
		{"the claim", admin, oauthlogin.Policy{Providers: []string{"id"}, Claims: map[string][]string{"groups": {"admin"}}}, 200},
		{"another value", admin, oauthlogin.Policy{Providers: []string{"id"}, Claims: map[string][]string{"groups": {"root"}}}, 403},
		{"an address that is not verified", alice, oauthlogin.Policy{Providers: []string{"id"}, Claims: map[string][]string{"email": {"a@example.com"}}}, 403},
		{"a verified address", verified, oauthlogin.Policy{Providers: []string{"id"}, Claims: map[string][]string{"email": {"a@example.com"}}}, 200},
		{"the provider", alice, oauthlogin.Policy{Providers: []string{"id"}}, 200},
		{"another provider", alice, oauthlogin.Policy{Providers: []string{"hub"}}, 403},
		{"a scope that is configured", alice, oauthlogin.Policy{Scopes: []string{"calendar"}}, 200},
		{"another scope", alice, oauthlogin.Policy{Scopes: []string{"mail"}}, 401},
		{"MaxAge and ACR", admin, oauthlogin.Policy{MaxAge: time.Minute, ACR: []string{"phr"}}, 200},
		{"another ACR", admin, oauthlogin.Policy{ACR: []string{"phrh"}}, 401},
		{"MaxAge without auth_time", alice, oauthlogin.Policy{MaxAge: time.Minute}, 401},
		{"MaxAge at a plain provider", oauthlogin.User{Provider: "hub", Subject: "alice"}, oauthlogin.Policy{MaxAge: time.Minute}, 403},
	} {
		r := oauthlogintest.WithUser(t, auth, request("/admin"), tt.user)
		r.Header.Set("Accept", "application/json")
		if w := serve(auth.Require(tt.policy)(http.HandlerFunc(showUser)), r); w.Code != tt.want {
			t.Errorf("%s: %d %s; want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
}

// Each Middleware sees its own user, and FromContext the innermost.
func TestWithUserOfTwo(t *testing.T) {
	t.Parallel()
	staff, shop := newAuth(t), newAuth(t)
	r := oauthlogintest.WithUser(t, staff, request("/"), oauthlogin.User{Subject: "alice"})
	if w := serve(shop.RequireAuth(http.HandlerFunc(showUser)), r); w.Code == 200 {
		t.Errorf("a session of another Middleware is let in: %s", w.Body)
	}
	r = oauthlogintest.WithUser(t, shop, r, oauthlogin.User{Subject: "bob"})
	for name, tt := range map[string]struct {
		h    http.Handler
		want string
	}{
		"staff":             {staff.RequireAuth(http.HandlerFunc(showUser)), "alice"},
		"shop":              {shop.RequireAuth(http.HandlerFunc(showUser)), "bob"},
		"shop within staff": {staff.RequireAuth(shop.RequireAuth(http.HandlerFunc(showUser))), "bob"},
		"staff within shop": {shop.RequireAuth(staff.RequireAuth(http.HandlerFunc(showUser))), "alice"},
		"neither":           {http.HandlerFunc(showUser), "bob"},
	} {
		if w := serve(tt.h, r); !strings.Contains(w.Body.String(), `"Subject":"`+tt.want+`"`) {
			t.Errorf("%s: %d %s; want %s", name, w.Code, w.Body, tt.want)
		}
	}
	again := oauthlogintest.WithUser(t, shop, r, oauthlogin.User{Subject: "carol"})
	if w := serve(shop.RequireAuth(http.HandlerFunc(showUser)), again); !strings.Contains(w.Body.String(), "carol") {
		t.Errorf("the later user: %s", w.Body)
	}
}

// The session is new, never refreshed, and can be ended.
func TestWithUserSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := newAuth(t)
		r := oauthlogintest.WithUser(t, auth, request("/"), oauthlogin.User{Subject: "alice"})
		s, err := auth.Session(r)
		if err != nil {
			t.Fatal(err)
		}
		if !s.SignedInAt().Equal(time.Now()) || !s.Expires().After(time.Now().Add(time.Minute)) || s.Token() != nil {
			t.Errorf("signed in at %v until %v, token %v", s.SignedInAt(), s.Expires(), s.Token())
		}
		if _, err := auth.Client(r.Context()).Get("https://api.test/"); !errors.Is(err, oauthlogin.ErrNoToken) {
			t.Errorf("calls an API: %v", err)
		}
		if w := serve(http.HandlerFunc(auth.SessionInfo), r); !strings.Contains(w.Body.String(), `"sub":"alice"`) {
			t.Errorf("SessionInfo: %s", w.Body)
		}
		time.Sleep(3 * time.Hour)
		if w := serve(auth.RequireAuth(http.HandlerFunc(showUser)), r); w.Code != 200 {
			t.Errorf("hours later: %d", w.Code)
		}
		auth.SignOut(httptest.NewRecorder(), r)
		if s, err := auth.Session(r); s != nil || err != nil {
			t.Errorf("after SignOut: %v, %v", s, err)
		}
		other := oauthlogintest.WithUser(t, auth, request("/"), oauthlogin.User{Subject: "alice"})
		if s, _ := auth.Session(other); s == nil {
			t.Error("another session has ended")
		}
	})
}

func TestWithUserFails(t *testing.T) {
	t.Parallel()
	auth := newAuth(t)
	for _, tt := range []struct {
		name string
		auth *oauthlogin.Middleware
		user oauthlogin.User
		text string
	}{
		{"no subject", auth, oauthlogin.User{Name: "Alice"}, "User.Subject is empty"},
		{"an unknown provider", auth, oauthlogin.User{Subject: "alice", Provider: "elsewhere"}, `"elsewhere"`},
		{"claims that are no object", auth, oauthlogin.User{Subject: "alice", RawClaims: json.RawMessage(`["x"]`)}, "User.RawClaims is not a JSON object"},
		{"claims that are no JSON", auth, oauthlogin.User{Subject: "alice", RawClaims: json.RawMessage(`{`)}, "User.RawClaims is not a JSON object"},
		{"no Middleware", nil, oauthlogin.User{Subject: "alice"}, "not made by New"},
		{"a Middleware of no use", &oauthlogin.Middleware{}, oauthlogin.User{Subject: "alice"}, "not made by New"},
	} {
		wantFatal(t, func(t testing.TB) { oauthlogintest.WithUser(t, tt.auth, request("/"), tt.user) }, "WithUser", tt.text)
	}
}
