package oauthlogintest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// The test that README.md shows.
func TestDashboard(t *testing.T) {
	alice := runShop(t).SignIn("alice")
	if resp := alice.Navigate("/dashboard"); resp.Status != 200 || !strings.Contains(resp.Body, "Hello, Alice") {
		t.Errorf("%d: %s", resp.Status, resp.Body)
	}
}

// A login that Options.OnSignIn refuses is seen with AutoApprove, and fails SignIn
// with what the page says.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	run := func(t testing.TB) *oauthlogintest.Site {
		return oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
			auth, err := oauthlogin.New(oauthlogin.Options{
				Keys:       [][]byte{[]byte("a key of 32 bytes or more for tests")},
				Providers:  []oauthlogin.Provider{p.Registration(base)},
				HTTPClient: p.HTTPClient(),
				OnSignIn: func(_ context.Context, in *oauthlogin.SignIn) error {
					if !in.User.EmailVerified || !strings.HasSuffix(in.User.Email, "@example.com") {
						return errors.New("e-mail domain is not allowed")
					}
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			return auth.Handler(http.NotFoundHandler())
		})
	}
	site := run(t)
	site.SignIn("alice")
	site.Provider.SetUser(oauthlogintest.User{Subject: "eve", Email: "eve@example.org", EmailVerified: true})
	site.Provider.AutoApprove("eve")
	if resp := site.Browser().Navigate("/login"); resp.Status != http.StatusForbidden {
		t.Errorf("%d: %s", resp.Status, resp.Body)
	}
	wantFatal(t, func(t testing.TB) { run(t).SignIn("eve") }, "did not accept the login", "with status 403", "You cannot sign in here</h1>")
}

// An application below a prefix, as docs/testing.md shows.
func TestBelowAPrefix(t *testing.T) {
	t.Parallel()
	config := oauthlogintest.Config{Clients: []oauthlogintest.Client{{
		ID: "app", Secret: "secret",
		RedirectURIs:           []string{"https://app.test/app/auth/callback"},
		PostLogoutRedirectURIs: []string{"https://app.test/app/"},
	}}}
	site := oauthlogintest.Run(t, config, func(base string, p *oauthlogintest.Provider) http.Handler {
		auth, err := oauthlogin.New(oauthlogin.Options{
			Keys:       [][]byte{[]byte("a key of 32 bytes or more for tests")},
			Providers:  []oauthlogin.Provider{p.Registration(base)},
			HTTPClient: p.HTTPClient(),
			HomePath:   "/app/", LoginPath: "/app/login", LogoutPath: "/app/logout",
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
			_, signedIn := oauthlogin.FromContext(r.Context())
			fmt.Fprint(w, "signed in: ", signedIn)
		})
		return auth.Handler(http.StripPrefix("/app", mux))
	})
	b := site.Browser()
	b.Navigate("/app/login")
	if resp := b.SignIn("alice"); resp.URL != site.URL+"/app/" || resp.Body != "signed in: true" {
		t.Errorf("the login leads to %s: %s", resp.URL, resp.Body)
	}
	// Through the provider, whose registration has the prefix as well.
	if resp := b.PostForm("/app/logout", nil); resp.URL != site.URL+"/app/" || resp.Body != "signed in: false" {
		t.Errorf("the logout leads to %s: %s", resp.URL, resp.Body)
	}
}

// A job that outlives its request, as docs/tokens-and-apis.md shows: it gets refreshed
// tokens until the user signs out.
func TestJobOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := make(chan *http.Client, 1)
		site := oauthlogintest.Run(t, oauthlogintest.Config{}, func(base string, p *oauthlogintest.Provider) http.Handler {
			auth, err := oauthlogin.New(oauthlogin.Options{
				Keys:       [][]byte{[]byte("a key of 32 bytes or more for tests")},
				Providers:  []oauthlogin.Provider{p.Registration(base)},
				HTTPClient: p.HTTPClient(),
			})
			if err != nil {
				t.Fatal(err)
			}
			return auth.Handler(auth.RequireAuth(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case jobs <- auth.Client(context.WithoutCancel(r.Context())):
				default:
				}
			})))
		})
		alice := site.SignIn("alice")
		alice.Fetch("/export")
		client := <-jobs
		call := func() error {
			resp, err := client.Get(site.Provider.Issuer() + "/userinfo")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
			return nil
		}
		for range 20 { // hours
			if err := call(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Minute)
		}
		if resp := alice.Fetch("/export"); resp.Status != http.StatusOK {
			t.Errorf("the browser's next request: %d", resp.Status)
		}
		alice.PostForm("/logout", nil)
		if err := call(); !errors.Is(err, oauthlogin.ErrNoSession) {
			t.Errorf("after the logout: %v", err)
		}
	})
}
