package apptest

import (
	"cmp"
	"crypto"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// An App is an application behind the middleware, with a provider that signs in
// "alice" without asking. Its routes are / (public), and behind RequireAuth
// /dashboard and /api/me (the user in JSON), /token (how long the access token
// still lives) and /access (the access token).
type App struct {
	URL      string // origin
	Auth     *oauthlogin.Middleware
	Opts     oauthlogin.Options // of Auth as New made it
	Provider *oauthlogintest.Provider
	Log      *LogBuffer
	Events   *Events                  // unless Config.Change sets another OnEvent
	Net      Network                  // the hosts; nil: sockets
	Wire     *Wire                    // between the middleware and Net
	Routes   func(mux *http.ServeMux) // further routes, made for each request; nil: none
	Evil     *Evil                    // hosts of others; nil unless NewSurrounded made it

	T      *testing.T // of the test that made it
	server *httptest.Server
	record *record // of NewAttacked
	key    crypto.Signer

	mu      sync.Mutex
	calls   map[string]int // of handlers, by path
	guarded map[string]http.HandlerFunc
}

// Config says how an application differs from others.
type Config struct {
	Origin   string                    // "": https://app.test
	Provider oauthlogintest.Config     // the application is registered beside its clients
	KeyAlg   string                    // of the provider; "": ES256, whose keys are quick to make
	Key      crypto.Signer             // of the client, for private_key_jwt; nil: it has a secret
	Change   func(*oauthlogin.Options) // before oauthlogin.New; nil: nothing
}

// New returns an application without sockets, so that the test can live in a
// synctest bubble: requests to it, to the provider at https://provider.test and
// to whatever else is put into Net are served in-process.
func New(t *testing.T, with Config) *App {
	t.Helper()
	with.Origin = cmp.Or(with.Origin, "https://app.test")
	a := newApp(t)
	a.URL, a.Net = with.Origin, Network{}
	a.Wire = &Wire{base: a.Net}
	with.Provider.Issuer = cmp.Or(with.Provider.Issuer, "https://provider.test")
	with.Provider.Clients = append([]oauthlogintest.Client{with.registration(a.URL)}, with.Provider.Clients...)
	var err error
	if a.Provider, err = oauthlogintest.New(with.Provider); err != nil {
		t.Fatal(err)
	}
	a.start(with)
	scheme, host, _ := strings.Cut(a.URL, "://")
	a.Net[host] = Audited(t, scheme == "https", a)
	a.Net["provider.test"] = a.Provider
	return a
}

// NewTLS is New with sockets: the application on TLS, the provider on loopback.
// Net and Wire are nil.
func NewTLS(t *testing.T, with Config) *App {
	t.Helper()
	a := newApp(t)
	a.server = httptest.NewUnstartedServer(Audited(t, true, a))
	a.URL = "https://" + a.server.Listener.Addr().String()
	with.Provider.Clients = append([]oauthlogintest.Client{with.registration(a.URL)}, with.Provider.Clients...)
	a.Provider = oauthlogintest.Start(with.Provider)
	a.start(with)
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	return a
}

func newApp(t *testing.T) *App {
	a := &App{T: t, Log: &LogBuffer{}, Events: &Events{}, calls: map[string]int{}, guarded: map[string]http.HandlerFunc{}}
	a.Guard("/dashboard", showUser)
	a.Guard("/api/me", showUser)
	a.Guard("/token", showLifetime)
	a.Guard("/access", showToken)
	return a
}

const clientSecret = "s3cret-of-the-app"

func (with *Config) registration(origin string) oauthlogintest.Client {
	client := oauthlogintest.Client{
		ID: "app", Secret: clientSecret,
		RedirectURIs: []string{origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{origin + "/"},
	}
	if with.Key != nil {
		client.Secret, client.PublicKey = "", with.Key.Public()
	}
	return client
}

func (a *App) start(with Config) {
	a.T.Helper()
	a.T.Cleanup(a.Provider.Close)
	a.Provider.SetKeyAlg(cmp.Or(with.KeyAlg, "ES256"))
	a.Provider.AutoApprove("alice")
	a.key = with.Key
	a.Opts = a.options()
	if with.Change != nil {
		with.Change(&a.Opts)
	}
	a.Auth = NewAuth(a.T, a.Opts)
}

// options are those of the application before Config.Change.
func (a *App) options() oauthlogin.Options {
	opts := oauthlogin.Options{
		Providers: []oauthlogin.Provider{{
			Name:   "test",
			Issuer: a.Provider.Issuer(),
			OAuth2: &oauth2.Config{
				ClientID: "app", ClientSecret: clientSecret,
				RedirectURL: a.URL + "/auth/callback",
				Scopes:      []string{"openid", "profile", "email"},
			},
		}},
		Keys:    [][]byte{Key(1)},
		Logger:  slog.New(slog.NewTextHandler(a.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnEvent: a.Events.Add,
	}
	if a.key != nil {
		p := &opts.Providers[0]
		p.OAuth2.ClientSecret, p.ClientAssertion = "", oauthlogin.PrivateKeyJWT("app", "k1", a.key)
	}
	if a.Wire != nil {
		opts.HTTPClient = &http.Client{Transport: a.Wire}
	}
	return opts
}

// Replica returns another instance of the application before Config.Change, with
// a change of its own, which may be nil.
func (a *App) Replica(t *testing.T, change func(*oauthlogin.Options)) *oauthlogin.Middleware {
	t.Helper()
	opts := a.options()
	if change != nil {
		change(&opts)
	}
	return NewAuth(t, opts)
}

// Restart forgets everything that is not in a cookie or a store.
func (a *App) Restart(t *testing.T) {
	t.Helper()
	a.Auth = NewAuth(t, a.Opts)
}

// NoEndSession makes the provider one without an end_session_endpoint, so that
// a logout stays here.
func (a *App) NoEndSession() {
	a.Provider.EditDiscovery(func(doc map[string]any) { delete(doc, "end_session_endpoint") })
}

// ServeHTTP serves the routes, with Auth as it is now.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.Count(showHome))
	for path, h := range a.guarded {
		mux.Handle(path, a.Auth.RequireAuth(a.Count(h)))
	}
	if a.record != nil {
		a.attackedRoutes(mux)
	}
	if a.Routes != nil {
		a.Routes(mux)
	}
	a.Auth.Handler(mux).ServeHTTP(w, r)
}

// Guard serves path by h, behind RequireAuth.
func (a *App) Guard(path string, h http.HandlerFunc) { a.guarded[path] = h }

// GuardBy serves /guarded behind a policy, in place of Routes. A Middleware sees the policy
// once, as in an application.
func (a *App) GuardBy(policy oauthlogin.Policy) {
	gates := map[*oauthlogin.Middleware]http.Handler{}
	guarded := a.Count(func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		fmt.Fprintf(w, "guarded page for %s", s.User.Subject)
	})
	a.Routes = func(mux *http.ServeMux) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if gates[a.Auth] == nil {
			gates[a.Auth] = a.Auth.Require(policy)(guarded)
		}
		mux.Handle("/guarded", gates[a.Auth])
	}
}

// Count counts the runs of a handler for Called.
func (a *App) Count(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.calls[r.URL.Path]++
		a.mu.Unlock()
		next(w, r)
	}
}

// Called returns how often the handler of path ran.
func (a *App) Called(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[path]
}

func showHome(w http.ResponseWriter, r *http.Request) {
	if s, ok := oauthlogin.FromContext(r.Context()); ok {
		fmt.Fprintf(w, "home of %s", s.User.Subject)
		return
	}
	fmt.Fprint(w, "home of nobody")
}

func showUser(w http.ResponseWriter, r *http.Request) {
	s, _ := oauthlogin.FromContext(r.Context())
	json.NewEncoder(w).Encode(s.User)
}

func showLifetime(w http.ResponseWriter, r *http.Request) {
	s, _ := oauthlogin.FromContext(r.Context())
	switch token := s.Token(); {
	case token == nil:
		fmt.Fprint(w, "expired")
	case token.Expiry.IsZero():
		fmt.Fprint(w, "unknown")
	default:
		fmt.Fprint(w, time.Until(token.Expiry).Truncate(time.Second))
	}
}

func showToken(w http.ResponseWriter, r *http.Request) {
	s, _ := oauthlogin.FromContext(r.Context())
	if token := s.Token(); token != nil {
		fmt.Fprint(w, token.AccessToken)
	}
}
