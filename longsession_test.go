package oauthlogin_test

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// The stores of gorilla/sessions refuse values older than 30 days, whatever
// Options.MaxLifetime is, unless the MaxAge method of the store says otherwise.
func TestLongSessions(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	file := func(configure func(*sessions.FilesystemStore)) func(*testing.T) sessions.Store {
		return func(t *testing.T) sessions.Store {
			store := sessions.NewFilesystemStore(t.TempDir(), exampleKey)
			configure(store)
			return store
		}
	}
	for _, test := range []struct {
		name     string
		store    func(*testing.T) sessions.Store // nil: sessions in cookies
		lifetime time.Duration
		ends     time.Duration
	}{
		{"30 days in cookies", nil, 30 * day, 30 * day},
		{"60 days in cookies", nil, 60 * day, 60 * day},
		{"30 days in a store as it is", file(func(*sessions.FilesystemStore) {}), 30 * day, 30 * day},
		{"60 days in a store as it is", file(func(*sessions.FilesystemStore) {}), 60 * day, 30 * day},
		{"60 days in its Options alone", file(func(s *sessions.FilesystemStore) { s.Options.MaxAge = int(60 * day / time.Second) }), 60 * day, 30 * day},
		{"60 days in its MaxAge", file(func(s *sessions.FilesystemStore) { s.MaxAge(int(60 * day / time.Second)) }), 60 * day, 60 * day},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := oauthlogintest.Config{NoRefreshTokens: true}
				site := oauthlogintest.Run(t, cfg, func(base string, p *oauthlogintest.Provider) http.Handler {
					opts := oauthlogin.Options{
						Keys:                  [][]byte{exampleKey},
						Providers:             []oauthlogin.Provider{p.Registration(base)},
						HTTPClient:            p.HTTPClient(),
						Logger:                slog.New(slog.DiscardHandler),
						IdleTimeout:           test.lifetime,
						MaxLifetime:           test.lifetime,
						SessionsOutliveTokens: true,
					}
					if test.store != nil {
						opts.Store = test.store(t)
					}
					auth := mustNew(opts)
					return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						_, _ = io.WriteString(w, "Hello")
					})))
				})
				// Each browser is used once: a use renews its cookie.
				before, after := site.SignIn("alice"), site.SignIn("alice")
				time.Sleep(test.ends - time.Hour)
				if resp := before.Fetch("/"); resp.Status != http.StatusOK {
					t.Errorf("an hour before: %d", resp.Status)
				}
				time.Sleep(2 * time.Hour)
				if resp := after.Fetch("/"); resp.Status != http.StatusUnauthorized {
					t.Errorf("an hour after: %d", resp.Status)
				}
			})
		})
	}
}
