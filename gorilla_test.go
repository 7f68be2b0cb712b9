package oauthlogin_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// newStoreApp keeps sessions in files of the directory that it returns.
func newStoreApp(t *testing.T, with apptest.Config) (*apptest.App, string) {
	t.Helper()
	dir := t.TempDir()
	change := with.Change
	with.Change = func(opts *oauthlogin.Options) {
		opts.Store = sessions.NewFilesystemStore(dir, apptest.Key(5))
		if change != nil {
			change(opts)
		}
	}
	return apptest.New(t, with), dir
}

// onlyFile returns the name of the only session there is.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	files := apptest.SessionFiles(t, dir)
	for name := range files {
		if len(files) == 1 {
			return name
		}
	}
	t.Fatalf("%d session files", len(files))
	return ""
}

// Each login has a session ID of its own, and a logout deletes the session: see also
// TestNewSessionAtLogin and TestReplayAfterLogout.
func TestStoreSessionsBeginAndEnd(t *testing.T) {
	t.Parallel()
	a, dir := newStoreApp(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	first, cookie := onlyFile(t, dir), b.Cookies()[apptest.SessionCookie]
	b.Login("/dashboard")
	if second := onlyFile(t, dir); second == first {
		t.Error("the session kept its ID at login")
	}
	if resp := a.BareBrowser(t).Get("/api/me", "Cookie", apptest.SessionCookie+"="+cookie); resp.StatusCode != http.StatusFound {
		t.Errorf("session from before the login: %d", resp.StatusCode)
	}
	planted := a.Browser(t)
	planted.SetCookie(apptest.SessionCookie, cookie)
	planted.Login("/dashboard")
	if files := apptest.SessionFiles(t, dir); len(files) != 2 || files[first] != "" {
		t.Error("a session took the ID of the cookie before the login")
	}
	for _, b := range []*apptest.Browser{planted, b} {
		if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("logout: %d", resp.StatusCode)
		}
	}
	if files := apptest.SessionFiles(t, dir); len(files) != 0 {
		t.Errorf("%d session files after the logouts", len(files))
	}
}

// GoIncremental/negroni-oauth2#14: "the value is too long", without advice.
func TestStoreLimits(t *testing.T) {
	t.Parallel()
	a, dir := newStoreApp(t, apptest.Config{})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) })
	b := a.Browser(t)
	resp := b.Follow("/login")
	a.Refused(t, b, resp, http.StatusInternalServerError, "session_too_large")
	if !strings.Contains(resp.Text, "more than this site can keep") || strings.Contains(resp.Text, "MaxLength") {
		t.Errorf("the page: %s", resp.Text)
	}
	if log := a.Log.String(); !strings.Contains(log, "MaxLength") || !strings.Contains(log, "Options.Store") {
		t.Errorf("the log does not say what to do:\n%s", log)
	}
	if len(apptest.SessionFiles(t, dir)) != 0 {
		t.Error("half a session is in the store")
	}

	// The advice works.
	a, _ = newStoreApp(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.Store.(*sessions.FilesystemStore).MaxLength(0)
	}})
	a.Provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(100_000) })
	b = a.Browser(t)
	b.Login("/dashboard")
	if !b.SignedIn() || strings.Contains(a.Log.String(), "level=WARN") {
		t.Errorf("signed in: %t\n%s", b.SignedIn(), a.Log)
	}
}

func TestStoreSessionSealedAnewKeepsItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := newStoreApp(t, apptest.Config{Provider: longTokens})
		b := a.Browser(t)
		b.Login("/dashboard")
		name := onlyFile(t, dir)
		content := apptest.SessionFiles(t, dir)[name]
		for range 12 {
			time.Sleep(12 * time.Hour)
			if resp := b.Get("/api/me"); resp.StatusCode != http.StatusOK || maxAgeOf(resp, apptest.SessionCookie) == 0 {
				t.Fatalf("%d, cookie of %d seconds", resp.StatusCode, maxAgeOf(resp, apptest.SessionCookie))
			}
		}
		if onlyFile(t, dir) != name || apptest.SessionFiles(t, dir)[name] == content {
			t.Error("the file is another one, or not written anew")
		}
		cookie := b.Cookies()[apptest.SessionCookie]
		time.Sleep(24 * time.Hour)
		if resp := a.BareBrowser(t).Get("/api/me", "Cookie", apptest.SessionCookie+"="+cookie); resp.StatusCode != http.StatusFound {
			t.Errorf("after the lifetime: %d", resp.StatusCode)
		}
	})
}

// gorilla/sessions#16, #249: a file that is gone or cannot be decoded means signed out;
// one that cannot be read means that the store fails. TestStoreCannotSay has the rest.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		damage func(dir, file string) error
		status int // of a guarded page
	}{
		{"the directory removed", func(dir, _ string) error { return os.RemoveAll(dir) }, http.StatusFound},
		{"a directory in place of the session", func(_, file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o700))
		}, http.StatusServiceUnavailable},
		{"a session of other keys", func(_, file string) error {
			return os.WriteFile(file, []byte("MTc5NTM4"), 0o600)
		}, http.StatusFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, dir := newStoreApp(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
			if err := tt.damage(dir, filepath.Join(dir, onlyFile(t, dir))); err != nil {
				t.Fatal(err)
			}
			served := a.Called("/api/me")
			if resp := b.Get("/api/me"); resp.StatusCode != tt.status || a.Called("/api/me") != served {
				t.Errorf("guarded page: %d", resp.StatusCode)
			}
			if warned := strings.Contains(a.Log.String(), "it is unknown whether users are signed in"); warned != (tt.status == http.StatusServiceUnavailable) {
				t.Errorf("warned: %t\n%s", warned, a.Log)
			}
			if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
				t.Errorf("logout: %d, left with %v", resp.StatusCode, b.Cookies())
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if resp := b.Follow("/login"); resp.StatusCode != http.StatusInternalServerError || len(b.SessionCookies()) > 0 {
				t.Errorf("login without a store: %d, %v", resp.StatusCode, b.Cookies())
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			b.Login("/dashboard")
		})
	}
}

// A store that fails cannot say whether the user is signed in: protected routes respond
// with 503, and everything else goes on. No cookie is set or cleared, so the session is
// there again when the store is. What a store returns that is not a session counts as
// none.
func TestStoreCannotSay(t *testing.T) {
	t.Parallel()
	decode := func(text string) error {
		_, err := securecookie.New(make([]byte, 32), nil).Encode("", nil)
		return errors.Join(err, securecookie.New(make([]byte, 32), nil).Decode("", text, nil))
	}
	none := func(s *sessions.Session) { *s = sessions.Session{} }
	for _, tt := range []struct {
		name   string
		err    error
		status int                     // of a guarded page: 503 or 302
		change func(*sessions.Session) // what the store returns beside err; nil: as it is
	}{
		{"down", errors.New("dial tcp: connection refused"), http.StatusServiceUnavailable, nil},
		{"slow", context.DeadlineExceeded, http.StatusServiceUnavailable, nil},
		{"slow, in words of its own", errors.New("the query took too long"), http.StatusServiceUnavailable, nil},
		{"not permitted", &fs.PathError{Op: "open", Path: "session", Err: fs.ErrPermission}, http.StatusServiceUnavailable, nil},
		{"not set up", securecookie.MultiError{errors.New("securecookie: hash key is not set")}, http.StatusServiceUnavailable, nil},
		{"cut off", io.ErrUnexpectedEOF, http.StatusServiceUnavailable, nil},
		{"a session that is gone", &fs.PathError{Op: "open", Path: "session", Err: fs.ErrNotExist}, http.StatusFound, nil},
		{"a session that is gone, wrapped", fmt.Errorf("load: %w", fs.ErrNotExist), http.StatusFound, nil},
		{"a session that is gone in Redis", errors.New("redis: nil"), http.StatusFound, nil},
		{"a session that is gone in SQL", sql.ErrNoRows, http.StatusFound, nil},
		{"a cookie that does not decode", securecookie.MultiError{securecookie.ErrMacInvalid}, http.StatusFound, nil},
		{"a cookie that is too long", decode(strings.Repeat("a", 5000)), http.StatusFound, nil},
		{"a value that is not gob", gob.NewDecoder(strings.NewReader("\x07hostile")).Decode(new(string)), http.StatusFound, nil},
		{"a value that is not JSON", json.Unmarshal([]byte("{"), new(any)), http.StatusFound, nil},
		{"a value that is not base64", base64.CorruptInputError(3), http.StatusFound, nil},
		{"no session and no error", nil, http.StatusFound, none},
		{"no session and an error", errors.New("down"), http.StatusServiceUnavailable, none},
		{"a session without values", nil, http.StatusFound, func(s *sessions.Session) { s.Values = nil }},
		{"an empty value", nil, http.StatusFound, func(s *sessions.Session) { s.Values["oauthlogin"] = "" }},
		{"a value of another type", nil, http.StatusFound, func(s *sessions.Session) { s.Values["oauthlogin"] = 7 }},
		{"a value that is junk", nil, http.StatusFound, func(s *sessions.Session) { s.Values["oauthlogin"] = strings.Repeat("A", 400) }},
		{"a session that is new", nil, http.StatusFound, func(s *sessions.Session) { s.IsNew = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &apptest.ScriptedStore{}
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
			a.NoEndSession()
			a.Routes = func(mux *http.ServeMux) {
				mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
					s, err := a.Auth.Session(r)
					fmt.Fprint(w, s != nil, err != nil)
				})
				mux.HandleFunc("/info", a.Auth.SessionInfo)
				mux.Handle("/silent", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, ok := oauthlogin.FromContext(r.Context())
					fmt.Fprint(w, "public ", ok)
				})))
			}
			b := a.Browser(t)
			b.Login("/dashboard")
			before := b.Cookies()
			fails := func(_ *http.Request, s *sessions.Session) (*sessions.Session, error) {
				if tt.change != nil {
					tt.change(s)
				}
				if s.Store() == nil {
					return nil, tt.err
				}
				return s, tt.err
			}
			store.OnNew = fails
			cannotSay := tt.status == http.StatusServiceUnavailable
			served := a.Called("/dashboard")

			page := b.Get("/dashboard")
			if page.StatusCode != tt.status || (page.Header.Get("Retry-After") != "") != cannotSay || strings.Contains(page.Text, "unavailable") != cannotSay {
				t.Errorf("page: %d %v %s", page.StatusCode, page.Header, page.Text)
			}
			script := b.Get("/dashboard", apptest.AsScript...)
			want := map[bool]string{true: `{"error":"unavailable"}`, false: `{"error":"unauthenticated","login_url":"/login?return_to=%2Fdashboard"}`}[cannotSay]
			if strings.TrimSpace(script.Text) != want || (script.Header.Get("Retry-After") != "") != cannotSay {
				t.Errorf("script: %d %v %s", script.StatusCode, script.Header, script.Text)
			}
			if a.Called("/dashboard") != served {
				t.Error("the handler ran")
			}
			if got := b.Get("/session").Text; got != fmt.Sprint(false, cannotSay) {
				t.Errorf("Session: %s", got)
			}
			info := b.Get("/info", apptest.AsScript...)
			if cannotSay && (info.StatusCode != http.StatusServiceUnavailable || strings.TrimSpace(info.Text) != `{"error":"unavailable"}` || info.Header.Get("Retry-After") == "") ||
				!cannotSay && info.StatusCode != http.StatusOK {
				t.Errorf("SessionInfo: %d %s", info.StatusCode, info.Text)
			}
			if got := b.Get("/"); got.Text != "home of nobody" {
				t.Errorf("public page: %d %s", got.StatusCode, got.Text)
			}
			if got := b.Get("/silent"); cannotSay && got.Text != "public false" {
				t.Errorf("silent page: %d %s", got.StatusCode, got.Text)
			}
			if got, _ := b.StartLogin("/login"); got.StatusCode != http.StatusSeeOther {
				t.Errorf("login: %d", got.StatusCode)
			}
			if got := b.Cookies()[apptest.SessionCookie]; got != before[apptest.SessionCookie] {
				t.Error("the session cookie has changed")
			}
			store.OnNew = nil
			if !b.SignedIn() {
				t.Error("a store that works again has lost the session")
			}
			store.OnNew = fails
			if out := b.Post("/logout", nil); out.StatusCode != http.StatusSeeOther || b.Cookies()[apptest.SessionCookie] != "" {
				t.Errorf("logout: %d", out.StatusCode)
			}
			if told := strings.Contains(a.Log.String(), "session not deleted from Options.Store"); told != cannotSay {
				t.Errorf("the log says that the session stays: %t", told)
			}
		})
	}
}

// What auth.Client refreshes is in the store at once: another instance need not send
// the spent refresh token.
func TestClientSavesInStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := apptest.FileStore(t)
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) { // public: only the client refreshes
				resp, err := a.Auth.Client(r.Context()).Get("https://api.test/")
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				io.Copy(w, resp.Body)
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(2 * time.Hour)
		called := b.Get("/call").Text
		a.Restart(t) // an instance that knows only what is in the store
		if token := b.Get("/access").Text; called != "Bearer "+token {
			t.Errorf("the client sent %.20q, another instance has %.20q", called, token)
		}
		a.WantRefreshes(t, 1)
	})
}

// An instance that seals a session anew keeps the tokens that another one has put into the
// store since it read the session there.
func TestStoreKeepsTokensOfAnotherInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{}
		change := func(opts *oauthlogin.Options) { opts.Store = store }
		a := apptest.New(t, apptest.Config{Provider: oauthlogintest.Config{AccessTokenTTL: 5 * time.Hour}, Change: change})
		other := a.Replica(t, change)
		a.Net["api.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		a.Routes = func(mux *http.ServeMux) {
			mux.HandleFunc("/call", func(_ http.ResponseWriter, r *http.Request) {
				resp, err := a.Auth.Client(r.Context()).Get("https://api.test/") // refreshes, as the API rejects the token
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			})
		}
		b := a.Browser(t)
		b.Login("/dashboard")
		cookies := b.Cookies()
		time.Sleep(3 * time.Hour) // due to be sealed anew
		reads := 0
		store.OnNew = func(r *http.Request, s *sessions.Session) (*sessions.Session, error) {
			if r.URL.Path != "/other" {
				return s, nil
			}
			if reads++; reads == 1 { // the next one precedes the save
				a.Ask(t.Context(), cookies, "/call")
			}
			return s, nil
		}
		r := httptest.NewRequest(http.MethodGet, "https://app.test/other", nil)
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		other.RequireAuth(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
		a.WantRefreshes(t, 1)
		store.OnNew = nil
		a.Restart(t) // an instance that knows only what is in the store
		time.Sleep(6 * time.Hour)
		if w := a.Ask(t.Context(), cookies, "/access"); reads < 2 || w.Code != http.StatusOK {
			t.Errorf("signed out after %d reads: %d; the store has the spent refresh token", reads, w.Code)
		}
	})
}

// Tokens that cannot be written are not lost, and not fetched again.
func TestRefreshedSessionNotWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{}
		a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := a.Browser(t)
		b.Login("/dashboard")
		time.Sleep(time.Hour)
		store.OnSave = func(*sessions.Session) error { return errors.New("disk full") }
		fresh := b.Get("/access")
		if again := b.Get("/access"); fresh.StatusCode != http.StatusOK || fresh.Text == "" || again.Text != fresh.Text {
			t.Errorf("while the disk is full: %d, tokens %q and %q", fresh.StatusCode, fresh.Text, again.Text)
		}
		store.OnSave = nil
		b.Get("/access")
		a.Restart(t)
		if got := b.Get("/access").Text; got != fresh.Text {
			t.Errorf("after a restart the token is %q, want %q", got, fresh.Text)
		}
		a.WantRefreshes(t, 1)
		if !strings.Contains(a.Log.String(), "disk full") {
			t.Error("the log does not say why")
		}
		a.Leaks(t, "")
	})
}

// A gorilla CookieStore keeps nothing on the server.
func TestCookieStoreIsRefused(t *testing.T) {
	t.Parallel()
	opts := apptest.ValidOptions()
	opts.Store = sessions.NewCookieStore(apptest.Key(1), apptest.Key(2))
	if _, err := oauthlogin.New(opts); err == nil || !strings.Contains(err.Error(), "Options.Store is a *sessions.CookieStore") {
		t.Error(err)
	}
}

// A store that cannot write ends a login with an error page. A logout goes on, and is logged.
func TestStoreMisbehaves(t *testing.T) {
	t.Parallel()
	store := &apptest.ScriptedStore{}
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
	a.NoEndSession()
	b := a.Browser(t)
	b.Login("/dashboard")
	// A store may write into the deletion what the session has.
	store.OnSave = func(s *sessions.Session) error {
		if s.Options.MaxAge < 0 && len(s.Values) > 0 {
			t.Errorf("deleted with values: %v", s.Values)
		}
		return nil
	}
	b.Login("/dashboard")
	if store.Len() != 1 {
		t.Errorf("%d sessions after a second login", store.Len())
	}

	store.OnSave = func(*sessions.Session) error { return errors.New("down") }
	visitor := a.Browser(t)
	if resp := visitor.Follow("/login"); resp.StatusCode != http.StatusInternalServerError || len(visitor.SessionCookies()) > 0 {
		t.Errorf("login: %d", resp.StatusCode)
	}
	visitor.SetCookie(apptest.SessionCookie, "id-99")
	for _, b := range []*apptest.Browser{visitor, b} {
		if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
			t.Errorf("logout: %d", resp.StatusCode)
		}
	}
	if log := a.Log.String(); !strings.Contains(log, "session not deleted from Options.Store") {
		t.Errorf("the log does not say that the session outlives its logout:\n%s", log)
	}
}

// CVE-2026-30224 of OliveTin by way of a race: a logout in one request does not come
// undone by another that writes the session anew.
func TestStoreSessionEndsWhileSealedAnew(t *testing.T) {
	for name, lost := range map[string]func(*sessions.Session) (*sessions.Session, error){
		"a new session": func(s *sessions.Session) (*sessions.Session, error) {
			s.Values, s.IsNew = map[any]any{}, true
			return s, nil
		},
		"nothing":  func(*sessions.Session) (*sessions.Session, error) { return nil, nil },
		"an error": func(*sessions.Session) (*sessions.Session, error) { return nil, errors.New("gone") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &apptest.ScriptedStore{}
				a := apptest.New(t, apptest.Config{Provider: longTokens, Change: func(opts *oauthlogin.Options) { opts.Store = store }})
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(12 * time.Hour)

				reads := 0
				store.OnNew = func(_ *http.Request, s *sessions.Session) (*sessions.Session, error) {
					if reads++; reads == 1 {
						return s, nil
					}
					store.Clear() // the other request's logout
					return lost(s)
				}
				if resp := b.Get("/api/me"); resp.StatusCode != http.StatusOK || maxAgeOf(resp, apptest.SessionCookie) > 0 {
					t.Errorf("%d with a cookie of %d seconds", resp.StatusCode, maxAgeOf(resp, apptest.SessionCookie))
				}
				store.OnNew = nil
				if store.Len() > 0 || b.SignedIn() {
					t.Error("the session is back")
				}
			})
		})
	}
}

// A session that a login of the same user replaces while a slow store saves it does not come
// back: its id is worthless, and the browser keeps the one of the login.
func TestStoreSessionReplacedWhileSealedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{}
		a := apptest.New(t, apptest.Config{Provider: longTokens, Change: func(opts *oauthlogin.Options) { opts.Store = store }})
		b := a.Browser(t)
		b.Login("/dashboard")
		old := b.Cookies()
		time.Sleep(12 * time.Hour) // so that the next request saves the session
		var slow atomic.Bool
		store.OnSave = func(*sessions.Session) error {
			if slow.CompareAndSwap(false, true) {
				time.Sleep(2 * time.Second)
			}
			return nil
		}
		answer := make(chan *httptest.ResponseRecorder, 1)
		go func() { answer <- a.Ask(t.Context(), old, "/api/me") }()
		time.Sleep(time.Second)
		b.Get(b.CallbackURL("/login"))
		if w := <-answer; apptest.SetsSession(w) {
			t.Errorf("the slow response sets %v", w.Header()["Set-Cookie"])
		}
		if n := store.Len(); n != 1 {
			t.Errorf("%d sessions are in the store", n)
		}
		if w := a.Ask(t.Context(), old, "/api/me"); w.Code == http.StatusOK {
			t.Error("the id from before the login is good")
		}
		if !b.SignedIn() {
			t.Error("the browser has lost its session")
		}
	})
}

// A stranger who signs out while the store fails does not fill the log with errors.
func TestLogoutsOfStrangersAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &apptest.ScriptedStore{OnNew: func(*http.Request, *sessions.Session) (*sessions.Session, error) { return nil, errors.New("down") }}
		a := apptest.New(t, apptest.Config{Change: func(o *oauthlogin.Options) { o.Store = store }})
		for range 5 {
			a.Browser(t).LogOut("/")
		}
		time.Sleep(3 * time.Minute)
		a.Browser(t).LogOut("/")
		if all, loud := strings.Count(a.Log.String(), "session not deleted"), strings.Count(a.Log.String(), "level=ERROR"); all != 6 || loud != 2 {
			t.Errorf("%d lines, %d of them errors", all, loud)
		}
	})
}

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
