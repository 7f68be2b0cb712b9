package adversarial_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A namingStore can be told to fail, and then names the session in its errors, as
// databases do.
type namingStore struct {
	*sessions.FilesystemStore
	failNew, failSave bool
}

func (s *namingStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session, err := s.FilesystemStore.New(r, name)
	if s.failNew && err == nil {
		err = fmt.Errorf("read session %s: connection reset", session.ID)
	}
	return session, err
}

func (s *namingStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return s.New(r, name)
}

func (s *namingStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if s.failSave {
		return fmt.Errorf("write session %s: connection reset", session.ID)
	}
	return s.FilesystemStore.Save(r, w, session)
}

// learnStore learns the IDs of the sessions in dir and what can be read in them with
// the store's keys alone.
func learnStore(t *testing.T, h *apptest.LeakHunt, dir string) {
	t.Helper()
	for name, content := range apptest.SessionFiles(t, dir) {
		h.Secret("id in the store", strings.TrimPrefix(name, "session_"))
		var values map[any]any
		if err := securecookie.DecodeMulti(apptest.SessionCookie, content, &values, securecookie.CodecsFromPairs(apptest.Key(5))...); err != nil {
			t.Fatal(err)
		}
		if len(values) != 1 {
			t.Errorf("the store has %d values", len(values))
		}
		for _, value := range values {
			h.LearnSealed(value.(string))
		}
	}
}

// newHuntedApp returns an application that h listens to. Its guarded pages show
// nothing.
func newHuntedApp(t *testing.T, h *apptest.LeakHunt, with apptest.Config) *apptest.App {
	t.Helper()
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		if change != nil {
			change(opts)
		}
		var printed sync.Once // which takes long
		opts.OnSignIn = func(_ context.Context, in *oauthlogin.SignIn) error {
			printed.Do(func() { apptest.Prints(h, in) })
			return nil
		}
		h.Hook(opts)
	}
	a := apptest.New(t, with)
	h.Secret("client_secret", "s3cret-of-the-app")
	h.Secret("e-mail address", "alice@example.com")
	for host, next := range a.Net {
		a.Net[host] = h.Tap(host, next)
	}
	quiet := a.Count(func(http.ResponseWriter, *http.Request) {})
	a.Guard("/page", quiet)
	a.Guard("/end", func(w http.ResponseWriter, r *http.Request) { a.Auth.SignOut(w, r) })
	a.Guard("/print", func(_ http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		apptest.Prints(h, s)
		apptest.Prints(h, s.User)
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), t, s))
		defer cancel()
		client := a.Auth.Client(ctx)
		of := a.Auth.ClientFor(ctx, oauthlogin.Resource{URL: "https://api.test/"}) // whose transport is like the other
		for name, v := range map[string]any{"a context": r.Context(), "another context": ctx, "a client": client, "a client's transport, which is unexported": client.Transport, "a client for an API": of} {
			h.Show("print of "+name, v)
		}
	})
	a.Guard("/call", func(_ http.ResponseWriter, r *http.Request) {
		for _, path := range []string{"/ok", "/unauthorized", "/elsewhere", "/nowhere", "/down"} {
			resp, err := a.Auth.Client(r.Context()).Post("https://api.test"+path, "text/plain", strings.NewReader("body"))
			if err != nil {
				h.SaysError("error of a call", err)
				continue
			}
			resp.Body.Close()
		}
		resp, err := a.Auth.ClientFor(r.Context(), oauthlogin.Resource{URL: "https://api.test/"}).Get("https://api.test/ok")
		if err != nil {
			h.SaysError("error of a call for a resource", err)
			return
		}
		resp.Body.Close()
	})
	a.Net["api.test"] = h.Tap("api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told, _ := heardOf(r)
		switch r.URL.Path {
		case "/unauthorized":
			w.Header().Set("WWW-Authenticate", told)
			w.WriteHeader(401)
		case "/elsewhere":
			http.Redirect(w, r, "https://evil.test/", http.StatusTemporaryRedirect)
		case "/nowhere":
			http.Redirect(w, r, "https://evil.test/%zz", http.StatusTemporaryRedirect)
		}
	}))
	a.Net["evil.test"] = h.Tap("evil.test", quiet)
	a.Routes = func(mux *http.ServeMux) {
		mux.Handle("/admin", a.Auth.Require(oauthlogin.Policy{Providers: []string{a.Opts.Providers[0].Name}, Claims: map[string][]string{"groups": {"admin"}}})(quiet))
		mux.Handle("/recent", a.Auth.Require(oauthlogin.Policy{MaxAge: time.Minute})(quiet))
		mux.Handle("/silent", a.Auth.SilentLogin(quiet))
	}
	apptest.Prints(h, a.Opts)
	apptest.Prints(h, a.Opts.Providers[0])
	apptest.Prints(h, a.Auth)
	apptest.Prints(h, oauthlogin.LoginOptions{ReturnTo: "/page"})
	apptest.Prints(h, oauthlogin.Resource{URL: "https://api.example/", Scopes: []string{"read"}})
	apptest.Prints(h, &oauthlogin.ChallengeError{Code: "insufficient_scope", Scopes: []string{"read"}})
	apptest.Prints(h, oauthlogin.Policy{Scopes: []string{"openid"}})
	apptest.Prints(h, oauthlogin.Choice{Provider: "test", Label: "Test", URL: "/login?provider=test"})
	apptest.Prints(h, oauthlogin.Texts{Lang: "de", ByKey: map[string]string{"button.home": "Startseite"}})
	return a
}

const untilRefresh = 59*time.Minute + 30*time.Second

// everything uses all of an application, in every way that succeeds or fails.
func everything(t *testing.T, h *apptest.LeakHunt, a *apptest.App) {
	b := a.Browser(t)
	bare := a.Browser(t)
	const login = "/login?return_to=%2Fpage"

	// Without a session, and with junk for one.
	b.Get("/page")
	b.Get("/page", apptest.AsScript...)
	b.SetCookie(apptest.SessionCookie, "1junk")
	b.Get("/page")

	// Discovery that fails.
	restart := func() { a.Restart(t) }
	tries(a, "/.well-known/openid-configuration", true, restart, func() {
		b.Get(login)
		b.Get("/silent")
	})
	a.Restart(t)

	// Callbacks, good and bad.
	b.Get("/login")
	callback := b.CallbackURL(login)
	for _, change := range []func(url.Values){
		func(q url.Values) { q.Set("state", q.Get("state")+"x") },
		func(q url.Values) { q.Del("state") },
		func(q url.Values) { q.Add("code", q.Get("state")) },
		func(q url.Values) { q.Set("code", strings.Repeat(q.Get("code"), 1000)) },
	} {
		b.Get(apptest.Edited(t, callback, change))
	}
	b.Get(callback + "&%zz" + apptest.QueryOf(callback).Get("code"))
	b.Post(callback, nil)
	bare.Get(callback)
	b.Get(callback)
	b.Get(callback)
	bare.Get(callback)
	for _, change := range []func(url.Values){
		func(q url.Values) { q.Set("iss", q.Get("state")) },
		func(q url.Values) { q.Del("iss") },
		func(q url.Values) { q.Del("code") },
		func(q url.Values) { q.Set("error", "access_denied"); q.Set("error_description", q.Encode()) },
		func(q url.Values) { q.Set("error", "no good: "+q.Get("code")); q.Set("error_uri", q.Encode()) },
		func(q url.Values) { q.Set("error", q.Get("state")) },
	} {
		b.Get(apptest.Edited(t, b.CallbackURL(login), change))
	}
	late := b.CallbackURL(login)
	time.Sleep(6 * time.Minute)
	bare.Get(late)
	b.Get(late)

	// Callbacks whose calls to the provider fail: for keys, user info and tokens.
	logIn := func() { b.Follow(login) }
	tries(a, "/jwks", false, restart, logIn)
	a.Provider.EditIDToken(apptest.Without("name"))
	tries(a, "/userinfo", false, func() {}, logIn)
	a.Provider.EditIDToken(nil)
	tries(a, "/token", false, func() {}, logIn)
	for _, edit := range []func(header, claims map[string]any){
		apptest.Claim("nonce", "another"), apptest.Claim("aud", "alice@example.com"), apptest.Claim("exp", 1), apptest.Claim("sub", 1),
		func(header, claims map[string]any) { claims["iss"] = claims["nonce"] },
		func(header, claims map[string]any) { header["kid"] = claims["nonce"] },
		func(header, claims map[string]any) { header["alg"] = claims["nonce"] },
	} {
		a.Provider.EditIDToken(edit)
		b.Follow(login)
	}
	a.Provider.EditIDToken(nil)
	a.Provider.SignWith(func(_, claims map[string]any) string { return fmt.Sprint(claims) })
	b.Follow(login)
	a.Provider.SignWith(nil)

	// A session, and refreshes that work and fail.
	b.Login("/page")
	b.Get("/print")
	b.Get("/call")
	time.Sleep(untilRefresh)
	b.Get("/print")
	b.Get("/call")
	tries(a, "/token", true, func() { b.Login("/page") }, func() {
		time.Sleep(untilRefresh)
		b.Get("/page")
		b.Get("/call")
		time.Sleep(time.Minute) // until the token has expired
		b.Get("/call")
	})
	b.Login("/page")
	time.Sleep(untilRefresh)
	a.Provider.Intercept(oauthlogintest.Token, echo(func(w http.ResponseWriter, _, heard string) {
		writeJSON(w, 400, map[string]any{"error": "invalid_grant", "error_description": heard})
	}).intercept)
	b.Get("/page")
	a.Provider.Intercept(oauthlogintest.Token, nil)
	a.Provider.EditIDToken(apptest.Claim("sub", "mallory"))
	b.Get("/page")
	a.Provider.EditIDToken(nil)

	// Requests for which a session is not enough.
	b.Login("/page")
	for _, link := range b.Get("/admin").Links() {
		b.Get(link)
	}
	b.Get("/admin?token=alice@example.com", apptest.AsScript...)
	time.Sleep(3 * time.Minute)
	var stepUp struct {
		URL string `json:"login_url"`
	}
	if err := json.Unmarshal([]byte(b.Get("/recent", apptest.AsScript...).Text), &stepUp); err != nil {
		t.Fatal(err)
	}
	b.Get(stepUp.URL + "x")
	b.Follow(stepUp.URL)
	time.Sleep(3 * time.Minute)
	b.Follow("/recent")

	// The end.
	b.Get("/logout")
	b.Post("/logout", nil, "Sec-Fetch-Site", "cross-site")
	b.Follow(b.Post("/logout", nil).Location())
	tries(a, "/revoke", false, func() { b.Login("/page") }, func() { b.Post("/logout", nil) })
	time.Sleep(11 * time.Minute)
	b.Follow("/silent")
	b.Login("/page")
	b.Get("/end")
	b.Get(login + "&provider=alice@example.com&login_hint=alice@example.com")
	synctest.Wait() // fmt copies its locks
	apptest.Prints(h, a.Auth)
}

// No token, code, verifier, state, nonce, cookie, key or e-mail address is in a log
// line, page, header, error or event, in a URL that no specification puts it into, or
// in what fmt, slog and encoding/json print of the package's types, whatever
// providers, networks and stores repeat.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	textKey := []byte("a key of 32 bytes in plain text!")
	tests := []struct {
		name string
		run  func(t *testing.T, h *apptest.LeakHunt)
	}{
		{"cookies, and the package's pages", func(t *testing.T, h *apptest.LeakHunt) {
			a := newHuntedApp(t, h, apptest.Config{
				Provider: oauthlogintest.Config{JWTAccessTokens: true},
				Change:   func(opts *oauthlogin.Options) { opts.Keys = [][]byte{textKey, apptest.Key(1)} },
			})
			everything(t, h, a)
		}},
		{"a store, an ErrorHandler and two providers", func(t *testing.T, h *apptest.LeakHunt) {
			dir := t.TempDir()
			store := &namingStore{FilesystemStore: sessions.NewFilesystemStore(dir, apptest.Key(5))}
			a := newHuntedApp(t, h, apptest.Config{Change: func(opts *oauthlogin.Options) {
				opts.Store, opts.ErrorHandler = store, h.HandleError
			}})
			everything(t, h, a)

			b := a.Browser(t)
			b.Login("/page")
			learnStore(t, h, dir)
			if chunks := b.CookieNames(apptest.SessionCookie + "."); len(chunks) != 1 { // the rounds
				t.Errorf("cookies %v", chunks)
			}
			time.Sleep(untilRefresh)
			for _, fail := range []*bool{&store.failNew, &store.failSave} {
				*fail = true
				b.Get("/page")
				b.Follow("/login")
				learnStore(t, h, dir)
				*fail = false
			}
			store.failSave = true
			b.Post("/logout", nil)
			store.failSave = false
			b.Login("/page")
			learnStore(t, h, dir)
			for name := range apptest.SessionFiles(t, dir) { // each replaced by a directory
				if err := errors.Join(os.Remove(dir+"/"+name), os.Mkdir(dir+"/"+name, 0o700)); err != nil {
					t.Fatal(err)
				}
			}
			b.Get("/page")
			b.Follow("/login")

			a.Opts.Providers = append(a.Opts.Providers, apptest.PlainProvider("two", "https://app.test/auth/callback/two"))
			a.Opts.Providers[1].OAuth2.ClientSecret = "s3cret-of-the-app"
			a.Restart(t)
			b.Get("/login")
			b.Get("/login?provider=two")
			callback := b.CallbackURL("/login?provider=test")
			b.Get(strings.Replace(callback, "/auth/callback", "/auth/callback/two", 1))
			apptest.Prints(h, a.Opts)
			synctest.Wait()
			apptest.Prints(h, a.Auth)
		}},
		{"plain OAuth 2.0", func(t *testing.T, h *apptest.LeakHunt) {
			a := newHuntedApp(t, h, apptest.Config{Change: func(opts *oauthlogin.Options) {
				apptest.PlainOAuth(opts)
				opts.Providers[0].Identify = func(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
					h.Show("print of Identify's client", client)
					h.Show("print of Identify's client, by value", *client)
					h.Show("print of Identify's transport, which is unexported", client.Transport)
					return apptest.ByUserInfo(ctx, client)
				}
			}})
			b := a.Browser(t)
			for _, path := range []string{"/userinfo", "/token"} {
				tries(a, path, false, func() {}, func() { b.Follow("/login?return_to=%2Fpage") })
			}
			b.Login("/page")
			b.Get("/print")
		}},
		{"GitHub", func(t *testing.T, h *apptest.LeakHunt) {
			g := &apptest.FakeGitHub{
				Token: apptest.JSON(200, `{"access_token":"`+apptest.GitHubToken+`","scope":"user:email","token_type":"bearer"}`),
				User:  apptest.JSON(200, apptest.GitHubUser), Emails: apptest.JSON(200, apptest.GitHubEmails), API: "/api/v3", Requests: map[string][]*http.Request{},
			}
			h.Secret("e-mail address", "octocat@example.com", "public@example.com")
			a := newHuntedApp(t, h, apptest.Config{Change: func(opts *oauthlogin.Options) {
				client := *opts.Providers[0].OAuth2
				client.Endpoint.AuthURL, client.Endpoint.TokenURL = "https://git.test/login/oauth/authorize", "https://git.test/login/oauth/access_token"
				opts.Providers[0] = oauthlogin.GitHub(&client)
			}})
			a.Net["git.test"] = h.Tap("git.test", g)
			b := a.Browser(t)
			for _, handler := range []*http.HandlerFunc{&g.Token, &g.User, &g.Emails} {
				works := *handler
				for _, e := range echoes {
					*handler = func(w http.ResponseWriter, r *http.Request) {
						told, heard := heardOf(r)
						e.echo(w, cmp.Or(r.Form.Get("code"), told), heard+r.Form.Encode())
					}
					b.Follow("/login?return_to=%2Fpage")
				}
				*handler = works
			}
			b.Login("/page")
			b.Get("/print")
		}},
	}
	met, printed, complete := map[int]bool{}, map[string]bool{}, 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := apptest.NewLeakHunt()
			synctest.Test(t, func(t *testing.T) { tt.run(t, h) })
			if len(h.Secrets) < 20 || len(h.Said) < 100 || h.Log.String() == "" {
				t.Fatalf("%d secrets, %d texts", len(h.Secrets), len(h.Said))
			}
			maps.Copy(met, h.Report(t))
			maps.Copy(printed, h.Printed)
			complete++
		})
	}
	if complete < len(tests) {
		return // some failed, or were not selected
	}
	for i, d := range apptest.Documented {
		if !met[i] {
			t.Errorf("%s was never found in %s: Documented is out of date", d.Secrets, d.Where)
		}
	}
	api, err := os.ReadFile("../../docs/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`(?m)^type (\w+) (?:struct|string)\b`).FindAllStringSubmatch(string(api), -1)
	if len(types) == 0 {
		t.Fatal("docs/api.txt names no types")
	}
	for _, typ := range types {
		if !printed["oauthlogin."+typ[1]] {
			t.Errorf("no %s was printed", typ[1])
		}
	}
}
