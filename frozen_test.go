package oauthlogin_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// frozen is what the version before sealed at 2000-01-01T00:00:00Z, when a synctest
// bubble begins. A rolling deployment must not sign users out, or lose logins that are
// under way.
func frozen(t *testing.T) map[string]string {
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

// A frozenSite is an application that has the keys of the frozen values, and its
// provider.
type frozenSite struct {
	t       *testing.T
	handler http.Handler
	tokens  string       // the token endpoint's response; "": an error
	sent    []url.Values // to the provider's endpoints
	session *oauthlogin.Session
}

func frozenKeys() [][]byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = 1 + byte(i*7)
	}
	return [][]byte{key}
}

func newFrozenSite(t *testing.T) *frozenSite {
	t.Helper()
	s := &frozenSite{t: t}
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys: frozenKeys(), HTTPClient: &http.Client{Transport: s},
		Providers: []oauthlogin.Provider{{
			Name: "test", Issuer: "https://provider.test",
			OAuth2: &oauth2.Config{
				ClientID: "app", ClientSecret: "s3cret-of-the-app", RedirectURL: "https://app.test/auth/callback",
				Scopes: []string{"openid", "profile", "email"},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = auth.Handler(auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.session, _ = oauthlogin.FromContext(r.Context())
	})))
	return s
}

// RoundTrip is the provider.
func (s *frozenSite) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, `{"issuer":"https://provider.test","authorization_endpoint":"https://provider.test/authorize",
		"token_endpoint":"https://provider.test/token","jwks_uri":"https://provider.test/jwks","response_types_supported":["code"],
		"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"],
		"revocation_endpoint":"https://provider.test/revoke","end_session_endpoint":"https://provider.test/logout"}`
	if r.Method == http.MethodPost {
		form, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		values, err := url.ParseQuery(string(form))
		if err != nil {
			return nil, err
		}
		s.sent = append(s.sent, values)
		if body = s.tokens; body == "" {
			status, body = http.StatusBadRequest, `{"error":"invalid_grant"}`
		}
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// do sends a request for a page, with cookies.
func (s *frozenSite) do(method, path, cookies string) *httptest.ResponseRecorder {
	s.session, s.sent = nil, nil
	r := httptest.NewRequest(method, "https://app.test"+path, nil)
	r.Header.Set("Cookie", cookies)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// location checks that a response redirects, and returns to where.
func (s *frozenSite) location(w *httptest.ResponseRecorder) *url.URL {
	s.t.Helper()
	location, err := url.Parse(w.Header().Get("Location"))
	if w.Code/100 != 3 || err != nil {
		s.t.Fatalf("%d to %v, %v: %s", w.Code, location, err, w.Body)
	}
	return location
}

const frozenSession = "__Host-oauthlogin="

func TestFrozenSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFrozenSite(t)
		cookie := frozenSession + frozen(t)["small"]
		if w := s.do("GET", "/dashboard", cookie); s.session == nil {
			t.Fatalf("not signed in: %d %v", w.Code, w.Header())
		}
		claims := `{"sub":"alice","name":"Alice","email":"alice@example.com","email_verified":true,"groups":["admin"]}`
		want := oauthlogin.User{
			Provider: "test", Issuer: "https://provider.test", Subject: "alice", Name: "Alice", Email: "alice@example.com", EmailVerified: true,
			RawClaims: []byte(claims),
		}
		if !reflect.DeepEqual(s.session.User, want) {
			t.Errorf("user %+v, want %+v", s.session.User, want)
		}
		if token := s.session.Token(); token == nil || token.AccessToken != "an-access-token" || !token.Expiry.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("token %v", token)
		}
		if got := s.session.SignedInAt(); !got.Equal(time.Now()) {
			t.Errorf("signed in at %v", got)
		}

		// Its tokens can be refreshed, and the session is sealed anew in the current version.
		time.Sleep(time.Hour)
		s.tokens = `{"access_token":"fresh","token_type":"Bearer","expires_in":3600}`
		w := s.do("GET", "/dashboard", cookie)
		if s.session == nil || s.session.Token().AccessToken != "fresh" || len(s.sent) != 1 || s.sent[0].Get("refresh_token") != "a-refresh-token" {
			t.Fatalf("session %v; the provider got %v", s.session, s.sent)
		}
		anew := strings.TrimPrefix(sentCookie(w), frozenSession)
		sealer, err := seal.New(frozenKeys(), "session", 0)
		if err != nil {
			t.Fatal(err)
		}
		for value, version := range map[string]byte{frozen(t)["small"]: 1, anew: 2} {
			packed, _, err := sealer.Open("__Host-oauthlogin", value[len("1mmmmmm"):])
			if err != nil || packed[0] != version {
				t.Errorf("a value of version %d is %v, %v", version, packed, err)
			}
		}
		if s.do("GET", "/dashboard", frozenSession+anew); s.session == nil || s.session.Token().AccessToken != "fresh" || !reflect.DeepEqual(s.session.User, want) {
			t.Errorf("sealed anew it is %v", s.session)
		}
	})
}

// sentCookie is the last cookie that a response sets, as name=value.
func sentCookie(w *httptest.ResponseRecorder) string {
	lines := w.Header()["Set-Cookie"]
	if len(lines) == 0 {
		return ""
	}
	pair, _, _ := strings.Cut(lines[len(lines)-1], ";")
	return pair
}

// frozenJWT is a JWT of the frozen sessions.
func frozenJWT(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256","typ":"JWT","kid":"k1"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte(strings.Repeat("sig!", 16)))
}

func TestFrozenSessionOfJWTs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFrozenSite(t)
		cookie := frozenSession + frozen(t)["large"]
		if w := s.do("GET", "/dashboard", cookie); s.session == nil {
			t.Fatalf("not signed in: %d %v", w.Code, w.Header())
		}
		claims := `{"iss":"https://provider.test","sub":"alice","aud":"app","exp":946688400,"iat":946684800,"auth_time":946684800,"nonce":"` +
			strings.Repeat("n", 43) + `","name":"Alice","email":"alice@example.com","email_verified":true,"sid":"s-1","groups":["admin","staff"]}`
		access := frozenJWT(`{"iss":"https://provider.test","sub":"alice","aud":["https://api.test"],"exp":946688400,"iat":946684800,"scope":"openid profile email","padding":"` +
			strings.Repeat("realm_access roles ", 20) + `"}`)
		if u := s.session.User; u.Subject != "alice" || u.Name != "Alice" || u.Email != "alice@example.com" || !u.EmailVerified || string(u.RawClaims) != claims {
			t.Errorf("user %+v", u)
		}
		if token := s.session.Token(); token == nil || token.AccessToken != access || !token.Expiry.IsZero() {
			t.Errorf("token %v", token)
		}
		s.tokens = `{}`
		location := s.location(s.do("POST", "/logout", cookie))
		if location.Host != "provider.test" || location.Query().Get("id_token_hint") != frozenJWT(claims) {
			t.Errorf("the logout leads to %v", location)
		}
		if len(s.sent) != 1 || s.sent[0].Get("token") != frozenJWT(`{"typ":"Refresh","jti":"r-1"}`) {
			t.Errorf("the logout revokes %v", s.sent)
		}
	})
}

const (
	frozenFlow  = "__Host-oauthlogin.flow.yJxTPI2P1d0x-DlJ="
	frozenState = "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M"
)

func TestFrozenFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("v", 32)))
		s := newFrozenSite(t)
		w := s.do("GET", "/auth/callback?code=the-code&state="+frozenState, frozenFlow+frozen(t)["flow"])
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "/login?return_to=%2Fdashboard%3Fx%3D1") {
			t.Errorf("a code that is refused: %d %s", w.Code, w.Body)
		}
		if len(s.sent) != 1 || s.sent[0].Get("code") != "the-code" || s.sent[0].Get("code_verifier") != verifier {
			t.Errorf("the token endpoint got %v", s.sent)
		}
		// Signed out at the provider, a silent login leads on to its page.
		s = newFrozenSite(t)
		w = s.do("GET", "/auth/callback?error=login_required&state="+frozenState, frozenFlow+frozen(t)["silentflow"])
		if got := s.location(w).String(); got != "/dashboard?x=1" {
			t.Errorf("the silent login leads to %s", got)
		}
	})
}

func TestFrozenLogoutState(t *testing.T) {
	s := newFrozenSite(t)
	if got := s.location(s.do("GET", "/?state="+url.QueryEscape(frozen(t)["logout"]), "")).String(); got != "/goodbye?x=1" {
		t.Errorf("leads to %s", got)
	}
}

func TestFrozenStepUp(t *testing.T) {
	s := newFrozenSite(t)
	location := s.location(s.do("GET", "/login?return_to=%2Fdashboard&step_up="+url.QueryEscape(frozen(t)["stepup"]), ""))
	query := location.Query()
	if location.Host != "provider.test" || query.Get("acr_values") != "phr" || query.Get("max_age") != "3600" || query.Get("prompt") != "login" {
		t.Errorf("leads to %v", location)
	}
}
