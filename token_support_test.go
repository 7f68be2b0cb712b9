package oauthlogin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A tokenApp is an application whose guarded path /access shows the access
// token, and that can have more guarded paths.
type tokenApp struct {
	*wiredApp
	opts    oauthlogin.Options // of a.auth
	guarded map[string]http.HandlerFunc
}

func newTokenApp(t *testing.T, with offline) *tokenApp {
	t.Helper()
	a := &tokenApp{guarded: map[string]http.HandlerFunc{}}
	change := with.change
	with.change = func(opts *oauthlogin.Options) {
		if change != nil {
			change(opts)
		}
		a.opts = *opts
	}
	a.wiredApp = newWiredApp(t, with)
	a.provider.SetKeyAlg("EdDSA") // which is quick
	a.guarded["/access"] = func(w http.ResponseWriter, r *http.Request) {
		s, _ := oauthlogin.FromContext(r.Context())
		if token := s.Token(); token != nil {
			fmt.Fprint(w, token.AccessToken)
		}
	}
	more := a.more
	a.more = func(mux *http.ServeMux) {
		more(mux)
		for path, h := range a.guarded {
			mux.Handle(path, a.auth.RequireAuth(a.count(h)))
		}
	}
	return a
}

// restart forgets everything that is not in a cookie or a store.
func (a *tokenApp) restart(t *testing.T) {
	t.Helper()
	a.auth = newAuth(t, a.opts)
}

// ask sends a request with these cookies straight to the application. No jar
// keeps what comes back, and ctx is what the handlers see.
func (a *tokenApp) ask(ctx context.Context, cookies map[string]string, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Host = "app.test"
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.net["app.test"].ServeHTTP(w, r)
	return w
}

// keep returns the cookies as a browser has them after a response.
func keep(cookies map[string]string, w *httptest.ResponseRecorder) map[string]string {
	cookies = maps.Clone(cookies)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(cookies, c.Name)
		} else {
			cookies[c.Name] = c.Value
		}
	}
	return cookies
}

// setsSession reports whether a response sets a session cookie that is not
// empty.
func setsSession(w *httptest.ResponseRecorder) bool {
	return keep(map[string]string{}, w)[sessionCookie] != ""
}

// refreshes returns the refresh tokens that were sent, and fails the test if
// one was sent again after the provider had accepted it.
func (a *tokenApp) refreshes(t *testing.T) (sent []string) {
	t.Helper()
	spent := map[string]bool{}
	for _, r := range a.provider.Requests(oauthlogintest.Token) {
		if r.Form.Get("grant_type") != "refresh_token" {
			continue
		}
		token := r.Form.Get("refresh_token")
		if spent[token] {
			t.Errorf("refresh token %d was sent again after it was spent", len(sent))
		}
		spent[token] = r.Status == http.StatusOK
		sent = append(sent, token)
	}
	return sent
}

// wantRefreshes fails the test if there were not n refreshes so far.
func (a *tokenApp) wantRefreshes(t *testing.T, n int) {
	t.Helper()
	if got := len(a.refreshes(t)); got != n {
		t.Errorf("%d refreshes, want %d", got, n)
	}
}

// issued returns the refresh tokens that the token endpoint gave out.
func (a *tokenApp) issued() (tokens []string) {
	a.wire.mu.Lock()
	defer a.wire.mu.Unlock()
	for _, answer := range a.wire.answers {
		var resp struct {
			Token string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(answer), &resp) == nil && resp.Token != "" {
			tokens = append(tokens, resp.Token)
		}
	}
	return tokens
}

// slowTokens has the provider take d over each answer to a refresh. The
// rotation is done at once.
func (a *tokenApp) slowTokens(d time.Duration) {
	a.provider.Intercept(oauthlogintest.Token, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		next(w, r)
		if r.FormValue("grant_type") == "refresh_token" {
			time.Sleep(d)
		}
	})
}

// inStoreToo runs a test in a bubble, with the session in cookies and on the
// server.
func inStoreToo(t *testing.T, f func(t *testing.T, with offline)) {
	t.Run("in cookies", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, offline{}) })
	})
	t.Run("in a store", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newFileStore(t)
			f(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = store }})
		})
	})
}

func newFileStore(t *testing.T) *sessions.FilesystemStore {
	store := sessions.NewFilesystemStore(t.TempDir(), testKey(3), testKey(4))
	store.MaxLength(0)
	return store
}

// refreshAs signs somebody else in and refreshes his tokens an hour later:
// memory is tidied while it is in use.
func (a *tokenApp) refreshAs(t *testing.T, subject string) {
	t.Helper()
	a.provider.AutoApprove(subject)
	b := a.browser(t)
	b.login("/dashboard")
	time.Sleep(time.Hour)
	if !b.signedIn() {
		t.Fatalf("%s is signed out", subject)
	}
}
