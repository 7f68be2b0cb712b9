package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// A Stage is an application and a provider in one process, without sockets and
// small enough for thousands of logins a second. What the provider says is the
// fuzzer's to choose. It is for one goroutine.
type Stage struct {
	auth *oauthlogin.Middleware
	app  http.Handler
	Log  *LogBuffer
	Key  *ecdsa.PrivateKey // of the provider

	Says    map[string]func(form url.Values) Reply // by path
	Asked   map[string]int                         // by path
	Bearers []string                               // Authorization of calls to https://api.test
	known   map[string]bool                        // responses that ordinary inputs get

	Served int                       // how often the guarded handler ran
	User   oauthlogin.User           // and for whom, the last time
	Token  *oauth2.Token             // and with what
	Inside func(client *http.Client) // and what it does; nil: nothing
	change func(*oauthlogin.Options) // nil: nothing
}

// A Reply is a response of the scripted provider.
type Reply struct {
	Status      int
	ContentType string
	Body        string
}

// Always is a script that says one thing.
func Always(a Reply) func(url.Values) Reply { return func(url.Values) Reply { return a } }

// Say is a Reply.
func Say(status int, contentType, body string) Reply { return Reply{status, contentType, body} }

// InJSON is a Reply with status 200.
func InJSON(body string) Reply { return Say(http.StatusOK, "application/json", body) }

// NewStage returns a Stage whose provider says nothing but its metadata and keys.
// change, if not nil, edits the options before each oauthlogin.New.
func NewStage(f *testing.F, change func(*oauthlogin.Options)) *Stage {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	jwk, _ := json.Marshal(map[string]any{"keys": []any{ECJWK(key, "k")}})
	s := &Stage{Log: &LogBuffer{}, Key: key, change: change, known: map[string]bool{}, Says: map[string]func(url.Values) Reply{
		"/.well-known/openid-configuration": Always(InJSON(Metadata)),
		"/jwks":                             Always(InJSON(string(jwk))),
		"/userinfo":                         Always(Reply{Status: http.StatusForbidden}),
		"/thing":                            Always(Reply{Status: http.StatusOK}),
	}}
	s.Restart(f)
	return s
}

// Restart makes the application anew: it knows nothing of what was.
func (s *Stage) Restart(t testing.TB) {
	t.Helper()
	opts := oauthlogin.Options{
		Providers: []oauthlogin.Provider{{
			Name: "test", Issuer: "https://provider.test",
			OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: "s3cret-of-the-app", RedirectURL: Origin + "/auth/callback"},
		}},
		Keys:       [][]byte{Key(1)},
		HTTPClient: &http.Client{Transport: s},
		Logger:     slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		// A run takes a while; it is not about time.
		IdleTimeout: 10_000 * time.Hour, MaxLifetime: 10_000 * time.Hour,
	}
	if s.change != nil {
		s.change(&opts)
	}
	auth, err := oauthlogin.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	guarded := auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		session, _ := oauthlogin.FromContext(r.Context())
		s.Served++
		s.User, s.Token = session.User, session.Token()
		if s.Inside != nil {
			s.Inside(auth.Client(r.Context()))
		}
	}))
	s.auth = auth
	s.app = auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/dashboard" {
			guarded.ServeHTTP(w, r)
		}
	}))
	s.Reset()
}

// Reset forgets what an input did.
func (s *Stage) Reset() {
	s.Asked, s.Bearers, s.Served, s.User, s.Token, s.Inside = map[string]int{}, nil, 0, oauthlogin.User{}, nil, nil
	s.Log.Reset()
}

// RoundTrip is the network.
func (s *Stage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.Asked[r.URL.Path]++
	if r.URL.Host == "api.test" {
		s.Bearers = append(s.Bearers, r.Header.Get("Authorization"))
	}
	says := s.Says[r.URL.Path]
	if says == nil {
		return nil, errors.New("no route to host")
	}
	var form url.Values
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(body))
	}
	a := says(form)
	return &http.Response{
		StatusCode: a.Status, Header: http.Header{"Content-Type": {a.ContentType}},
		Body: io.NopCloser(strings.NewReader(a.Body)), Request: r,
	}, nil
}

// Do sends a request to the application, with every byte as it is. header is
// name, value, name, value.
func (s *Stage) Do(t testing.TB, method, path, query, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := (&http.Request{
		Method: method, URL: &url.URL{Path: path, RawQuery: query}, Host: "app.test", RequestURI: path,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
	}).WithContext(t.Context())
	if query != "" {
		r.RequestURI += "?" + query
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Add(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.app.ServeHTTP(w, r)
	return w
}

// Get sends GET with a Cookie header; "" is none.
func (s *Stage) Get(t testing.TB, path, query, cookies string) *httptest.ResponseRecorder {
	t.Helper()
	return s.Do(t, http.MethodGet, path, query, "", "Cookie", cookies)
}

// SignedIn reports whether cookies open the gate.
func (s *Stage) SignedIn(t testing.TB, cookies string) bool {
	t.Helper()
	before := s.Served
	s.Get(t, "/dashboard", "x=1", cookies)
	return s.Served > before
}
