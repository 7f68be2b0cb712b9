package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// enter returns the session of a request and the request that carries it on;
// without a session nil and the request unchanged. It sets headers and, when
// the session has to be sealed anew, cookies: before any handler runs.
func (m *Middleware) enter(w http.ResponseWriter, r *http.Request) (*Session, *http.Request) {
	if s := m.fromContext(r.Context()); s != nil {
		if m.memory.hasEnded(s.current().id) { // by a handler in between
			return nil, r
		}
		if other, _ := FromContext(r.Context()); other != s { // of a Middleware in between
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, s))
		}
		return s, r
	}
	rec, reseal := m.load(r)
	if rec == nil {
		return nil, r
	}
	setPrivate(w.Header())
	if reseal {
		if err := m.save(w, r, rec); err != nil {
			m.log.WarnContext(r.Context(), "oauthlogin: session not written anew", "error", err)
		}
	}
	ctx := &sessionContext{Context: r.Context(), session: Session{User: rec.ownUser(), owner: m, record: rec}}
	return &ctx.session, r.WithContext(ctx)
}

// setPrivate keeps shared caches from giving one user's page to another.
func setPrivate(h http.Header) {
	values := [...]string{"private", "Cookie"} // one allocation for both
	if !strings.Contains(h.Get("Cache-Control"), "no-store") {
		h["Cache-Control"] = values[0:1:1]
	}
	if vary := h["Vary"]; len(vary) > 0 {
		h["Vary"] = append(vary, "Cookie")
	} else {
		h["Vary"] = values[1:2:2]
	}
}

// load returns the valid session of a request, nil if there is none, and
// whether it is time to seal it anew. Whatever does not open, is not of
// one of our providers, or is past a limit, is no session.
func (m *Middleware) load(r *http.Request) (rec *record, reseal bool) {
	sealed := m.sealed(r)
	if sealed.n == 0 {
		return nil, false
	}
	o, ok := m.opened.get(&sealed)
	if !ok {
		if o, ok = m.open(sealed.String()); !ok {
			return nil, false
		}
		m.opened.put(&sealed, o)
	}
	rec = o.record
	now := time.Now()
	idle := now.Sub(rec.written)
	newer, ended := m.memory.look(rec, now)
	if newer != nil { // another request has refreshed the tokens
		rec, reseal = newer, true
	}
	if ended || idle >= m.opts.IdleTimeout || rec.expired(&m.opts, now) {
		return nil, false
	}
	return rec, reseal || o.oldKey || idle >= m.opts.IdleTimeout/10
}

// sealed returns the sealed session of a request, empty if there is none.
func (m *Middleware) sealed(r *http.Request) sealedValue {
	if m.chunks != nil {
		return m.chunks.read(r)
	}
	if m.cookies.sentTwice(r) { // a store would take the first
		return sealedValue{}
	}
	stored, err := m.store.New(r, m.cookies.session)
	if err != nil || stored == nil || stored.IsNew {
		m.logStoreError(r, stored, err)
		return sealedValue{}
	}
	sealed, _ := stored.Values[valueKey].(string)
	return sealedValue{parts: [maxChunks]string{sealed}, n: 1}
}

// open returns what depends on the sealed value and on m alone.
func (m *Middleware) open(sealed string) (o opened, ok bool) {
	value := sealed
	if m.chunks != nil {
		if value, ok = unmark(sealed); !ok {
			return opened{}, false
		}
	}
	packed, oldKey, err := m.sessionSealer.open(m.cookies.session, value)
	if err != nil {
		return opened{}, false
	}
	rec, err := unpackRecord(packed)
	if err != nil {
		return opened{}, false
	}
	p := m.providerByTag(rec.provider)
	if p == nil {
		return opened{}, false
	}
	rec.user.Provider, rec.user.Issuer = p.Name, p.issuer
	return opened{sealed, rec, oldKey}, true
}

// save seals a session that the request already has.
func (m *Middleware) save(w http.ResponseWriter, r *http.Request, rec *record) error {
	stored, err := m.store.New(r, m.cookies.session)
	if err != nil {
		return fmt.Errorf("read session: %s", withoutID(stored, err))
	}
	// Signed out meanwhile: stores would make the session anew, under its old id.
	latest, ended := m.memory.latest(rec)
	if ended || stored == nil || stored.IsNew {
		return errSessionEnded
	}
	return m.write(w, r, stored, latest)
}

// start seals a new session, in place of whatever the request has.
func (m *Middleware) start(w http.ResponseWriter, r *http.Request, rec *record) error {
	// Made anew, so that the store gives it a new id: nothing that was
	// known before the login names the session (session fixation).
	if err := m.write(w, r, sessions.NewSession(m.store, m.cookies.session), rec); err != nil {
		return err
	}
	m.forget(r)
	return nil
}

func (m *Middleware) write(w http.ResponseWriter, r *http.Request, stored *sessions.Session, rec *record) error {
	now := time.Now()
	sealed, err := m.sessionSealer.seal(m.cookies.session, rec.pack(now))
	if err != nil {
		return err
	}
	left := min(m.opts.IdleTimeout, rec.created.Add(m.opts.MaxLifetime).Sub(now))
	stored.Options = m.cookies.options(max(1, int(left/time.Second)))
	stored.Values = map[any]any{valueKey: sealed}
	noStore(w)
	m.cookies.unset(w, m.cookies.session)
	if err := m.store.Save(r, w, stored); err != nil {
		return storeError(stored, err)
	}
	if m.chunks != nil && len(sealed) > warnCookieBytes {
		m.log.WarnContext(r.Context(), "oauthlogin: session cookies are large; nginx and Apache refuse more than 8 KiB of request headers, "+
			"and some proxies 4 KiB of response headers: set Options.Store, or ask the provider for smaller tokens",
			"bytes", len(sealed), "provider", rec.user.Provider, "subject", rec.user.Subject)
	}
	return nil
}

// storeError says what to do about the limit that securecookie, and with it
// most gorilla stores, puts on values.
func storeError(stored *sessions.Session, err error) error {
	if errors.Is(err, errTooLargeForCookies) {
		return err
	}
	if text := err.Error(); strings.Contains(text, "too long") || strings.Contains(text, "too big") {
		return fmt.Errorf("%w (%s); raise its limit, for example with its MaxLength or SetMaxLength method", errTooLargeForStore, withoutID(stored, err))
	}
	return fmt.Errorf("save session: %s", withoutID(stored, err))
}

// forget deletes the request's session on the server, if it is kept there.
func (m *Middleware) forget(r *http.Request) {
	if m.chunks != nil {
		return
	}
	stored, err := m.store.New(r, m.cookies.session)
	if err != nil || stored == nil || stored.IsNew {
		m.logStoreError(r, stored, err)
		return
	}
	stored.Options = m.cookies.options(-1)
	clear(stored.Values)
	// The store's own deletion cookie goes nowhere: there is one Set-Cookie for
	// each name, and it is ours.
	if err := m.store.Save(r, discardHeader{}, stored); err != nil {
		m.log.ErrorContext(r.Context(), "oauthlogin: session not deleted from Options.Store", "error", withoutID(stored, err))
	}
}

func (m *Middleware) logStoreError(r *http.Request, stored *sessions.Session, err error) {
	var cookieError securecookie.Error
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.As(err, &cookieError) && cookieError.IsDecode() {
		return // somebody's old or broken cookie
	}
	m.log.WarnContext(r.Context(), "oauthlogin: Options.Store failed; the request counts as signed out", "error", withoutID(stored, err))
}

// withoutID is the text of a store's error without the session's id, which
// some stores name it by.
func withoutID(stored *sessions.Session, err error) string {
	if stored == nil || stored.ID == "" {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), stored.ID, "[id]")
}

// discardHeader is a ResponseWriter for what must not reach the response.
type discardHeader struct{}

func (discardHeader) Header() http.Header { return http.Header{} }

func (discardHeader) Write(b []byte) (int, error) { return len(b), nil }

func (discardHeader) WriteHeader(int) {}
