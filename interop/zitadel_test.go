package interop_test

import (
	"context"
	"crypto/rand"
	"html/template"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// zitadel is zitadel/oidc with the storage of its example server. Its issuer ends in a slash, authorization responses have
// no iss, the aud of ID tokens is a list, and every login requires the password.
type zitadel struct {
	port     string
	app      string
	tokenTTL time.Duration // 0: the default of the storage
	server   *http.Server
	tokens   atomic.Int64
	revoked  atomic.Int64
}

func newZitadel(t *testing.T, app string) provider {
	t.Helper()
	return &zitadel{port: freePort(t), app: app}
}

func (z *zitadel) issuer() string { return "http://localhost:" + z.port + "/" }

func (z *zitadel) start(t *testing.T) {
	t.Helper()
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true, GrantTypeRefreshToken: true}
	_, _ = rand.Read(config.CryptoKey[:])
	store := &zitadelStorage{storage.NewStorageWithClients(storage.NewUserStore(z.issuer()), map[string]*storage.Client{
		clientID: storage.WebClient(clientID, clientSecret, z.app+"/auth/callback"),
	}), z.app + "/", z.tokenTTL}
	provider, err := op.NewProvider(config, store, op.StaticIssuer(z.issuer()), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.HandleFunc("GET /login/username", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = zitadelLogin.Execute(w, r.FormValue("authRequestID"))
	})
	mux.Handle("POST /login/username", op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			id := r.FormValue("id")
			if err := store.CheckUsernamePassword(r.FormValue("username"), r.FormValue("password"), id); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
			http.Redirect(w, r, op.AuthCallbackURL(provider)(r.Context(), id), http.StatusFound)
		},
	))
	mux.HandleFunc("GET /login/cancel", func(w http.ResponseWriter, r *http.Request) {
		request, err := store.AuthRequestByID(r.Context(), r.FormValue("id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		op.AuthRequestError(w, r, request, oidc.ErrAccessDenied().WithDescription("the user denied the request"), provider)
	})

	z.tokens.Store(0)
	z.revoked.Store(0)
	z.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/oauth/token":
			z.tokens.Add(1)
		case "/revoke":
			z.revoked.Add(1)
		}
		mux.ServeHTTP(w, r)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:"+z.port)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = z.server.Serve(listener) }()
	t.Cleanup(func() { _ = z.server.Close() })
}

func (z *zitadel) stop(t *testing.T) {
	t.Helper()
	if err := z.server.Close(); err != nil {
		t.Fatal(err)
	}
}

func (z *zitadel) shortTokens() { z.tokenTTL = 5 * time.Second }

func (z *zitadel) tokenCalls(*testing.T) int { return int(z.tokens.Load()) }

func (z *zitadel) revocations(*testing.T) int { return int(z.revoked.Load()) }

func (z *zitadel) signIn(first *page) *page {
	first.v.t.Helper()
	return first.submit(map[string]string{"username": "test-user2", "password": "verysecure"})
}

func (z *zitadel) cancel(first *page) *page {
	first.v.t.Helper()
	return first.click("/login/cancel")
}

// signOut does nothing, because this provider does not ask for confirmation.
func (z *zitadel) signOut(first *page) *page { return first }

func (z *zitadel) wants() identity {
	return identity{Subject: "id2", Name: "Test User2", Email: "test-user2@zitadel.ch"}
}

var zitadelLogin = template.Must(template.New("").Parse(`<!DOCTYPE html>
<title>Sign in</title>
<form method="post" action="/login/username">
  <input type="hidden" name="id" value="{{.}}">
  <label>Name <input name="username"></label>
  <label>Password <input name="password" type="password"></label>
  <button>Sign in</button>
  <a href="/login/cancel?id={{.}}">Cancel</a>
</form>
`))

// zitadelStorage adds post-logout redirect URIs, which the clients of the example storage lack, and a token lifetime.
type zitadelStorage struct {
	*storage.Storage
	postLogoutURI string
	tokenTTL      time.Duration
}

func (s *zitadelStorage) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, refreshToken string) (string, string, time.Time, error) {
	access, refresh, expiry, err := s.Storage.CreateAccessAndRefreshTokens(ctx, request, refreshToken)
	if s.tokenTTL > 0 {
		expiry = time.Now().Add(s.tokenTTL)
	}
	return access, refresh, expiry, err
}

func (s *zitadelStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	return &zitadelClient{client, s.postLogoutURI}, err
}

type zitadelClient struct {
	op.Client
	postLogoutURI string
}

func (c *zitadelClient) PostLogoutRedirectURIs() []string { return []string{c.postLogoutURI} }
