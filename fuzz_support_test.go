package oauthlogin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
)

// A stage is an application and a provider in one process, without sockets and
// small enough for thousands of logins a second. What the provider says is the
// fuzzer's to choose. It is for one goroutine.
type stage struct {
	auth *oauthlogin.Middleware
	app  http.Handler
	log  *logBuffer
	key  *ecdsa.PrivateKey // of the provider

	says    map[string]func(form url.Values) answer // by path
	asked   map[string]int                          // by path
	bearers []string                                // Authorization of calls to https://api.test
	known   map[string]bool                         // answers that ordinary inputs get

	served int                       // how often the guarded handler ran
	user   oauthlogin.User           // and for whom, the last time
	token  *oauth2.Token             // and with what
	inside func(client *http.Client) // and what it does; nil: nothing
	change func(*oauthlogin.Options) // nil: nothing
}

type answer struct {
	status      int
	contentType string
	body        string
}

func always(a answer) func(url.Values) answer { return func(url.Values) answer { return a } }

func inJSON(body string) answer { return answer{http.StatusOK, "application/json", body} }

const (
	fuzzMetadata = `{"issuer":"https://provider.test","authorization_endpoint":"https://provider.test/authorize",` +
		`"token_endpoint":"https://provider.test/token","jwks_uri":"https://provider.test/jwks",` +
		`"userinfo_endpoint":"https://provider.test/userinfo","end_session_endpoint":"https://provider.test/end_session",` +
		`"id_token_signing_alg_values_supported":["ES256","RS256","HS256","none"],"authorization_response_iss_parameter_supported":true}`
	ourOrigin   = "https://app.test"
	fuzzReturn  = "/dashboard?x=1"
	goodAnswer  = "code=c0de&state={state}&iss=https://provider.test"
	goodClaims  = `{"iss":"https://provider.test","sub":"alice","aud":"app","exp":{later},"iat":{now},"nonce":"{nonce}"}`
	goodHeader  = `{"alg":"ES256","kid":"k"}`
	goodTokenOf = `{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600,"refresh_token":"a-refresh-token","id_token":"{id_token}"}`
)

func newStage(f *testing.F, change func(*oauthlogin.Options)) *stage {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	jwk, _ := json.Marshal(object{"keys": []any{ecJWK(key, "k")}})
	s := &stage{log: &logBuffer{}, key: key, change: change, known: map[string]bool{}, says: map[string]func(url.Values) answer{
		"/.well-known/openid-configuration": always(inJSON(fuzzMetadata)),
		"/jwks":                             always(inJSON(string(jwk))),
		"/userinfo":                         always(answer{status: http.StatusForbidden}),
		"/thing":                            always(answer{status: http.StatusOK}),
	}}
	s.restart(f)
	return s
}

// restart makes the application anew: it knows nothing of what was.
func (s *stage) restart(t testing.TB) {
	t.Helper()
	opts := oauthlogin.Options{
		Providers: []oauthlogin.Provider{{
			Name: "test", Issuer: "https://provider.test",
			OAuth2: &oauth2.Config{ClientID: "app", ClientSecret: "s3cret-of-the-app", RedirectURL: ourOrigin + "/auth/callback"},
		}},
		Keys:       [][]byte{testKey(1)},
		HTTPClient: &http.Client{Transport: s},
		Logger:     slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
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
		s.served++
		s.user, s.token = session.User, session.Token()
		if s.inside != nil {
			s.inside(auth.Client(r.Context()))
		}
	}))
	s.auth = auth
	s.app = auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/dashboard" {
			guarded.ServeHTTP(w, r)
		}
	}))
	s.reset()
}

// reset forgets what an input did.
func (s *stage) reset() {
	s.asked, s.bearers, s.served, s.user, s.token, s.inside = map[string]int{}, nil, 0, oauthlogin.User{}, nil, nil
	s.log.b.Reset()
}

// RoundTrip is the network.
func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked[r.URL.Path]++
	if r.URL.Host == "api.test" {
		s.bearers = append(s.bearers, r.Header.Get("Authorization"))
	}
	says := s.says[r.URL.Path]
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
		StatusCode: a.status, Header: http.Header{"Content-Type": {a.contentType}},
		Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

// do sends a request to the application, with every byte as it is. header is
// name, value, name, value.
func (s *stage) do(t testing.TB, method, path, query, body string, header ...string) *httptest.ResponseRecorder {
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

func (s *stage) get(t testing.TB, path, query, cookies string) *httptest.ResponseRecorder {
	t.Helper()
	return s.do(t, http.MethodGet, path, query, "", "Cookie", cookies)
}

// signedIn reports whether cookies open the gate.
func (s *stage) signedIn(t testing.TB, cookies string) bool {
	t.Helper()
	before := s.served
	s.get(t, "/dashboard", "x=1", cookies)
	return s.served > before
}

// kept are the cookies that a browser sends after an answer.
func kept(w *httptest.ResponseRecorder) string {
	var pairs []string
	for _, c := range w.Result().Cookies() {
		if c.MaxAge > 0 {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// A pendingLogin is one that has come as far as the provider.
type pendingLogin struct{ state, nonce, cookies string }

func (s *stage) begin(t testing.TB) pendingLogin {
	t.Helper()
	w := s.get(t, "/login", "return_to="+url.QueryEscape(fuzzReturn), "")
	query := queryOf(w.Header().Get("Location"))
	if w.Code != http.StatusSeeOther || query.Get("state") == "" {
		t.Fatalf("login: %d to %q", w.Code, w.Header().Get("Location"))
	}
	return pendingLogin{query.Get("state"), query.Get("nonce"), kept(w)}
}

func (l pendingLogin) fill(text string) string {
	now := time.Now().Unix()
	return strings.NewReplacer(
		"{state}", l.state, "{nonce}", l.nonce, "{now}", fmt.Sprint(now), "{later}", fmt.Sprint(now+3600),
		"{past}", fmt.Sprint(now-3600), "{soon}", fmt.Sprint(now+20),
	).Replace(text)
}

// sign is the JWS compact serialization of any text at all.
func (s *stage) sign(header, claims string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(es256(s.key)(input))
}

// finish lets the provider answer a login, and the browser come back with it.
func (s *stage) finish(t testing.TB, l pendingLogin, tokens answer) *httptest.ResponseRecorder {
	t.Helper()
	s.says["/token"] = always(tokens)
	return s.get(t, "/auth/callback", l.fill(goodAnswer), l.cookies)
}

// signIn returns the cookies of a new session.
func (s *stage) signIn(t testing.TB, claims, tokens string) string {
	t.Helper()
	l := s.begin(t)
	w := s.finish(t, l, inJSON(strings.ReplaceAll(tokens, "{id_token}", s.sign(goodHeader, l.fill(claims)))))
	if w.Code != http.StatusSeeOther {
		t.Fatalf("signing in: %d %s", w.Code, s.log)
	}
	return kept(w)
}

// incompressible is n bytes and more of text that JSON takes as it is.
func incompressible(n int) string { return base64.RawURLEncoding.EncodeToString([]byte(noise(n))) }

// shape is an answer without what differs each time: the reference on the page
// and the values of cookies.
func shape(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	h := w.Header()
	fmt.Fprintln(&b, w.Code)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if name == "Set-Cookie" { // whose attributes cookieFaults looks at
				value, _, _ = strings.Cut(value, ";")
				cookie, content, _ := strings.Cut(value, "=")
				if strings.HasPrefix(cookie, flowPrefix) {
					cookie = flowPrefix
				}
				if cookie == sessionCookie+".rounds" {
					continue // depends on the logins before
				}
				value = fmt.Sprint(cookie, " ", content != "")
			}
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	before, after, _ := strings.Cut(w.Body.String(), "Reference: ")
	b.WriteString(before)
	b.WriteString(after[min(8, len(after)):])
	return b.String()
}

func (s *stage) learn(w *httptest.ResponseRecorder) { s.known[shape(w)] = true }

// plain fails the test unless w is, to the byte, an answer that an ordinary
// input gets: nothing of the fuzzer's is in it.
func (s *stage) plain(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	if got := shape(w); !s.known[got] {
		t.Errorf("an answer of its own: %s\n%s", got, s.log)
	}
	for _, fault := range cookieFaults(w.Header(), true) {
		t.Error(fault)
	}
}

// quiet fails the test if a secret, or a panic that was caught, is in the log.
func (s *stage) quiet(t testing.TB, secrets ...string) {
	t.Helper()
	log := s.log.String()
	for _, secret := range append(secrets, "debug.Stack") {
		if strings.Contains(log, secret) {
			t.Errorf("log has %q: %s", secret, log)
		}
	}
}
