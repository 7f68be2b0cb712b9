package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/sessions"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A site is an application in this process with pages of every kind. Its provider is on localhost, as that of the
// example is.
type site struct {
	url, issuer string
	storeFails  bool
}

// A siteConfig says how sites differ.
type siteConfig struct {
	others   int // providers that nothing serves, in addition to one
	texts    []oauthlogin.Texts
	formPost bool
}

// newSite starts an application.
func newSite(t *testing.T, cfg siteConfig) *site {
	t.Helper()
	s := &site{}
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	s.url = app.URL

	provider, stop := s.newProvider(t)
	t.Cleanup(stop)
	provider.FormPost = cfg.formPost
	opts := oauthlogin.Options{
		Keys:   [][]byte{[]byte("a key of the interop tests, over 32 bytes long")},
		Logger: slog.New(slog.DiscardHandler),
		Texts:  cfg.texts,
		Store:  &failingStore{sessions.NewFilesystemStore(t.TempDir(), bytes.Repeat([]byte("key "), 8)), &s.storeFails},
		OnSignIn: func(_ context.Context, in *oauthlogin.SignIn) error {
			switch in.User.Subject {
			case "mallory":
				return errors.New("not on the list")
			case "crash":
				panic("a fault of the application")
			}
			return nil
		},
		Providers: []oauthlogin.Provider{provider},
	}
	for i, label := range manyLabels[:cfg.others] {
		opts.Providers = append(opts.Providers, oauthlogin.Provider{
			Name: fmt.Sprintf("p%d", i), Label: label, Issuer: "http://localhost:1/" + fmt.Sprint(i),
			OAuth2: &oauth2.Config{ClientID: clientID, RedirectURL: fmt.Sprintf("%s/auth/p%d", s.url, i)},
		})
	}
	auth, err := oauthlogin.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", auth.Handler(s.routes(auth)))
	return s
}

// manyLabels are of providers that the user sees and nothing serves: short, long and unbreakable ones.
var manyLabels = []string{
	"GitHub", "Google", "Microsoft", "Sign in with Apple", "GitLab",
	"Bundesanstalt für Landwirtschaft und Ernährung", longName, "Ünïcode & <Söhne>",
}

// longName has no place where a line may break.
var longName = strings.Repeat("Donaudampfschiff", 4)[:60]

func (s *site) newProvider(t *testing.T) (config oauthlogin.Provider, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s.issuer = "http://localhost:" + port
	provider, err := oauthlogintest.New(oauthlogintest.Config{
		Issuer: s.issuer,
		Clients: []oauthlogintest.Client{{
			ID: clientID, Secret: clientSecret,
			RedirectURIs: []string{s.url + "/auth/callback"}, PostLogoutRedirectURIs: []string{s.url + "/"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	provider.SetUser(oauthlogintest.User{Subject: longName, Name: longName, Email: longName + "@example.com"})
	server := &http.Server{Handler: provider}
	go func() { _ = server.Serve(listener) }()
	return oauthlogin.Provider{
		Name: "demo", Label: "Example account", Issuer: s.issuer,
		OAuth2: &oauth2.Config{
			ClientID: clientID, ClientSecret: clientSecret, RedirectURL: s.url + "/auth/callback",
			Scopes: []string{"openid", "profile", "email"},
		},
	}, func() { _ = server.Close() }
}

func (s *site) routes(auth *oauthlogin.Middleware) http.Handler {
	mux := http.NewServeMux()
	shown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "shown") })
	mux.Handle("/protected", auth.RequireAuth(shown))
	mux.Handle("/forbidden", auth.Require(oauthlogin.Policy{Providers: []string{"demo"}, Claims: map[string][]string{"role": {"owner"}}})(shown))
	mux.Handle("/fresh", auth.Require(oauthlogin.Policy{ACR: []string{"phishing-resistant"}})(shown))
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<!doctype html><form method="post" action="%s"><button>Send</button></form>`, r.FormValue("to"))
	})
	return mux
}

// A failingStore says, when told to, that it cannot tell whether there is a session.
type failingStore struct {
	sessions.Store
	fails *bool
}

func (s *failingStore) New(r *http.Request, name string) (*sessions.Session, error) {
	if *s.fails {
		return nil, errors.New("the store is away")
	}
	return s.Store.New(r, name)
}

func (s *failingStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	if *s.fails {
		return nil, errors.New("the store is away")
	}
	return s.Store.Get(r, name)
}
