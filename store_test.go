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
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/internal/apptest"
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

// CVE-2021-41246 of express-openid-connect: session fixation; CVE-2026-30224 of
// OliveTin: a session that works after logout.
func TestStoreSessionsBeginAndEnd(t *testing.T) {
	t.Parallel()
	a, dir := newStoreApp(t, apptest.Config{})
	b := a.Browser(t)
	b.Login("/dashboard")
	first, firstCookie := onlyFile(t, dir), b.Cookies()[apptest.SessionCookie]

	// Somebody who knows, or has planted, the session before the login.
	b.Login("/dashboard")
	second, secondCookie := onlyFile(t, dir), b.Cookies()[apptest.SessionCookie]
	if second == first {
		t.Error("the session kept its id at login")
	}
	if resp := a.BareBrowser(t).Get("/api/me", "Cookie", apptest.SessionCookie+"="+firstCookie); resp.StatusCode != http.StatusFound {
		t.Errorf("session from before the login: %d", resp.StatusCode)
	}
	planted := a.Browser(t)
	planted.SetCookie(apptest.SessionCookie, firstCookie)
	planted.Login("/dashboard")
	if len(apptest.SessionFiles(t, dir)) != 2 || apptest.SessionFiles(t, dir)[first] != "" {
		t.Error("a session took the id of the cookie before the login")
	}
	planted.Post("/logout", nil)

	if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	if files := apptest.SessionFiles(t, dir); len(files) != 0 {
		t.Errorf("%d session files after logout", len(files))
	}
	if resp := a.BareBrowser(t).Get("/api/me", "Cookie", apptest.SessionCookie+"="+secondCookie); resp.StatusCode != http.StatusFound {
		t.Errorf("session after logout: %d", resp.StatusCode)
	}
}

// GoIncremental/negroni-oauth2#14: "the value is too long", and nobody knows
// what to do.
func TestStoreLimits(t *testing.T) {
	t.Parallel()
	var got error
	a, dir := newStoreApp(t, apptest.Config{Change: func(opts *oauthlogin.Options) {
		opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			got = err
			http.Error(w, "failed", err.(*oauthlogin.Error).Status)
		}
	}})
	tooLarge := func(resp map[string]any) { resp["refresh_token"] = apptest.Noise(5000) }
	a.Provider.EditTokenResponse(tooLarge)
	b := a.Browser(t)
	resp := b.Follow("/login")
	var failure *oauthlogin.Error
	if !errors.As(got, &failure) || failure.Code != "session_too_large" || resp.StatusCode != http.StatusInternalServerError {
		t.Fatalf("%d, %v", resp.StatusCode, got)
	}
	if !strings.Contains(got.Error(), "MaxLength") || !strings.Contains(got.Error(), "Options.Store") {
		t.Errorf("error does not say what to do: %v", got)
	}
	if len(b.CookieNames(apptest.SessionCookie)) != 0 || len(apptest.SessionFiles(t, dir)) != 0 {
		t.Error("half a session")
	}

	// Without an ErrorHandler: in the log, and not on the page.
	a, _ = newStoreApp(t, apptest.Config{})
	a.Provider.EditTokenResponse(tooLarge)
	page := a.Browser(t).Follow("/login").Text
	if !strings.Contains(page, "more than this site can keep") || strings.Contains(page, "MaxLength") {
		t.Error(page)
	}
	if log := a.Log.String(); !strings.Contains(log, "session_too_large") || !strings.Contains(log, "MaxLength") {
		t.Errorf("log does not say what to do:\n%s", log)
	}

	// And done.
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
		name, content := onlyFile(t, dir), apptest.SessionFiles(t, dir)[onlyFile(t, dir)]
		for range 12 {
			time.Sleep(12 * time.Hour)
			if resp := b.Get("/api/me"); resp.StatusCode != http.StatusOK || maxAgeOf(resp, apptest.SessionCookie) == 0 {
				t.Fatalf("%d, cookie of %d seconds", resp.StatusCode, maxAgeOf(resp, apptest.SessionCookie))
			}
		}
		if onlyFile(t, dir) != name || apptest.SessionFiles(t, dir)[name] == content {
			t.Error("file is another one, or not written anew")
		}
		cookie := b.Cookies()[apptest.SessionCookie]
		time.Sleep(24 * time.Hour)
		if resp := a.BareBrowser(t).Get("/api/me", "Cookie", apptest.SessionCookie+"="+cookie); resp.StatusCode != http.StatusFound {
			t.Errorf("after the lifetime: %d", resp.StatusCode)
		}
	})
}

// gorilla/sessions#16, #249: a session that is gone or cannot be decoded is none, and a
// store that cannot be read says nothing of the session.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		damage func(dir string) error
		status int // of a guarded page
	}{
		{"the directory removed", os.RemoveAll, http.StatusFound},
		{"a directory in place of the session", func(dir string) error {
			names, _ := filepath.Glob(filepath.Join(dir, "*"))
			return errors.Join(os.Remove(names[0]), os.Mkdir(names[0], 0o700))
		}, http.StatusServiceUnavailable},
		{"a session of other keys", func(dir string) error {
			names, _ := filepath.Glob(filepath.Join(dir, "*"))
			return os.WriteFile(names[0], []byte("MTc5NTM4"), 0o600)
		}, http.StatusFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, dir := newStoreApp(t, apptest.Config{})
			b := a.Browser(t)
			b.Login("/dashboard")
			if err := tt.damage(dir); err != nil {
				t.Fatal(err)
			}
			served := a.Called("/api/me")
			if resp := b.Get("/api/me"); resp.StatusCode != tt.status || a.Called("/api/me") != served {
				t.Errorf("guarded page: %d", resp.StatusCode)
			}
			if resp := b.Get("/"); resp.Text != "home of nobody" {
				t.Errorf("public page: %d %s", resp.StatusCode, resp.Text)
			}
			if warned := strings.Contains(a.Log.String(), "Options.Store failed"); warned != (tt.status == http.StatusServiceUnavailable) {
				t.Errorf("warned: %t\n%s", warned, a.Log)
			}
			if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
				t.Errorf("logout: %d, left with %v", resp.StatusCode, b.Cookies())
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			b.Login("/dashboard")
		})
	}

	a, dir := newStoreApp(t, apptest.Config{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	b := a.Browser(t)
	if resp := b.Follow("/login"); resp.StatusCode != http.StatusInternalServerError || len(b.CookieNames(apptest.SessionCookie)) > 0 {
		t.Errorf("login without a store: %d, %v", resp.StatusCode, b.Cookies())
	}
}

// A store that fails cannot say whether the user is signed in: protected routes answer
// 503 and everything else goes on. No cookie is set or cleared, so the session is there
// again when the store is.
func TestStoreCannotSay(t *testing.T) {
	t.Parallel()
	decode := func(text string) error {
		_, err := securecookie.New(make([]byte, 32), nil).Encode("", nil)
		return errors.Join(err, securecookie.New(make([]byte, 32), nil).Decode("", text, nil))
	}
	for _, tt := range []struct {
		name   string
		err    error
		status int // of a guarded page: 503 or 302
	}{
		{"down", errors.New("dial tcp: connection refused"), http.StatusServiceUnavailable},
		{"slow", context.DeadlineExceeded, http.StatusServiceUnavailable},
		{"not permitted", &fs.PathError{Op: "open", Path: "session", Err: fs.ErrPermission}, http.StatusServiceUnavailable},
		{"not set up", securecookie.MultiError{errors.New("securecookie: hash key is not set")}, http.StatusServiceUnavailable},
		{"cut off", io.ErrUnexpectedEOF, http.StatusServiceUnavailable},
		{"a session that is gone", &fs.PathError{Op: "open", Path: "session", Err: fs.ErrNotExist}, http.StatusFound},
		{"a session that is gone, wrapped", fmt.Errorf("load: %w", fs.ErrNotExist), http.StatusFound},
		{"a session that is gone in Redis", errors.New("redis: nil"), http.StatusFound},
		{"a session that is gone in SQL", sql.ErrNoRows, http.StatusFound},
		{"a cookie that does not decode", securecookie.MultiError{securecookie.ErrMacInvalid}, http.StatusFound},
		{"a cookie that is too long", decode(strings.Repeat("a", 5000)), http.StatusFound},
		{"a value that is not gob", gob.NewDecoder(strings.NewReader("\x07hostile")).Decode(new(string)), http.StatusFound},
		{"a value that is not JSON", json.Unmarshal([]byte("{"), new(any)), http.StatusFound},
		{"a value that is not base64", base64.CorruptInputError(3), http.StatusFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &scriptedStore{values: map[string]map[any]any{}}
			a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
			a.NoEndSession()
			mux := http.NewServeMux()
			mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
				s, err := a.Auth.Session(r)
				fmt.Fprint(w, s != nil, err != nil)
			})
			mux.HandleFunc("/info", a.Auth.SessionInfo)
			mux.Handle("/silent", a.Auth.SilentLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, ok := oauthlogin.FromContext(r.Context())
				fmt.Fprint(w, "public ", ok)
			})))
			a.Routes = func(routes *http.ServeMux) {
				for _, path := range []string{"/session", "/info", "/silent"} {
					routes.Handle(path, mux)
				}
			}
			b := a.Browser(t)
			b.Login("/dashboard")
			before := b.Cookies()
			store.new = func(s *sessions.Session) (*sessions.Session, error) { return s, tt.err }
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
			store.new = nil
			if !b.SignedIn() {
				t.Error("a store that works again has lost the session")
			}
			store.new = func(s *sessions.Session) (*sessions.Session, error) { return s, tt.err }
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

// A gorilla CookieStore keeps nothing on the server.
func TestCookieStoreIsRefused(t *testing.T) {
	t.Parallel()
	opts := apptest.ValidOptions()
	opts.Store = sessions.NewCookieStore(apptest.Key(1), apptest.Key(2))
	if _, err := oauthlogin.New(opts); err == nil || !strings.Contains(err.Error(), "Options.Store is a *sessions.CookieStore") {
		t.Error(err)
	}
}

// A scriptedStore keeps sessions in memory, until told to do otherwise.
type scriptedStore struct {
	values  map[string]map[any]any
	new     func(*sessions.Session) (*sessions.Session, error) // nil: as it is
	save    error
	deleted []map[any]any // what was to be saved of sessions that were to be deleted
}

func (s *scriptedStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return s.New(r, name)
}

func (s *scriptedStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = &sessions.Options{}
	session.IsNew = true
	if c, err := r.Cookie(name); err == nil {
		session.ID = c.Value // as redis stores do, also when nothing is there any more
		if values, ok := s.values[c.Value]; ok {
			session.Values, session.IsNew = values, false
		}
	}
	if s.new != nil {
		return s.new(session)
	}
	return session, nil
}

func (s *scriptedStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	if s.save != nil {
		return s.save
	}
	if session.Options.MaxAge < 0 {
		s.deleted = append(s.deleted, session.Values)
		delete(s.values, session.ID)
	} else {
		if session.ID == "" {
			session.ID = fmt.Sprintf("id-%d", len(s.values)+1)
		}
		s.values[session.ID] = session.Values
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

func TestStoreMisbehaves(t *testing.T) {
	t.Parallel()
	store := &scriptedStore{values: map[string]map[any]any{}}
	a := apptest.New(t, apptest.Config{Change: func(opts *oauthlogin.Options) { opts.Store = store }})
	a.NoEndSession()
	b := a.Browser(t)
	b.Login("/dashboard")
	with := func(values map[any]any) func(*sessions.Session) (*sessions.Session, error) {
		return func(session *sessions.Session) (*sessions.Session, error) {
			session.Values = values
			return session, nil
		}
	}
	for name, response := range map[string]func(*sessions.Session) (*sessions.Session, error){
		"nothing":                 func(*sessions.Session) (*sessions.Session, error) { return nil, nil },
		"an error":                func(*sessions.Session) (*sessions.Session, error) { return nil, errors.New("down") },
		"a session and an error":  func(s *sessions.Session) (*sessions.Session, error) { return s, errors.New("down") },
		"a session without value": with(nil),
		"an empty value":          with(map[any]any{"oauthlogin": ""}),
		"a value of another type": with(map[any]any{"oauthlogin": 7}),
		"a value that is junk":    with(map[any]any{"oauthlogin": strings.Repeat("A", 400)}),
		"a session that is new": func(s *sessions.Session) (*sessions.Session, error) {
			s.IsNew = true
			return s, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			store.new = response
			defer func() { store.new = nil }()
			status := http.StatusFound
			if strings.Contains(name, "error") {
				status = http.StatusServiceUnavailable
			}
			served := a.Called("/api/me")
			if resp := b.Get("/api/me"); resp.StatusCode != status || a.Called("/api/me") != served {
				t.Errorf("guarded page: %d", resp.StatusCode)
			}
			if resp := b.Get("/"); resp.StatusCode != http.StatusOK || resp.Text != "home of nobody" {
				t.Errorf("public page: %d %s", resp.StatusCode, resp.Text)
			}
			visitor := a.Browser(t)
			visitor.SetCookie(apptest.SessionCookie, "id-99")
			if resp := visitor.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(visitor.Cookies()) > 0 {
				t.Errorf("logout: %d", resp.StatusCode)
			}
		})
	}
	if !b.SignedIn() {
		t.Error("a store that works again has lost the session")
	}
	// A gorilla CookieStore writes into the deletion what the session has.
	b.Login("/dashboard")
	if len(store.deleted) == 0 || len(store.deleted[0]) > 0 {
		t.Errorf("deleted with %d values", len(store.deleted))
	}

	store.save = errors.New("down")
	visitor := a.Browser(t)
	if resp := visitor.Follow("/login"); resp.StatusCode != http.StatusInternalServerError || len(visitor.CookieNames(apptest.SessionCookie)) > 0 {
		t.Errorf("login: %d", resp.StatusCode)
	}
	if resp := b.Post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.Cookies()) > 0 {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	if log := a.Log.String(); !strings.Contains(log, "session not deleted from Options.Store") {
		t.Errorf("nobody is told of a session that outlives its logout:\n%s", log)
	}
}

// A logout in one request does not come undone by another that writes the
// session anew: CVE-2026-30224 of OliveTin by way of a race.
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
				store := &scriptedStore{values: map[string]map[any]any{}}
				a := apptest.New(t, apptest.Config{Provider: longTokens, Change: func(opts *oauthlogin.Options) { opts.Store = store }})
				b := a.Browser(t)
				b.Login("/dashboard")
				time.Sleep(12 * time.Hour)

				reads := 0
				store.new = func(session *sessions.Session) (*sessions.Session, error) {
					if reads++; reads == 1 {
						return session, nil
					}
					clear(store.values) // the other request's logout
					return lost(session)
				}
				if resp := b.Get("/api/me"); resp.StatusCode != http.StatusOK || maxAgeOf(resp, apptest.SessionCookie) > 0 {
					t.Errorf("%d with a cookie of %d seconds", resp.StatusCode, maxAgeOf(resp, apptest.SessionCookie))
				}
				store.new = nil
				if len(store.values) > 0 || b.SignedIn() {
					t.Error("the session is back")
				}
			})
		})
	}
}
