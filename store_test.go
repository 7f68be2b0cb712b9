package oauthlogin_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/oauthlogin/oauthlogin"
)

// newStoreApp keeps sessions in files of the directory that it returns.
func newStoreApp(t *testing.T, with offline) (*app, string) {
	t.Helper()
	dir := t.TempDir()
	change := with.change
	with.change = func(opts *oauthlogin.Options) {
		opts.Store = sessions.NewFilesystemStore(dir, testKey(5))
		if change != nil {
			change(opts)
		}
	}
	return newOfflineApp(t, with), dir
}

// sessionFiles returns the contents of the files in dir by name.
func sessionFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(content)
	}
	return files
}

// onlyFile returns the name of the only session there is.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	files := sessionFiles(t, dir)
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
	a, dir := newStoreApp(t, offline{})
	b := a.browser(t)
	b.login("/dashboard")
	first, firstCookie := onlyFile(t, dir), b.cookies()[sessionCookie]

	// Somebody who knows, or has planted, the session before the login.
	b.login("/dashboard")
	second, secondCookie := onlyFile(t, dir), b.cookies()[sessionCookie]
	if second == first {
		t.Error("the session kept its id at login")
	}
	if resp := a.bare(t).get("/api/me", "Cookie", sessionCookie+"="+firstCookie); resp.StatusCode != http.StatusFound {
		t.Errorf("session from before the login: %d", resp.StatusCode)
	}
	planted := a.browser(t)
	planted.setCookie(sessionCookie, firstCookie)
	planted.login("/dashboard")
	if len(sessionFiles(t, dir)) != 2 || sessionFiles(t, dir)[first] != "" {
		t.Error("a session took the id of the cookie before the login")
	}
	planted.post("/logout", nil)

	if resp := b.post("/logout", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	if files := sessionFiles(t, dir); len(files) != 0 {
		t.Errorf("%d session files after logout", len(files))
	}
	if resp := a.bare(t).get("/api/me", "Cookie", sessionCookie+"="+secondCookie); resp.StatusCode != http.StatusFound {
		t.Errorf("session after logout: %d", resp.StatusCode)
	}
}

// GoIncremental/negroni-oauth2#14: "the value is too long", and nobody knows
// what to do.
func TestStoreLimits(t *testing.T) {
	t.Parallel()
	var got error
	a, dir := newStoreApp(t, offline{change: func(opts *oauthlogin.Options) {
		opts.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			got = err
			http.Error(w, "failed", err.(*oauthlogin.Error).Status)
		}
	}})
	tooLarge := func(resp map[string]any) { resp["refresh_token"] = noise(5000) }
	a.provider.EditTokenResponse(tooLarge)
	b := a.browser(t)
	resp := b.follow("/login")
	var failure *oauthlogin.Error
	if !errors.As(got, &failure) || failure.Code != "session_too_large" || resp.StatusCode != http.StatusInternalServerError {
		t.Fatalf("%d, %v", resp.StatusCode, got)
	}
	if !strings.Contains(got.Error(), "MaxLength") || !strings.Contains(got.Error(), "Options.Store") {
		t.Errorf("error does not say what to do: %v", got)
	}
	if len(b.cookieNames(sessionCookie)) != 0 || len(sessionFiles(t, dir)) != 0 {
		t.Error("half a session")
	}

	// Without an ErrorHandler: in the log, and not on the page.
	a, _ = newStoreApp(t, offline{})
	a.provider.EditTokenResponse(tooLarge)
	page := a.browser(t).follow("/login").body
	if !strings.Contains(page, "more than this site can keep") || strings.Contains(page, "MaxLength") {
		t.Error(page)
	}
	if log := a.log.String(); !strings.Contains(log, "session_too_large") || !strings.Contains(log, "MaxLength") {
		t.Errorf("log does not say what to do:\n%s", log)
	}

	// And done.
	a, _ = newStoreApp(t, offline{change: func(opts *oauthlogin.Options) {
		opts.Store.(*sessions.FilesystemStore).MaxLength(0)
	}})
	a.provider.EditTokenResponse(func(resp map[string]any) { resp["refresh_token"] = noise(100_000) })
	b = a.browser(t)
	b.login("/dashboard")
	if !b.signedIn() || strings.Contains(a.log.String(), "level=WARN") {
		t.Errorf("signed in: %t\n%s", b.signedIn(), a.log)
	}
}

func TestStoreSessionSealedAnewKeepsItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, dir := newStoreApp(t, offline{provider: longTokens})
		b := a.browser(t)
		b.login("/dashboard")
		name, content := onlyFile(t, dir), sessionFiles(t, dir)[onlyFile(t, dir)]
		for range 12 {
			time.Sleep(12 * time.Hour)
			if resp := b.get("/api/me"); resp.StatusCode != http.StatusOK || maxAgeOf(resp, sessionCookie) == 0 {
				t.Fatalf("%d, cookie of %d seconds", resp.StatusCode, maxAgeOf(resp, sessionCookie))
			}
		}
		if onlyFile(t, dir) != name || sessionFiles(t, dir)[name] == content {
			t.Error("file is another one, or not written anew")
		}
		cookie := b.cookies()[sessionCookie]
		time.Sleep(24 * time.Hour)
		if resp := a.bare(t).get("/api/me", "Cookie", sessionCookie+"="+cookie); resp.StatusCode != http.StatusFound {
			t.Errorf("after the lifetime: %d", resp.StatusCode)
		}
	})
}

// gorilla/sessions#16, #249: a session that cannot be read is no 500.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		damage func(dir string) error
		logs   bool
	}{
		{"the directory removed", os.RemoveAll, false},
		{"a directory in place of the session", func(dir string) error {
			names, _ := filepath.Glob(filepath.Join(dir, "*"))
			return errors.Join(os.Remove(names[0]), os.Mkdir(names[0], 0o700))
		}, true},
		{"a session of other keys", func(dir string) error {
			names, _ := filepath.Glob(filepath.Join(dir, "*"))
			return os.WriteFile(names[0], []byte("MTc5NTM4"), 0o600)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, dir := newStoreApp(t, offline{})
			b := a.browser(t)
			b.login("/dashboard")
			if err := tt.damage(dir); err != nil {
				t.Fatal(err)
			}
			served := a.called("/api/me")
			if resp := b.get("/api/me"); resp.StatusCode != http.StatusFound || a.called("/api/me") != served {
				t.Errorf("guarded page: %d", resp.StatusCode)
			}
			if resp := b.get("/"); resp.body != "home of nobody" {
				t.Errorf("public page: %d %s", resp.StatusCode, resp.body)
			}
			if warned := strings.Contains(a.log.String(), "Options.Store failed"); warned != tt.logs {
				t.Errorf("warned: %t\n%s", warned, a.log)
			}
			if resp := b.post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.cookies()) > 0 {
				t.Errorf("logout: %d, left with %v", resp.StatusCode, b.cookies())
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			b.login("/dashboard")
		})
	}

	a, dir := newStoreApp(t, offline{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	b := a.browser(t)
	if resp := b.follow("/login"); resp.StatusCode != http.StatusInternalServerError || len(b.cookieNames(sessionCookie)) > 0 {
		t.Errorf("login without a store: %d, %v", resp.StatusCode, b.cookies())
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
	a := newOfflineApp(t, offline{change: func(opts *oauthlogin.Options) { opts.Store = store }})
	a.logoutStaysHere()
	b := a.browser(t)
	b.login("/dashboard")
	with := func(values map[any]any) func(*sessions.Session) (*sessions.Session, error) {
		return func(session *sessions.Session) (*sessions.Session, error) {
			session.Values = values
			return session, nil
		}
	}
	for name, answer := range map[string]func(*sessions.Session) (*sessions.Session, error){
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
			store.new = answer
			defer func() { store.new = nil }()
			served := a.called("/api/me")
			if resp := b.get("/api/me"); resp.StatusCode != http.StatusFound || a.called("/api/me") != served {
				t.Errorf("guarded page: %d", resp.StatusCode)
			}
			if resp := b.get("/"); resp.StatusCode != http.StatusOK || resp.body != "home of nobody" {
				t.Errorf("public page: %d %s", resp.StatusCode, resp.body)
			}
			visitor := a.browser(t)
			visitor.setCookie(sessionCookie, "id-99")
			if resp := visitor.post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(visitor.cookies()) > 0 {
				t.Errorf("logout: %d", resp.StatusCode)
			}
		})
	}
	if !b.signedIn() {
		t.Error("a store that works again has lost the session")
	}
	// A gorilla CookieStore writes into the deletion what the session has.
	b.login("/dashboard")
	if len(store.deleted) == 0 || len(store.deleted[0]) > 0 {
		t.Errorf("deleted with %d values", len(store.deleted))
	}

	store.save = errors.New("down")
	visitor := a.browser(t)
	if resp := visitor.follow("/login"); resp.StatusCode != http.StatusInternalServerError || len(visitor.cookieNames(sessionCookie)) > 0 {
		t.Errorf("login: %d", resp.StatusCode)
	}
	if resp := b.post("/logout", nil); resp.StatusCode != http.StatusSeeOther || len(b.cookies()) > 0 {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	if log := a.log.String(); !strings.Contains(log, "session not deleted from Options.Store") {
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
				a := newOfflineApp(t, offline{provider: longTokens, change: func(opts *oauthlogin.Options) { opts.Store = store }})
				b := a.browser(t)
				b.login("/dashboard")
				time.Sleep(12 * time.Hour)

				reads := 0
				store.new = func(session *sessions.Session) (*sessions.Session, error) {
					if reads++; reads == 1 {
						return session, nil
					}
					clear(store.values) // the other request's logout
					return lost(session)
				}
				if resp := b.get("/api/me"); resp.StatusCode != http.StatusOK || maxAgeOf(resp, sessionCookie) > 0 {
					t.Errorf("%d with a cookie of %d seconds", resp.StatusCode, maxAgeOf(resp, sessionCookie))
				}
				store.new = nil
				if len(store.values) > 0 || b.signedIn() {
					t.Error("the session is back")
				}
			})
		})
	}
}
